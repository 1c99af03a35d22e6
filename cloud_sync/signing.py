"""Signed words: who signed what, by Ed25519; what was signed is parsed only when the signature holds.

An envelope is one line of JSON with three texts, and nothing else stands in it:

    {"key":"daughter","signed":"<base64 of the bytes that were signed>","signature":"<base64 of 64 bytes>"}

The signature is over a purpose, a line feed, the key's name, a line feed and those very bytes, so that what was signed
for one purpose, or under one name, counts for no other. There is one way only to write an envelope (no spaces, this
order, base64 of RFC 4648, section 4, whose unused bits are zero), so that no bit of it can change unnoticed.

Ed25519 (RFC 8032) by libsodium, which refuses signatures that somebody else could have altered (S that is not reduced)
and keys of small order.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from edge.errors import RejectedError, SettingsError

# What a signature is for.
COMMAND: Final = b"hearthbeat command"
PACKAGE: Final = b"hearthbeat model package"
# Bytes that an envelope may have. Our choice: the largest words that we sign, a package's label with the hashes of 64
# parts, take 6 kB.
MOST_BYTES: Final = 16 * 1024
KEY_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_FIELDS: Final = ("key", "signed", "signature")


@dataclass(frozen=True, slots=True)
class Signed:
    """What `key` has signed, and the signature was right."""

    key: str
    words: bytes


def sign(purpose: bytes, key: str, words: bytes, secret: SigningKey) -> bytes:
    """An envelope that says that `key` has signed `words` for `purpose`."""
    signature = secret.sign(_signed(purpose, key, words)).signature
    return _envelope(key, words, signature)


def opened(purpose: bytes, payload: bytes, keys: Mapping[str, VerifyKey]) -> Signed:
    """What is in an envelope that one of `keys` has signed for `purpose`; raises RejectedError with the reason."""
    key, words, signature = _parts(payload)
    known = keys.get(key)
    if known is None:
        raise RejectedError("signed by a key that is not known here", reason="unknown key")
    try:
        known.verify(_signed(purpose, key, words), signature)
    except CryptoError as error:
        raise RejectedError("the signature is not right", reason="forged", key=key) from error
    return Signed(key, words)


def read_public_key(text: str) -> VerifyKey:
    """A public key, base64 of its 32 bytes; raises ValueError."""
    content = _bytes(text)
    if len(content) != KEY_BYTES:
        raise ValueError("a public key is the base64 of 32 bytes")
    return VerifyKey(content)


def write_public_key(key: VerifyKey) -> str:
    """A public key as `read_public_key` takes it."""
    return base64.b64encode(bytes(key)).decode()


def read_secret_key(path: Path) -> SigningKey:
    """The secret key in a file's first line; raises SettingsError, in whose words it is not."""
    try:
        content = _bytes(path.read_text(encoding="ascii").partition("\n")[0].strip())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a key"
        raise SettingsError(f"secret key cannot be read: {why}", where=str(path), mend="name a key's file") from error
    if len(content) != KEY_BYTES:
        raise SettingsError("not a secret key", where=str(path), mend="make one: hearthbeat-collector keys new")
    return SigningKey(content)


def write_secret_key(key: SigningKey) -> str:
    """A secret key as `read_secret_key` takes it."""
    return base64.b64encode(bytes(key)).decode() + "\n"


def _signed(purpose: bytes, key: str, words: bytes) -> bytes:
    return b"\n".join((purpose, key.encode(), words))


def _envelope(key: str, words: bytes, signature: bytes) -> bytes:
    fields = (key, base64.b64encode(words).decode(), base64.b64encode(signature).decode())
    return json.dumps(dict(zip(_FIELDS, fields, strict=True)), separators=(",", ":")).encode()


def _parts(payload: bytes) -> tuple[str, bytes, bytes]:
    """Key, words and signature of an envelope that is written in the one right way."""
    if len(payload) > MOST_BYTES:
        raise RejectedError(f"{len(payload)} bytes, {MOST_BYTES} at most are taken", reason="too large")
    try:
        fields = json.loads(payload)
        key, signed, signature = (fields[name] for name in _FIELDS)
        words, seal = _bytes(signed), _bytes(signature)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise RejectedError("that is no envelope", reason="unreadable") from error
    if not (isinstance(key, str) and _NAME.fullmatch(key)) or _envelope(key, words, seal) != payload:
        raise RejectedError("that is no envelope", reason="unreadable")
    return key, words, seal


def _bytes(text: object) -> bytes:
    """Base64, read strictly; raises ValueError (binascii.Error is one)."""
    if not isinstance(text, str):
        raise binascii.Error("not a text")
    return base64.b64decode(text, validate=True)
