"""Sealing what leaves the house, so that only the household's secret key opens it.

A sealed payload is, byte by byte:

    1       0x01, the version of this form
    16      the message's id, so that a receiver without the key can drop repeats
    rest    a sealed box of libsodium (crypto_box_seal: X25519, XSalsa20, Poly1305) over

        the topic in UTF-8, a line feed, the payload as it would be sent unsealed (JSON, or deflated JSON),
        0x80 and zeros up to a multiple of 256 bytes (ISO/IEC 7816-4), so that sizes say little

The topic inside must be the one outside: whoever carries a message cannot give it to another person. A sealed box names
no sender: it keeps secrets, and who may publish is for the broker's access rules.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import nacl.exceptions
from nacl.bindings import sodium_pad, sodium_unpad
from nacl.public import PrivateKey, SealedBox
from nacl.public import PublicKey as BoxKey

from edge.errors import MessageError, Refused
from edge.telling.household_key import PublicKey, SecretKey

MARK: Final = 0x01
_ID_BYTES: Final = 16
# What a sealed box adds: a public key of 32 bytes, and the 16 of Poly1305 (libsodium, sealed boxes).
_BOX_BYTES: Final = 48
# Our choice: most alerts, faults and hours then have one of two sizes.
_BLOCK: Final = 256


def new_key() -> SecretKey:
    """A key from the system's random numbers."""
    return SecretKey(bytes(PrivateKey.generate()))


def public_half(key: SecretKey) -> PublicKey:
    """What may be written into settings."""
    return PublicKey(bytes(PrivateKey(key.raw).public_key))


def seal(key: PublicKey, identifier: UUID, topic: str, payload: bytes) -> bytes:
    """The sealed payload of a message."""
    inner = sodium_pad(topic.encode() + b"\n" + payload, _BLOCK)
    return bytes([MARK]) + identifier.bytes + SealedBox(BoxKey(key.raw)).encrypt(inner)


def sealed_id(payload: bytes) -> UUID | None:
    """The id that a sealed payload shows, None where it is not sealed. Raises MessageError for one that is cut off."""
    if payload[:1] != bytes([MARK]):
        return None
    blocks, rest = divmod(len(payload) - 1 - _ID_BYTES - _BOX_BYTES, _BLOCK)
    if blocks < 1 or rest:
        raise MessageError(
            Refused.SEALED, f"{len(payload)} bytes are no sealed message", where="payload", mend="look who sent it"
        )
    return UUID(bytes=payload[1 : 1 + _ID_BYTES])


def unseal(key: SecretKey, topic: str, payload: bytes) -> bytes:
    """What was sealed; raises MessageError where it cannot be opened, or was sealed for another topic."""
    try:
        inner = SealedBox(PrivateKey(key.raw)).decrypt(payload[1 + _ID_BYTES :])
        told, _, plain = sodium_unpad(inner, _BLOCK).partition(b"\n")
    except (nacl.exceptions.CryptoError, ValueError, TypeError) as error:
        raise MessageError(
            Refused.SEALED, "it cannot be opened", where="payload", mend="use the key that the home seals to"
        ) from error
    if told != topic.encode():
        raise MessageError(
            Refused.DISAGREES, "it was sealed for another topic", where=ascii(topic), mend="look who sent it"
        )
    return plain
