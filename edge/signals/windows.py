"""RR intervals to Windows: so many beats each, a new one every few beats, and no silence where beats are missing."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge.readings import UNSOUND, Quality, Reading, Risk, Window
from edge.signals.artefacts import mark_artefacts

# Our choice: no Window spans more than this without a beat. It is longer than the loss of a few packets and than a
# pause that leaves its person standing, and short against the minute that 60 beats take.
MAXIMUM_GAP_S: Final = 10.0
# Our choice: stamps that come back from a store may be rounded, and no two beats are closer than 200 ms.
SAME_BEAT_S: Final = 0.1
BAD: Final = UNSOUND


class RrWindows:
    """Windows of `beats` consecutive RR intervals of one person, a new one every `step` beats.

    After more than MAXIMUM_GAP_S without a beat a new run of beats begins, and the time between the last Window's end
    and the new run becomes one Window of fewer beats, which no model can judge: time without evidence is told, not
    passed over. A shorter gap stays inside its Window and lowers the coverage, as do artefacts and bad samples.

    After a restart give the end of the last Window as `last_end` and push the stored readings again, from that Window's
    start on: the Windows that follow are those that would have followed without the restart, and none comes twice. Each
    has with it up to `earlier` intervals of its run before its own, as far as they were pushed.
    """

    def __init__(
        self, person: str, risk: Risk, *, beats: int, step: int, earlier: int = 0, last_end: float | None = None
    ) -> None:
        self.person = person
        self.risk = risk
        self.beats = beats
        self.step = step
        self.earlier = earlier
        self._last_end = -np.inf if last_end is None else last_end
        self._told_until = 0.0  # end of the last Window, or begin of the run
        self._beat: float | None = None  # time of the last beat
        self._untold = 0  # intervals since _told_until
        self._missing = beats  # intervals that the next Window lacks
        self._begins: list[float] = []
        self._rr_ms: list[float] = []
        self._bad: list[bool] = []

    def push(self, reading: Reading) -> list[Window]:
        """Take the next RR intervals, in the order of time; return the Windows that they complete."""
        windows: list[Window] = []
        # Arithmetic of flags is slow, and nearly every reading is good.
        bad = reading.quality is not Quality.GOOD and bool(reading.quality & BAD)
        time = reading.start
        if reading.values:
            self._carry_on(time, windows)
        for rr_ms in reading.values:
            begin, time = time, time + rr_ms / 1000.0
            if time - begin > MAXIMUM_GAP_S:
                self._carry_on(time, windows)
                continue
            self._begins.append(begin)
            self._rr_ms.append(rr_ms)
            self._bad.append(bad)
            self._beat = time
            self._untold += 1
            self._missing -= 1
            if self._missing == 0 or -SAME_BEAT_S < time - self._last_end < SAME_BEAT_S:
                self._complete(time, windows)
        return windows

    def finish(self) -> list[Window]:
        """None: every Window is told with the beat that completes it."""
        return []

    def _carry_on(self, time: float, windows: list[Window]) -> None:
        """Go on at the beat at `time`: within the run, or in a new one when too much is missing in between."""
        gap = 0.0 if self._beat is None else time - self._beat
        if self._beat is not None and abs(gap) <= MAXIMUM_GAP_S:
            return
        if gap < 0.0:
            self._last_end = -np.inf  # the clock was set back: nothing from now on was told before
        elif gap > 0.0 and time > self._last_end + SAME_BEAT_S:
            windows.append(self._window(self._told_until, time, self._untold))
        for samples in (self._begins, self._rr_ms, self._bad):
            samples.clear()
        self._told_until = self._beat = time
        self._untold, self._missing = 0, self.beats

    def _complete(self, end: float, windows: list[Window]) -> None:
        """Tell the Window that ends with this beat, unless it was told before a restart, and aim at the next."""
        if end >= self._last_end + SAME_BEAT_S:
            windows.append(self._window(self._begins[-self.beats], end, self.beats))
        self._told_until = end
        self._untold, self._missing = 0, max(self.step, self.beats - len(self._rr_ms))
        for samples in (self._begins, self._rr_ms, self._bad):
            del samples[: -self.beats - self.earlier]

    def _window(self, start: float, end: float, count: int) -> Window:
        """The Window of the last `count` intervals."""
        first = len(self._rr_ms) - count
        values, earlier = np.array(self._rr_ms[first:]), np.array(self._rr_ms[max(0, first - self.earlier) : first])
        marks = np.array(self._bad[first:], dtype=np.bool_) | mark_artefacts(values)
        good_s = float(values[~marks].sum()) / 1000.0
        coverage = min(1.0, good_s / (end - start)) if end > start else 0.0
        return Window(self.person, self.risk, start, end, values, marks, coverage, earlier)
