"""What rules about vital signs look at: one value a minute of a stream, each value of what is measured now and then.

Pure. Samples that say nothing of a person make no point, and neither does a minute without any: what is missing is
never normal.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from edge.readings import UNSOUND, Channel, Quality, Reading

# Sent once a second or so while the wearable is worn: a minute's median is one point.
STREAMS: Final = frozenset({Channel.HEART_RATE, Channel.SPO2})
# How much time a point speaks for after a silence, in seconds. Most glucose sensors send every five minutes, and now
# and then one of their readings comes a little late; what is measured by hand speaks for its moment. Our choice.
SPAN_S: Final[Mapping[Channel, float]] = MappingProxyType(
    {Channel.HEART_RATE: 60.0, Channel.SPO2: 60.0, Channel.GLUCOSE: 330.0}
)
# So long after the value before, in seconds, there was no silence: some sensors send every quarter of an hour (see
# signals.glucose), and each of their readings speaks for all of it. Our choice.
PACE_S: Final[Mapping[Channel, float]] = MappingProxyType({Channel.GLUCOSE: 960.0})
# After so long a value tells nothing of now, in seconds: as for risks (see risk_watch), and for what is measured by
# hand as for NEWS2 (see vitals). A cuff or a meter is often read out some minutes later. Our choice.
STALE_S: Final[Mapping[Channel, float]] = MappingProxyType(
    {Channel.HEART_RATE: 120.0, Channel.SPO2: 120.0, Channel.GLUCOSE: 900.0}
)
SPOT_STALE_S: Final = 3600.0
# Values that lie no further apart are one that is told again, since the store keeps times in ticks. Our choice: nobody
# measures twice in a second by hand.
SAME_S: Final = 1.0
# A record of which nobody knows when it was made says nothing of now.
_BAD: Final = UNSOUND | Quality.TIME_UNSURE
_MINUTE_S: Final = 60.0

# Rest is known only from an accelerometer: two samples of it, a packet apart, differ by less than this, in mg. A vector
# strays by 5 to 20 mg in sleepers and by more than 100 mg in people who walk (measured in SisFall and UMAFall, see
# signals.fall). Our choice.
MOVEMENT_MG: Final = 100.0
# Our choice: so much of the time somebody at rest may move, and so long a heart takes to calm down after a walk, s.
MOST_MOVEMENT: Final = 0.1
CALM_S: Final = 300.0
# With less than this of its time seen, whether somebody rests is not known. Our choice.
_LEAST_SEEN_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Point:
    """A value in its channel's unit as of `at` (s since 1970 UTC); it speaks for the `span_s` before, at most."""

    at: float
    value: float
    span_s: float
    resting: bool | None = None


def stale_s(channel: Channel) -> float:
    """After how many seconds a value of a channel tells nothing of now."""
    return STALE_S.get(channel, SPOT_STALE_S)


class Rest:
    """Whether somebody has been at rest lately, as accelerations tell; None where they do not."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, tuple[float, ...]]] = {}
        self._seen: dict[int, list[int]] = {}

    def push(self, reading: Reading) -> None:
        """Take a Reading of accelerations: its first sample beside that of the packet before."""
        if reading.quality & UNSOUND or len(reading.values) < 3:
            return
        now, vector = reading.start, reading.values[:3]
        before = self._last.get(reading.device)
        self._last[reading.device] = (now, vector)
        if before is None or not 0.0 < now - before[0] < 10.0:
            return
        moved = math.dist(vector, before[1]) > MOVEMENT_MG
        counts = self._seen.setdefault(int(now // _MINUTE_S), [0, 0])
        counts[0] += 1
        counts[1] += moved
        for minute in [minute for minute in self._seen if abs(now - minute * _MINUTE_S) > 2 * CALM_S]:
            del self._seen[minute]

    def at(self, moment: float) -> bool | None:
        """Whether the CALM_S before `moment` were restful."""
        last = int(moment // _MINUTE_S)
        minutes = [self._seen.get(last - back) for back in range(int(CALM_S // _MINUTE_S))]
        seen = [counts for counts in minutes if counts is not None]
        if len(seen) * _MINUTE_S < _LEAST_SEEN_S:
            return None
        return all(moved <= MOST_MOVEMENT * count for count, moved in seen)


@dataclass(slots=True)
class _Minute:
    number: int
    values: list[float] = field(default_factory=list)


class Points:
    """The points of one channel, in the order of time; what comes out of order makes none."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._minute: _Minute | None = None
        self._newest = -math.inf

    def push(self, reading: Reading, now: float) -> list[Point]:
        """The points that a Reading completes, as of `now`."""
        if self._newest > now + 2 * _MINUTE_S:
            # The clock was set back: what lies ahead was of another time.
            self._minute, self._newest = None, -math.inf
        if reading.quality & _BAD or not reading.values:
            return []
        if self._channel not in STREAMS:
            return self._single(reading)
        points = []
        step = reading.interval_s or 0.0
        for place, value in enumerate(reading.values):
            points += self._add(reading.start + place * step, value)
        return points

    def _single(self, reading: Reading) -> list[Point]:
        points = []
        step = reading.interval_s or 0.0
        for place, value in enumerate(reading.values):
            at = reading.start + place * step
            if at > self._newest + SAME_S:
                points.append(Point(at, value, self._span_s(at - self._newest)))
                self._newest = at
        return points

    def _span_s(self, since_last: float) -> float:
        if since_last <= PACE_S.get(self._channel, 0.0):
            return since_last
        return min(SPAN_S.get(self._channel, 0.0), since_last)

    def _add(self, at: float, value: float) -> list[Point]:
        number = int(at // _MINUTE_S)
        minute = self._minute
        if minute is not None and number < minute.number:
            return []
        if minute is None or number > minute.number:
            self._minute = _Minute(number, [value])
            self._newest = at
            return [] if minute is None else [_closed(minute)]
        minute.values.append(value)
        return []


def _closed(minute: _Minute) -> Point:
    return Point((minute.number + 1) * _MINUTE_S, statistics.median(minute.values), _MINUTE_S)
