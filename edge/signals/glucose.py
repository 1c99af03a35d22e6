"""Glucose from a continuous sensor: its readings back from a store, what of them to believe, and Windows of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, UNSOUND, Channel, Quality, Reading, Risk, Source, Window

# The pace of most sensors (Dexcom G6, Medtronic Guardian 4) and of a Window's samples, whatever the sensor's own.
PACE_S: Final = 300.0
# Between two readings no further apart than this the values are interpolated. Our choice: a sensor that is read every
# quarter of an hour (FreeStyle Libre) is up to 16 minutes apart, and one of 5 minutes may lose three in a row.
MAXIMUM_GAP_S: Final = 1230.0
# A change of more than this much at once, and this much for each minute, is no glucose: 441 of 1.5 million steps in 70
# people with type 1 diabetes, nearly all of them new or knocked sensors. Our choice: true changes of glucose stay below
# 4 mg/dL a minute nearly always (Dunn et al., Med Eng Phys 30, 2008), and a sensor's own corrections come on top.
JUMP_MG_DL: Final = 40.0
JUMP_MG_DL_PER_MIN: Final = 8.0
# A reading so much before its time is in time. Our choice: sensors are some seconds early or late, and one that is read
# every minute or two is to be judged no more often than the others.
EARLY_S: Final = 45.0
# Stamps that come back from a store may be rounded.
SAME_READING_S: Final = 0.1
BAD: Final = UNSOUND


def readings_of(
    source: Source, times: NDArray[np.float64], mg_dl: NDArray[np.float64], quality: NDArray[np.uint8] | None = None
) -> Iterator[Reading]:
    """One Reading for each value of `mg_dl` (mg/dL) at `times` (s, increasing), all of the shape (readings,).

    `quality` holds flags of Quality; without it, what lies outside the channel's range is marked so.
    """
    facts = CHANNELS[Channel.GLUCOSE]
    if quality is None:
        outside = (mg_dl < facts.low) | (mg_dl > facts.high)
        quality = np.where(outside, Quality.OUT_OF_RANGE, Quality.GOOD).astype(np.uint8)
    for time, value, flags in zip(times.tolist(), mg_dl.tolist(), quality.tolist(), strict=True):
        yield Reading(
            person=source.person,
            device=source.device,
            channel=Channel.GLUCOSE,
            unit=facts.unit,
            start=time,
            received_at=time,
            values=(value,),
            quality=Quality(flags),
        )


def plausible_step(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Whether glucose can have gone from one (time in s, mg/dL) to the other."""
    minutes = abs(after[0] - before[0]) / 60.0
    return abs(after[1] - before[1]) <= JUMP_MG_DL + JUMP_MG_DL_PER_MIN * minutes


class Belief:
    """Which readings of a sensor are believed, one after the other.

    One that lies an impossible step from the last believed one is held back until the reading after it agrees with it:
    then a new series begins with the two. So a single wrong value is left out, and of two sensors that are mixed into
    one series the first is followed.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.mg_dl: list[float] = []
        self._doubted: tuple[float, float] | None = None

    def hear(self, time: float, mg_dl: float) -> bool:
        """Take the next reading, later than all before; whether it is believed."""
        new, doubted, self._doubted = (time, mg_dl), self._doubted, None
        if self.times:
            last = (self.times[-1], self.mg_dl[-1])
            # Minutes later nearly any step is plausible, so the doubted one is asked first, if it is the nearer.
            nearer = doubted is not None and abs(mg_dl - doubted[1]) < abs(mg_dl - last[1])
            if doubted is not None and plausible_step(doubted, new) and (nearer or not plausible_step(last, new)):
                self.times, self.mg_dl = [doubted[0]], [doubted[1]]
            elif not plausible_step(last, new):
                self._doubted = new
                return False
        self.times.append(time)
        self.mg_dl.append(mg_dl)
        return True

    def forget(self, until: float) -> None:
        """Drop what was heard at `until` or before, once it is much."""
        if len(self.times) > 1 and self.times[len(self.times) // 2] <= until:
            kept = next((place for place, time in enumerate(self.times) if time > until), len(self.times) - 1)
            del self.times[:kept], self.mg_dl[:kept]

    def restart(self) -> None:
        """Begin anew."""
        self.times, self.mg_dl, self._doubted = [], [], None


def on_grid(
    times: NDArray[np.float64], mg_dl: NDArray[np.float64], ends: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    """Glucose (mg/dL) at `length` times PACE_S apart up to each of `ends`: shape (ends, length), NaN where unknown.

    `times` (s, increasing, at least one) and `mg_dl` are of the shape (readings,). A value stands between two readings
    at most MAXIMUM_GAP_S apart, on the straight line from one to the other, or on a reading itself; never before the
    first nor after the last of the readings in start < time <= end, where start is end - length * PACE_S.
    """
    last = ends[:, np.newaxis]
    asked = last - PACE_S * np.arange(length - 1, -1, -1)
    after = np.minimum(np.searchsorted(times, asked), len(times) - 1)
    before = np.maximum(after - 1, 0)
    gap = times[after] - times[before]
    share = (asked - times[before]) / np.where(gap > 0.0, gap, 1.0)
    line = mg_dl[before] + share * (mg_dl[after] - mg_dl[before])
    start = last - length * PACE_S
    between = (share >= 0.0) & (share <= 1.0) & (gap > 0.0) & (gap <= MAXIMUM_GAP_S)
    between &= (times[before] > start) & (times[after] <= last)
    values = np.where(between, line, np.nan)
    for near in (before, after):
        values = np.where(np.abs(times[near] - asked) < SAME_READING_S, mg_dl[near], values)
    return values


class GlucoseWindows:
    """Windows of `length` values PACE_S apart that end with a reading, a new one after every `step` * PACE_S.

    Values are NaN, and marked, where no reading is near (see on_grid) or the newest one is not believed; so a Window
    that ends with a reading out of range, or off the body, tells that. Readings of the same time count once. Where time
    goes back, the clock was set, and a new series begins.

    After a restart give the end of the last Window as `last_end` and push the stored readings again, from that Window's
    start on: the Windows that follow are those that would have followed without the restart, and none comes twice (but
    of two mixed sensors the other may be followed then).
    """

    def __init__(self, person: str, risk: Risk, *, length: int, step: int, last_end: float | None = None) -> None:
        self.person = person
        self.risk = risk
        self.length = length
        self._pause = step * PACE_S - EARLY_S
        self._last_end = -np.inf if last_end is None else last_end
        self._heard = -np.inf
        self._belief = Belief()

    def push(self, reading: Reading) -> list[Window]:
        """Take the next reading, in the order of time; return the Window that it completes, if it does."""
        windows = []
        good = not reading.quality & BAD
        for value in reading.values:
            time = reading.start
            if abs(time - self._heard) < SAME_READING_S:
                continue
            if time < self._heard:
                self._belief.restart()
                self._last_end = -np.inf
            self._heard = time
            believed = good and self._belief.hear(time, value)
            if time - self._last_end >= self._pause:
                self._last_end = time
                windows.append(self._window(time, believed=believed))
        return windows

    def finish(self) -> list[Window]:
        """None: every Window is told with the reading that completes it."""
        return []

    def _window(self, end: float, *, believed: bool) -> Window:
        start = end - self.length * PACE_S
        self._belief.forget(start)
        values = np.full(self.length, np.nan)
        if self._belief.times:
            times, mg_dl = np.array(self._belief.times), np.array(self._belief.mg_dl)
            values = on_grid(times, mg_dl, np.array([end]), self.length)[0]
        if not believed:
            values[-1] = np.nan
        marks = np.isnan(values)
        return Window(self.person, self.risk, start, end, values, marks, float(1.0 - marks.mean()))
