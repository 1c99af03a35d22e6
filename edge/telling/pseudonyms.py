"""The names under which people and wearables are known outside, and the ids of what is told of them.

Each is a keyed hash, so that nobody without the store can tell or test which name, address or alert is behind it; the
key is made with the store, is in its backups and never leaves the house.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final
from uuid import UUID

# As many as SHA-256 gives. Our choice.
KEY_BYTES: Final = 32
# 50 bits: among a million homes' worth of people in one home two would still hardly meet. Our choice.
_LETTERS: Final = 10


class Pseudonyms:
    """Keyed hashes of names; `key` is KEY_BYTES random bytes.

    The hash is HMAC (RFC 2104) with SHA-256, its letters are base32 in small letters (RFC 4648, 6).
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def person(self, person: str) -> str:
        """How a person is called outside, such as p-k3j9x2abcd; an id as topics need it."""
        return f"p-{self._letters('person', person)}"

    def device(self, address: str) -> str:
        """How a wearable is called outside, such as d-q7m2w5abcd."""
        return f"d-{self._letters('device', address)}"

    def message(self, *parts: str | int) -> UUID:
        """The id of what `parts` name, the same whenever it is told again: a UUIDv8 (RFC 9562, 5.8)."""
        digest = bytearray(self._digest("message", *parts)[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))

    def _letters(self, *parts: str) -> str:
        return base64.b32encode(self._digest(*parts)).decode("ascii")[:_LETTERS].lower()

    def _digest(self, *parts: str | int) -> bytes:
        text = "\0".join(str(part) for part in parts)
        return hmac.digest(self._key, text.encode(), hashlib.sha256)
