"""What Weight Scale Service 1.0 and Body Composition Service 1.0 have in common: their packets begin alike.

Flags, of which the first three bits mean the same in both; the value that was measured for; the time stamp; the user.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edge.wearables.fields import DateTime, Fields

# The common bits of the flags: Weight Scale Service 1.0, 3.2; Body Composition Service 1.0, 3.2.
_IMPERIAL: Final = 1 << 0
_TIME: Final = 1 << 1
_USER: Final = 1 << 2

# A value that says that measuring failed, and a user whom the scale does not know: the same sections.
_UNSUCCESSFUL: Final = 0xFFFF
_UNKNOWN_USER: Final = 0xFF

# Steps of a weight: the same sections. The pound is exactly so much by the international agreement of 1959 (NIST
# Special Publication 811 (2008), B.8).
KG_PER_STEP: Final = 0.005
KG_PER_IMPERIAL_STEP: Final = 0.01 * 0.45359237


class Begin(NamedTuple):
    """The begin of a packet as sent; `value` is None where measuring failed, the others where they are not told."""

    value: int | None
    imperial: bool
    measured_at: DateTime | None
    user: int | None


def decode_begin(fields: Fields, flag_octets: int, what: str) -> tuple[int, Begin]:
    """The flags, and what follows them up to the user; `what` names the value. Raises DecodeError."""
    flags = fields.uint(flag_octets, "flags")
    value = fields.uint(2, what)
    begin = Begin(
        None if value == _UNSUCCESSFUL else value,
        bool(flags & _IMPERIAL),
        fields.date_time("time stamp") if flags & _TIME else None,
        fields.uint(1, "user ID") if flags & _USER else None,
    )
    return flags, begin


def encode_begin(begin: Begin) -> tuple[int, bytes]:
    """The flags that tell of the begin, and the octets that follow them. Raises OverflowError for what does not fit."""
    flags = _IMPERIAL if begin.imperial else 0
    body = (_UNSUCCESSFUL if begin.value is None else begin.value).to_bytes(2, "little")
    if begin.measured_at is not None:
        flags |= _TIME
        body += begin.measured_at.encode()
    if begin.user is not None:
        flags |= _USER
        body += begin.user.to_bytes(1, "little")
    return flags, body


def kilograms(steps: int | None, *, imperial: bool) -> float | None:
    """A weight as scales send it, in kg; whole grams where its steps are such."""
    if steps is None:
        return None
    return steps * KG_PER_IMPERIAL_STEP if imperial else round(steps * KG_PER_STEP, 3)


def known_user(user: int | None) -> int | None:
    """The user's number, None where the scale knows nobody or does not tell."""
    return None if user == _UNKNOWN_USER else user
