"""RR intervals to Windows for what takes minutes: even steps of two seconds, and a Window at every whole minute."""

from __future__ import annotations

import math
from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import UNSOUND, Quality, Reading, Risk, Window
from edge.signals.artefacts import mark_artefacts

# The heart rate's own swings that are looked at take 10 s and longer; a step of 2 s holds at least one beat from 30 bpm
# on. Our choice.
STEP_S: Final = 2.0
# Beats that come this much too early or late are ectopic, or the detector's faults: over 30 % off the median of the 11
# around them. Sleep apnoea moves the heart rate by as much, but over ten beats and more. Our choice.
NEIGHBOURHOOD: Final = 11
STRAY: Final = 0.3
# So many beats from the begin or the end of a stretch, what says of a beat whether it is faulty does not depend on
# where the stretch begins or ends: half of either neighbourhood, and its predecessor's, and one more.
SETTLED: Final = NEIGHBOURHOOD // 2 + 2
# A beat and the one before it follow each other when no more than this is missing in between: below the shortest RR
# interval, above the rounding of any usual recording. Our choice.
SAME_RUN_S: Final = 0.15
# Minutes without a beat are told one by one up to so many, then in one Window. Our choice.
LONGEST_SILENCE_S: Final = 600.0
# A beat that comes by more than this before the one before it was stamped by a clock that was set back. Our choice.
SET_BACK_S: Final = 10.0
# Our choice: stamps that come back from a store may be rounded, and no two beats are closer than 200 ms.
SAME_BEAT_S: Final = 0.1
BAD: Final = UNSOUND


class HeartMinutes:
    """Windows of `length` steps of STEP_S of one person, ending at the whole multiples of `step` steps of the clock.

    The `values` of a Window, (length, 2), are for each step the mean of the good RR intervals that end in it, and their
    mean change from one beat to the next, both in ms and NaN where there is none; a step without the former is marked.
    Before the first beat all steps are. A Window is told with the first beat after its end, or at a recording's end
    when no other beat was due before it. When no beat comes for LONGEST_SILENCE_S, the time without evidence becomes
    one Window up to the last whole minute before the next beat.

    After a restart give the end of the last Window as `last_end` and push the stored readings again, from that Window's
    start on: the Windows that follow are those that would have followed without the restart, and none comes twice.
    """

    def __init__(self, person: str, risk: Risk, *, length: int, step: int, last_end: float | None = None) -> None:
        self.person = person
        self.risk = risk
        self.length = length
        self.pace_s = step * STEP_S
        self._last_end = -math.inf if last_end is None else last_end
        self._next_end: float | None = None
        self._beat = -math.inf
        self._times = array("d")
        self._rr_ms = array("d")
        self._bad = array("b")
        self._faulty = array("b")  # of the first beats, as many as are settled

    def push(self, reading: Reading) -> list[Window]:
        """Take the next RR intervals, in the order of time; return the Windows that they complete."""
        windows: list[Window] = []
        bad = reading.quality is not Quality.GOOD and bool(reading.quality & BAD)
        time = reading.start
        for rr_ms in reading.values:
            time += rr_ms / 1000.0
            if self._next_end is None or time < self._beat - SET_BACK_S:
                self._begin(time)
            if self._next_end is not None and time > self._next_end:
                self._complete(time, windows)
            self._times.append(time)
            self._rr_ms.append(rr_ms)
            self._bad.append(bad)
            self._beat = time
        return windows

    def finish(self) -> list[Window]:
        """The last minute, when it ends before another beat was due."""
        windows: list[Window] = []
        if self._next_end is not None and self._next_end - self._beat <= self._rr_ms[-1] / 1000.0:
            self._complete(math.nextafter(self._next_end, math.inf), windows)
        return windows

    def _begin(self, time: float) -> None:
        """Begin at the beat at `time`: the first one, or the clock was set back and nothing from now on was told."""
        if self._next_end is not None:
            self._last_end = -math.inf
        for samples in (self._times, self._rr_ms, self._bad, self._faulty):
            del samples[:]
        self._next_end = math.ceil(time / self.pace_s) * self.pace_s

    def _complete(self, time: float, windows: list[Window]) -> None:
        """Tell the Windows that end before the beat at `time`, unless they were told before a restart."""
        assert self._next_end is not None  # noqa: S101 -- see push
        span_s = self.length * STEP_S
        while time > self._next_end:
            untold = self._next_end - self.pace_s
            if self._beat <= untold and time - self._next_end > LONGEST_SILENCE_S:
                self._next_end = (math.ceil(time / self.pace_s) - 1) * self.pace_s
            if self._next_end > self._last_end + SAME_BEAT_S:
                windows.append(self._window(min(untold, self._next_end - span_s), self._next_end))
            self._next_end += self.pace_s
        stale = int(np.searchsorted(np.array(self._times), self._next_end - span_s))
        for samples in (self._times, self._rr_ms, self._bad, self._faulty):
            del samples[:stale]

    def _window(self, start: float, end: float) -> Window:
        times = np.array(self._times)
        first = int(np.count_nonzero(times <= end - self.length * STEP_S))
        rr_ms = np.array(self._rr_ms)
        bad = (self._are_faulty(rr_ms, first) | np.array(self._bad, dtype=np.bool_))[first:]
        rr_ms = rr_ms[first:]
        values = steps(times[first:], rr_ms, bad, end=end, length=self.length)
        coverage = min(1.0, float(rr_ms[~bad].sum()) / 1000.0 / (end - start))
        return Window(self.person, self.risk, start, end, values, np.isnan(values[:, 0]), coverage)

    def _are_faulty(self, rr_ms: NDArray[np.float64], first: int) -> NDArray[np.bool_]:
        """faulty() of the intervals from `first` on, of all that are kept; it looks anew only at those not settled."""
        begin = max(0, len(self._faulty) - SETTLED)
        fresh = faulty(rr_ms[begin:])[len(self._faulty) - begin :]
        marks = np.concatenate((np.array(self._faulty, dtype=np.bool_), fresh))
        self._faulty.extend(marks[len(self._faulty) : max(len(self._faulty), len(marks) - SETTLED)].tolist())
        head = slice(first, first + SETTLED)
        if len(rr_ms) - first < 2 * NEIGHBOURHOOD:
            marks[first:] = faulty(rr_ms[first:])
        else:
            marks[head] = faulty(rr_ms[first : first + 2 * NEIGHBOURHOOD])[:SETTLED]
        return np.asarray(marks, dtype=np.bool_)


def faulty(rr_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the RR intervals, (beats,) in ms, that say nothing of the heart's own pace; marked, never removed.

    They are the detector's faults (see mark_artefacts) and ectopic beats with their pauses (see STRAY).
    """
    marks = mark_artefacts(rr_ms)
    if len(rr_ms) < NEIGHBOURHOOD:
        return marks
    padded = np.pad(rr_ms, NEIGHBOURHOOD // 2, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURHOOD)
    median = np.partition(around, NEIGHBOURHOOD // 2, axis=-1)[:, NEIGHBOURHOOD // 2]
    return np.asarray(marks | (np.abs(rr_ms - median) > STRAY * median), dtype=np.bool_)


def steps(
    times: NDArray[np.float64], rr_ms: NDArray[np.float64], bad: NDArray[np.bool_], *, end: float, length: int
) -> NDArray[np.float64]:
    """Beats at `times` (s), each with the RR interval (ms) that ends there, in `length` steps up to `end`.

    (length, 2): mean of the RR intervals that are not `bad`, and of their absolute changes from beat to beat; NaN where
    a step has none.
    """
    change = np.abs(np.diff(rr_ms, prepend=rr_ms[:1]))
    follows = np.zeros(len(times), dtype=np.bool_)
    follows[1:] = np.abs(np.diff(times) - rr_ms[1:] / 1000.0) <= SAME_RUN_S
    follows[1:] &= ~bad[1:] & ~bad[:-1]
    place = np.ceil((times - end) / STEP_S).astype(np.intp) + length - 1
    inside = (place >= 0) & (place < length)
    found = np.empty((length, 2))
    for column, (kept, values) in enumerate(((inside & ~bad, rr_ms), (inside & follows, change))):
        count = np.bincount(place[kept], minlength=length)
        total = np.bincount(place[kept], values[kept], minlength=length)
        found[:, column] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
