"""Current Time Service 1.1 (Bluetooth SIG, CTS v11): reading a wearable's clock, and setting it.

A wearable that may be set takes the same octets written that it tells; that is a write and no subscription, so that
this module offers the octets but no profile.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntFlag
from typing import Final, NamedTuple

from edge.wearables.fields import DateTime, Fields, bytes_of
from edge.wearables.profile import assigned_uuid

SERVICE: Final = assigned_uuid(0x1805)
CURRENT_TIME: Final = assigned_uuid(0x2A2B)
LOCAL_TIME: Final = assigned_uuid(0x2A0F)

# Day of Week (0x2A09): Monday is 1, Sunday 7, and 0 is not known.
_DAYS: Final = 7
# Time Zone (0x2A0E): quarters of an hour from UTC, -48..56, and -128 where it is not known.
ZONE_UNKNOWN: Final = -128
_ZONES: Final = range(-48, 57)
# DST Offset (0x2A0D) in quarters of an hour; 255 is not known, other numbers are reserved.
DST_UNKNOWN: Final = 255
_DST: Final = (0, 2, 4, 8, DST_UNKNOWN)


class Adjusted(IntFlag):
    """Why the clock was last adjusted: Current Time Service 1.1, 3.1; other bits are reserved, and kept as sent."""

    MANUALLY = 1 << 0
    BY_REFERENCE = 1 << 1
    ZONE_CHANGED = 1 << 2
    DST_CHANGED = 1 << 3


class CurrentTime(NamedTuple):
    """A clock as sent (Current Time, 0x2A2B): local time, day of the week 1..7 or 0 unknown, fraction in 1/256 s."""

    time: DateTime
    day_of_week: int = 0
    fraction: int = 0
    adjusted: Adjusted = Adjusted(0)


class LocalTime(NamedTuple):
    """The clock's zone as sent (Local Time Information, 0x2A0F), in quarters of an hour; see ZONE_UNKNOWN."""

    zone: int
    dst: int

    def utc_offset_s(self) -> float | None:
        """Seconds that local time is ahead of UTC, None where that is not known."""
        return utc_offset_s(self.zone, self.dst)


def utc_offset_s(zone: int, dst: int) -> float | None:
    """Seconds that local time is ahead of UTC by a Time Zone and a DST Offset; None where one is not known."""
    if zone == ZONE_UNKNOWN or dst == DST_UNKNOWN:
        return None
    return (zone + dst) * 900.0


def check_zone(fields: Fields, zone: int, dst: int) -> None:
    """Refuse a time zone and a DST offset that are reserved."""
    if zone != ZONE_UNKNOWN and zone not in _ZONES:
        raise fields.malformed(f"its time zone {zone} is reserved")
    if dst not in _DST:
        raise fields.malformed(f"its DST offset {dst} is reserved")


def clock_at(local: datetime, adjusted: Adjusted = Adjusted.BY_REFERENCE) -> CurrentTime:
    """The clock to be set when it is `local` time where the person lives."""
    stamp = DateTime(local.year, local.month, local.day, local.hour, local.minute, local.second)
    return CurrentTime(stamp, local.isoweekday(), local.microsecond * 256 // 1_000_000, adjusted)


def decode(payload: bytes) -> CurrentTime:
    """Fields of Current Time (Current Time Service 1.1, 3.1). Raises DecodeError for what is no clock."""
    fields = Fields(payload, "Current Time (0x2A2B)")
    found = CurrentTime(
        fields.date_time("time"),
        fields.uint(1, "day of the week"),
        fields.uint(1, "fraction"),
        Adjusted(fields.uint(1, "adjust reason")),
    )
    fields.end()
    if found.day_of_week > _DAYS:
        raise fields.malformed(f"its day of the week is {found.day_of_week}")
    return found


def encode(clock: CurrentTime) -> bytes:
    """The octets of `clock`: decode(encode(c)) == c. Raises OverflowError for numbers that do not fit."""
    return clock.time.encode() + bytes_of(clock.day_of_week, clock.fraction, clock.adjusted)


def decode_local_time(payload: bytes) -> LocalTime:
    """Fields of Local Time Information (Current Time Service 1.1, 3.2). Raises DecodeError for reserved numbers."""
    fields = Fields(payload, "Local Time Information (0x2A0F)")
    found = LocalTime(fields.sint(1, "time zone"), fields.uint(1, "DST offset"))
    fields.end()
    check_zone(fields, *found)
    return found


def encode_local_time(local: LocalTime) -> bytes:
    """The octets of `local`. Raises OverflowError for numbers that do not fit."""
    return local.zone.to_bytes(1, "little", signed=True) + bytes_of(local.dst)
