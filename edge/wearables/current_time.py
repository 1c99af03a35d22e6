"""Current Time Service 1.1 (Bluetooth SIG, CTS v11): reading a wearable's clock, and setting it.

A wearable that may be set takes the same octets written that it tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import IntFlag
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from edge.errors import RefusedError
from edge.readings import Reading, Source
from edge.wearables.fields import DateTime, Fields, bytes_of
from edge.wearables.procedure import Pause, Procedure, Write
from edge.wearables.profile import Profile, Session, StatelessSession, assigned_uuid
from edge.wearables.wall_clock import WallClock

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

# What a wearable answers that has set its time, though not every field: Current Time Service 1.1; so does Apache
# NimBLE (ble_svc_cts.c).
_FIELD_IGNORED: Final = 0x80
# Our choice: reading takes up to a second or two, so that a smaller difference is none, nor a change of it; and a clock
# that is half a minute off is set, so that no watch is set at every connecting.
EXACT_S: Final = 5.0
SET_BEYOND_S: Final = 30.0
# What is still to be told of before, such as a cuff's stored values, is stamped by the clock as it was. Our choice.
SETTLE_S: Final = 3.0


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


class CurrentTimeService(Profile):
    """Current Time Service 1.1: no Readings, but what the wearable's wall clock shows; it is set where it may be."""

    name: ClassVar[str] = "current_time"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (CURRENT_TIME,)
    read: ClassVar[tuple[str, ...]] = (CURRENT_TIME,)
    turn: ClassVar[int] = 1

    def session(self, source: Source, memory: Mapping[str, float], clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return CurrentTimeSession(self, source, memory, WallClock() if clock is None else clock)


class CurrentTimeSession(StatelessSession):
    """Compares the wearable's clock with ours after every connecting, and sets it where it is off and may be set.

    Its memory is `ahead_s`, so that what is stamped by a clock that stays as it is lands on the same second again.
    """

    def __init__(self, profile: Profile, source: Source, memory: Mapping[str, float], clock: WallClock) -> None:
        super().__init__(profile, source)
        self._clock = clock
        self._memory = memory
        self._is_known = False

    def opening(self, _now: float, present: Collection[str], /) -> Procedure | None:
        """See Session."""
        ahead = self._clock.ahead_s
        is_off = ahead is None or abs(ahead) > SET_BEYOND_S
        return self._set() if CURRENT_TIME in present and is_off else None

    def readings(self, _characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. None, but what is read of the clock is noted."""
        clock = decode(payload)
        local = clock.time.as_datetime()
        self._is_known = local is not None
        if local is not None:
            try:
                self._note(local.timestamp() + clock.fraction / 256.0 - received_at)
            except (OverflowError, ValueError, OSError):
                self._is_known = False
        if not self._is_known:
            self._clock.ahead_s = None
        return ()

    def facts(self, _characteristic: str, _payload: bytes, /) -> dict[str, str]:
        """See Session. Whether the clock can be believed."""
        ahead = self._clock.ahead_s
        if ahead is None:
            return {"clock": "not set"}
        if abs(ahead) <= SET_BEYOND_S:
            return {"clock": "right"}
        return {"clock": f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"}

    def lost(self) -> tuple[Reading, ...]:
        """See Session."""
        self._clock.before_s = None
        return ()

    @property
    def memory(self) -> Mapping[str, float]:
        """See Session."""
        return self._memory

    def _set(self) -> Procedure:
        yield Pause(SETTLE_S)
        # A wearable may notify its new time before it confirms the write.
        before = self._clock.ahead_s
        try:
            yield Write(CURRENT_TIME, lambda now: encode(clock_at(datetime.fromtimestamp(now, UTC).astimezone())))
        except RefusedError as error:
            if error.code != _FIELD_IGNORED:
                raise
        self._clock.before_s = before
        self._note(0.0)

    def _note(self, ahead_s: float) -> None:
        remembered = self._memory.get("ahead_s")
        if abs(ahead_s) < EXACT_S:
            ahead_s = 0.0
        elif remembered is not None and abs(ahead_s - remembered) < EXACT_S:
            ahead_s = remembered
        self._clock.ahead_s = ahead_s
        if ahead_s != remembered:
            self._memory = MappingProxyType({"ahead_s": ahead_s})


PROFILE: Final = CurrentTimeService()
