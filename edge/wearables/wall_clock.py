"""A wearable's calendar clock, that shows date and time of day, on ours: when was what it stamps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from edge.readings import Quality
from edge.wearables.fields import DateTime

# Our choice: clocks of household devices are off by minutes, and what was measured a quarter of an hour ago still tells
# of now.
CLOCK_TOLERANCE_S: Final = 900.0
# A stamp that is older, by a clock that nobody has compared with ours, is of a stored record if no older than this;
# a clock that has lost power begins years ago. Our choice: for as long signals are kept where nobody sets it.
PLAUSIBLE_PAST_S: Final = 90 * 86_400.0
# By a clock that is known. Our choice: 1000 records, which is what meters hold, are used up before.
KNOWN_PAST_S: Final = 730 * 86_400.0
# A clock that was read is known to the second, so that what it stamps comes no more than this before its time.
EARLY_S: Final = 60.0
# A clock that is further off was not set since it stamped, or it would be right: it knows nothing of summer time, and
# runs on by that of then. Our choice, twice what clocks are left at where they may be set.
NOT_SET_S: Final = 60.0


@dataclass(slots=True)
class WallClock:
    """How far a wearable's wall clock is ahead of ours, in seconds; one for all of a wearable's sessions.

    `ahead_s` is what was read from it, None where it cannot be read; `before_s` what it was before it was set on this
    connection. `seen_s` is by how much the newest stamp that cannot be an old record's was ahead.
    """

    ahead_s: float | None = None
    before_s: float | None = None
    seen_s: float | None = None

    @property
    def off_s(self) -> float | None:
        """The best that is known of how far the clock is ahead."""
        return self.seen_s if self.ahead_s is None else self.ahead_s

    def place(self, stamp: DateTime, received_at: float) -> tuple[float, Quality]:
        """When a measurement was made, in seconds since 1970, and TIME_UNSURE where that is a guess.

        A stamp is of the house's local time, hence this machine's time zone. Without a day it says nothing, and the
        measurement is of now; so is, unsure, one that a wrong clock must have stamped: nobody knows when it was made,
        and that it was made must not be lost.
        """
        told = stamp.as_datetime()
        if told is None:
            return received_at, Quality.GOOD
        try:
            shown, later_s = told.timestamp(), _set_back_s(told, received_at)
        except (OverflowError, ValueError, OSError):
            return received_at, Quality.TIME_UNSURE
        if self.ahead_s is None:
            return self._guess(shown, received_at)
        is_new = self.before_s is None or abs(shown - self.ahead_s - received_at) <= CLOCK_TOLERANCE_S
        ahead = self.ahead_s if is_new or self.before_s is None else self.before_s
        at = shown - ahead + (later_s if abs(ahead) > NOT_SET_S else 0.0)
        if -EARLY_S <= received_at - at <= KNOWN_PAST_S:
            return min(at, received_at), Quality.GOOD
        return received_at, Quality.TIME_UNSURE

    def _guess(self, shown: float, received_at: float) -> tuple[float, Quality]:
        age = received_at - shown
        if age <= CLOCK_TOLERANCE_S:
            self.seen_s = -age
        if abs(age) <= CLOCK_TOLERANCE_S:
            return min(shown, received_at), Quality.GOOD
        return (shown if 0.0 < age <= PLAUSIBLE_PAST_S else received_at), Quality.TIME_UNSURE


def _set_back_s(then: datetime, now: float) -> float:
    """By how many seconds the house's clocks were set back from a local time to `now`: an hour after the summer."""
    before, after = then.astimezone().utcoffset(), datetime.fromtimestamp(now, UTC).astimezone().utcoffset()
    return 0.0 if before is None or after is None else (before - after).total_seconds()
