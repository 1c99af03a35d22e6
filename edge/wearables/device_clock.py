"""A wearable's running clock on ours: when was what it stamps.

A packet that says "t on my clock" reaches us some time after t, never before. So our time less the wearable's, over
many packets, is the true offset plus a delay of nought or more, and the offset is the lower edge of what is seen. The
edge is a straight line that rises or falls by what the two crystals differ: of all lines below every point, the one
nearest to them, which is an edge of their lower convex hull (Zhang, Liu and Xia, "Clock synchronization algorithms for
network measurements", INFOCOM 2002). Late packets, and those bunched behind them, lie above and change nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

# One point is kept of so many seconds, and points for so long: jitter of 20 ms over half an hour is 11 millionths.
# Our choice.
POINT_S: Final = 30.0
WINDOW_S: Final = 1800.0
# Over a shorter span than this the points tell more of jitter than of drift. Our choice.
DRIFT_SPAN_S: Final = 600.0
# Two crystals of +-50 ppm, a usual tolerance, differ by up to 100; twice that is no crystal.
MOST_DRIFT: Final = 2e-4
# What is told follows the line by at most this share of the time that passes, so that neighbouring packets stay
# neighbours: half a millisecond in a packet of half a second. An error beyond JUMP_S is mended at once. Our choice.
SLEW: Final = 1e-3
JUMP_S: Final = 0.25
# A packet later than LATE_S is late, or a clock was set. All of them late for longer than any connection can be mute
# without being lost, 32 s (supervision timeout; Core Specification 5.4, volume 4, part E, 7.8.12): a clock was set. So
# it was where a packet is later than LEAP_S, or earlier than can be by more than LATE_S. Our choice of numbers.
LATE_S: Final = 1.0
LATE_FOR_S: Final = 40.0
LEAP_S: Final = 120.0


class _Point(NamedTuple):
    """The wearable's time, and by how much ours is ahead of it, in seconds."""

    ticks: float
    ahead: float


class DeviceClock:
    """Maps one wearable's running clock to ours; pure, fed by `hear` in the order of arrival.

    Times of the wearable are seconds since whatever its clock counts from; ours are seconds since 1970. `drift` is by
    what share ours runs faster, as an earlier DeviceClock of the same wearable has found out.
    """

    def __init__(self, drift: float = 0.0) -> None:
        self.drift = max(-MOST_DRIFT, min(MOST_DRIFT, drift))
        self._points: deque[_Point] = deque()
        self._point_at = 0.0  # when the time of the last of them began
        self._begin = 0.0  # where the time axis of the line begins; near, so that nothing is lost to rounding
        self._edge = 0.0  # the line at _begin
        self._told = 0.0  # what is told to be ahead, at _told_at
        self._told_at = 0.0
        self._late_since: float | None = None  # our time at which everything began to be late
        self._late_least = 0.0

    def hear(self, ticks: float, received_at: float) -> bool:
        """Take that what the wearable stamps `ticks` came at `received_at`.

        True where times before and after do not belong together: at first, and when either clock was set.
        """
        ahead = received_at - ticks
        if not self._points:
            self._start(ticks, ahead)
            return True
        late = ahead - self._line(ticks)
        if late > LEAP_S or late < -LATE_S:
            self._start(ticks, ahead)
            return True
        if self._is_step(late, ahead, received_at):
            self._start(ticks, self._late_least)
            return True
        self._add(_Point(ticks, ahead))
        return self._follow(ticks)

    def at(self, ticks: float) -> float:
        """Our time of a moment on the wearable's clock, near the latest that was heard of."""
        return ticks + self._told + self.drift * (ticks - self._told_at)

    def _start(self, ticks: float, ahead: float) -> None:
        self._points, self._point_at = deque([_Point(ticks, ahead)]), ticks
        self._begin, self._edge = ticks, ahead
        self._told, self._told_at = ahead, ticks
        self._late_since = None

    def _line(self, ticks: float) -> float:
        return self._edge + self.drift * (ticks - self._begin)

    def _is_step(self, late: float, ahead: float, received_at: float) -> bool:
        if late <= LATE_S:
            self._late_since = None
            return False
        if self._late_since is None:
            self._late_since, self._late_least = received_at, ahead
        self._late_least = min(self._late_least, ahead)
        return received_at - self._late_since >= LATE_FOR_S

    def _add(self, point: _Point) -> None:
        """Keep the lowest point of each POINT_S, and lower the line to it; with a new one, look at the drift again."""
        last = self._points[-1]
        if point.ticks >= self._point_at + POINT_S:
            self._points.append(point)
            self._point_at = point.ticks
            while point.ticks - self._points[0].ticks > WINDOW_S:
                self._points.popleft()
            self._fit()
        elif point.ticks >= self._point_at and point.ahead - last.ahead < self.drift * (point.ticks - last.ticks):
            self._points[-1] = point
        self._edge = min(self._edge, point.ahead - self.drift * (point.ticks - self._begin))

    def _fit(self) -> None:
        self._begin = self._points[-1].ticks
        if self._begin - self._points[0].ticks >= DRIFT_SPAN_S:
            self.drift = max(-MOST_DRIFT, min(MOST_DRIFT, _lower_slope(self._points)))
        self._edge = min(point.ahead - self.drift * (point.ticks - self._begin) for point in self._points)

    def _follow(self, ticks: float) -> bool:
        passed = max(0.0, ticks - self._told_at)
        told = self._told + self.drift * passed
        error = self._line(self._told_at + passed) - told
        jump = abs(error) > JUMP_S
        most = abs(error) if jump else SLEW * passed
        self._told = told + max(-most, min(most, error))
        self._told_at += passed
        return jump


def _lower_slope(points: Sequence[_Point]) -> float:
    """Slope of that edge of the points' lower convex hull which spans their mean time; points in the order of time."""
    hull: list[_Point] = []
    for point in points:
        while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    mean = sum(point.ticks for point in points) / len(points)
    for before, after in pairwise(hull):
        if after.ticks >= mean:
            return (after.ahead - before.ahead) / (after.ticks - before.ticks)
    return 0.0


def _turns_down(first: _Point, second: _Point, third: _Point) -> bool:
    """Whether the second point lies on or above the line from the first to the third."""
    rise = (third.ahead - first.ahead) * (second.ticks - first.ticks)
    return (second.ahead - first.ahead) * (third.ticks - first.ticks) >= rise
