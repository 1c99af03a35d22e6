"""The links behind the buttons of a notification: each is good for one answer of one contact, for a while.

A link carries all that it says, and a code that only who holds the home's key can make: nothing about it needs to be
stored until it is pressed, and nobody can make one, or change one, without the key. It can be read by whoever sees the
notification: the ids of an alert and of a contact, and no name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from edge.errors import StoreError
from edge.notices import Button
from edge.store.connection import store_error

KEY_NAME: Final = "links.key"
# As long as the hash: a longer key adds nothing, a shorter one is weaker (RFC 2104, 3).
KEY_BYTES: Final = 32
# Our choice: what somebody is told in the evening they may answer in the morning, or after work.
LIFE_S: Final = 24 * 3600.0
# How far the wall clock may have been set back since a link was made. Our choice: more than any clock that NTP keeps is
# off, and little beside a link's life, so that no clock makes a link live for long.
SET_BACK_S: Final = 3600.0
# No token is longer: an id of a contact has 32 bytes at most (see settings), one of an alert 36. Our choice, with room.
LONGEST_TOKEN: Final = 400

# Chance enough that no two links are ever alike, however many are made: 96 bits, as for a random nonce of AES-GCM (NIST
# SP 800-38D, 8.2.2).
_NONCE_BYTES: Final = 12
_VERSION: Final = 1
# Version, button, when it expires (seconds since 1970 UTC), nonce, and how long the contact's id is.
_HEAD: Final = struct.Struct(f">BBI{_NONCE_BYTES}sB")
# Never another order: the number of a button is part of links that are under way.
_BUTTONS: Final = (Button.ACKNOWLEDGE, Button.SNOOZE, Button.FINE, Button.HELP)
_CODE_BYTES: Final = hashlib.sha256().digest_size

_log = structlog.get_logger("links")


@dataclass(frozen=True, slots=True)
class Link:
    """One answer that one contact may give about one alert until `expires`, in whole seconds since 1970 UTC."""

    alert: str
    button: Button
    contact: str
    expires: int
    nonce: bytes = field(repr=False)

    def is_good(self, now: float) -> bool:
        """Whether it has not expired at `now`; one that ends too far ahead was made before the clock was set back."""
        return now < self.expires <= now + LIFE_S + SET_BACK_S


def new_link(alert: str, button: Button, contact: str, now: float) -> Link:
    """A link that nobody has had yet."""
    return Link(alert, button, contact, int(now + LIFE_S), secrets.token_bytes(_NONCE_BYTES))


def write_token(key: bytes, link: Link) -> str:
    """The link as what stands at the end of its address: letters, digits, - and _ (RFC 4648, 5, without padding)."""
    contact = link.contact.encode()
    head = _HEAD.pack(_VERSION, _BUTTONS.index(link.button), link.expires, link.nonce, len(contact))
    told = head + contact + link.alert.encode()
    return base64.urlsafe_b64encode(told + _code(key, told)).rstrip(b"=").decode()


def read_token(key: bytes, token: str) -> Link | None:
    """The link that a token says; None where it was not made with this key, or was changed in any bit.

    Whether it is still good and was not used before is not looked at.
    """
    sealed = _bytes_of(token)
    if sealed is None:
        return None
    told, code = sealed[:-_CODE_BYTES], sealed[-_CODE_BYTES:]
    if not hmac.compare_digest(code, _code(key, told)):
        return None
    version, button, expires, nonce, length = _HEAD.unpack_from(told)
    if version != _VERSION:
        return None
    rest = told[_HEAD.size :]
    return Link(rest[length:].decode(), _BUTTONS[button], rest[:length].decode(), expires, nonce)


def _bytes_of(token: str) -> bytes | None:
    """What a token says, with its code; of the many ways to write the same bytes only ours is taken."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        return None
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    if len(sealed) < _HEAD.size + _CODE_BYTES or base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != token:
        return None
    return sealed


def _code(key: bytes, told: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104, FIPS 198-1)."""
    return hmac.digest(key, told, "sha256")


def home_key(folder: Path) -> bytes:
    """The home's key, made where there is none, for this user alone; one that is damaged is replaced.

    A new key makes all links worthless that are under way. Raises StoreError when it can be neither read nor made.
    """
    path = folder / KEY_NAME
    try:
        key = _read_key(path)
        if key is None:
            _write_key(path, secrets.token_bytes(KEY_BYTES))
            key = _read_key(path)
    except OSError as error:
        raise store_error(error, path) from error
    if key is None:
        raise StoreError("the key cannot be read back", where=str(path), mend="check the disk")
    return key


def _read_key(path: Path) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as opened:
        key = opened.read(KEY_BYTES + 1)
        os.fchmod(opened.fileno(), 0o600)
    if len(key) == KEY_BYTES:
        return key
    _log.error("the key of the links is damaged and is made anew", bytes=len(key))
    return None


def _write_key(path: Path, key: bytes) -> None:
    """Put the key on the disk whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as made:
        made.write(key)
        made.flush()
        os.fsync(made.fileno())
    partial.replace(path)
