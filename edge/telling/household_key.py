"""The household's key: who has its secret half reads what the home seals; everybody else sees topics and sizes only."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Final, Self

# X25519 (RFC 7748, 6.1): both halves have 32 bytes.
KEY_BYTES: Final = 32
# A letter that was mistyped must not seal what nobody can ever open: so many bytes of the SHA-256 follow. Our choice.
_CHECK_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class _Half:
    raw: bytes

    _MARK = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read its text; raises ValueError in words, without the text itself."""
        mark, _, letters = text.strip().partition(":")
        if mark != cls._MARK:
            message = f"it must begin with {cls._MARK}:"
            raise ValueError(message)
        try:
            found = base64.b64decode(letters, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            found = b""
        raw, check = found[:KEY_BYTES], found[KEY_BYTES:]
        if len(raw) != KEY_BYTES or check != _check(raw):
            message = "a letter is wrong or missing"
            raise ValueError(message)
        return cls(raw)

    @property
    def text(self) -> str:
        """As people write it: what it is, and base64 (RFC 4648, 5) of the key and a check."""
        return f"{self._MARK}:{base64.urlsafe_b64encode(self.raw + _check(self.raw)).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class PublicKey(_Half):
    """The half that seals; no secret."""

    _MARK = "hearthbeat-seal"


@dataclass(frozen=True, slots=True)
class SecretKey(_Half):
    """The half that opens; a secret, and in no message or log."""

    raw: bytes = field(repr=False)

    _MARK = "hearthbeat-open"


def _check(raw: bytes) -> bytes:
    return hashlib.sha256(b"hearthbeat household key" + raw).digest()[:_CHECK_BYTES]
