"""Acceleration to Windows around every blow that could be a fall, and one now and then in between."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Reading, Risk, Window
from edge.signals.acceleration import BAD, RATE_HZ, Resampler, Steps

# A blow: the length of the acceleration's vector, averaged over a step, from which on a fall is thought of. Our
# choice: in SisFall and UMAFall the softest of 2,195 falls reaches 1.55 g, and people who walk seldom do.
BLOW_MG: Final = 1500.0
# Of the blows of one fall (knees, hip, hands) only the hardest counts, and those of one person who runs are not all
# looked at. Our choice: the body is down within 1.5 s of the first.
APART_STEPS: Final = round(1.5 * RATE_HZ)
# Our choice, as for RR intervals: longer than the loss of a few packets.
MAXIMUM_GAP_S: Final = 10.0
# What samples fewer than these a second tell of a blow is chance. Our choice: the slowest wearable sends 20, less the
# one or other lost packet.
LOWEST_HZ: Final = 16.0
# Two windows that end within this time are the same. Our choice: half a step, as stored times are rounded.
SAME_END_S: Final = 0.5 / RATE_HZ


class ImpactWindows:
    """Windows of `length` steps (see acceleration) of one person, as soon as the second half after a blow is known.

    A blow stands in the middle, so that what led to it and what followed are seen. Where nothing happens a Window comes
    every `step` steps, so that the sensor's state is told; what lies before the first sample is marked in it. After
    MAXIMUM_GAP_S without usable samples the time since the last Window becomes one without samples, which no model can
    judge.

    After a restart give the end of the last Window as `last_end` and push the stored readings again, from that Window's
    start on: the Windows that follow are those that would have followed without the restart, and none comes twice.
    """

    def __init__(self, person: str, risk: Risk, *, length: int, step: int, last_end: float | None = None) -> None:
        self.person = person
        self.risk = risk
        self.length = length
        self.step = step
        self._before = length // 2
        self._after = length - self._before
        self._last_end = -np.inf if last_end is None else last_end
        self._told_until: float | None = None  # end of the last Window, or begin of the run
        self._resampler = Resampler()
        self._begin(None)

    def push(self, reading: Reading) -> list[Window]:
        """Take the next accelerations, in the order of time; return the Windows that they complete."""
        if not reading.values:
            return []
        if reading.quality & BAD:
            return self._silence(reading.end)
        mg = np.array(reading.values).reshape(-1, 3)
        return self.push_samples(reading.start + np.arange(len(mg)) * (reading.interval_s or 1.0 / RATE_HZ), mg)

    def push_samples(self, times: NDArray[np.float64], mg: NDArray[np.float64]) -> list[Window]:
        """The same for one or more good samples at any `times` (samples,) in s, increasing, and `mg` (samples, 3)."""
        windows = self._carry_on(float(times[0]))
        last = self._resampler.last
        new = times > (-np.inf if last is None else last)
        self._keep(self._resampler.push(times[new], mg[new]))
        return windows + self._complete()

    def _carry_on(self, time: float) -> list[Window]:
        """Go on with the sample at `time`: within the run, or in a new one when too much is missing in between."""
        last = self._resampler.last
        if last is not None and abs(time - last) <= MAXIMUM_GAP_S:
            return []
        windows = self._silence(time) if last is not None else []
        if last is not None and time < last:
            self._last_end = -np.inf  # the clock was set back: nothing from now on was told before
        self._resampler.restart()
        self._begin(time)
        return windows

    def _silence(self, until: float) -> list[Window]:
        """The time without usable samples up to `until` as a Window, when it is long enough to be told."""
        last = self._resampler.last
        if self._told_until is None:
            self._told_until = until
        since = max(self._told_until, -np.inf if last is None else last)
        if until - since <= MAXIMUM_GAP_S or until <= self._last_end + SAME_END_S:
            return []
        start, self._told_until = self._told_until, until
        return [Window(self.person, self.risk, start, until, np.empty((0, 3)), np.empty(0, np.bool_), 0.0)]

    def _begin(self, time: float | None) -> None:
        """Begin a run of steps at `time`."""
        self._told_until = time
        self._first = 0  # number of the oldest step that is kept
        self._mg = np.empty((0, 3))
        self._size = np.empty(0)
        self._known_at = np.empty(0)
        self._samples = np.empty(0, np.int64)
        self._marks = np.empty(0, np.bool_)
        self._looked_at = 0  # the step after those that were looked at for blows
        self._due: int | None = None  # the step with which a Window is due where there is no blow
        self._latest = 0  # the step with which it is told whatever comes

    def _keep(self, steps: Steps) -> None:
        """Put new steps behind those that are kept."""
        if not len(self._mg):
            self._first = self._looked_at = steps.first
            told = steps.first + self.length
            if self._last_end > steps.first / RATE_HZ:
                told = max(told, int(np.floor(self._last_end * RATE_HZ)) + self.step)
            self._due, self._latest = told, told + self.length
        self._mg = np.concatenate((self._mg, steps.mg))
        # In whole mg, lest an error of rounding chooses between blows that are alike.
        size = np.rint(np.sqrt(np.square(steps.mg).sum(axis=1)))
        self._size = np.concatenate((self._size, np.where(steps.marks, 0.0, size)))
        self._known_at = np.concatenate((self._known_at, steps.known_at))
        self._samples = np.concatenate((self._samples, steps.samples))
        self._marks = np.concatenate((self._marks, steps.marks))

    def _complete(self) -> list[Window]:
        """The Windows that end within the steps that are new, in the order of time."""
        windows: list[Window] = []
        after = self._first + len(self._mg)
        assert self._due is not None  # noqa: S101  _keep has set it
        for end in [blow + self._after for blow in self._blows(after - self._after + 1)]:
            self._regular(end - 1, windows)
            self._tell(end, windows)
        self._regular(after, windows)
        spare = len(self._mg) - self.length - APART_STEPS
        if spare > 0:
            self._first += spare
            for name in ("_mg", "_size", "_known_at", "_samples", "_marks"):
                setattr(self, name, getattr(self, name)[spare:])
        return windows

    def _blows(self, until: int) -> list[int]:
        """The steps before `until`, of those not looked at yet, that are the hardest of their neighbourhood."""
        begin, self._looked_at = self._looked_at, max(self._looked_at, until)
        found = []
        for place in np.flatnonzero(
            self._size[begin - self._first : self._looked_at - self._first] >= BLOW_MG
        ).tolist():
            at = begin - self._first + place
            before = self._size[max(0, at - APART_STEPS) : at]
            behind = self._size[at + 1 : at + 1 + APART_STEPS]
            if self._size[at] > before.max(initial=0.0) and self._size[at] >= behind.max(initial=0.0):
                found.append(self._first + at)
        return found

    def _regular(self, until: int, windows: list[Window]) -> None:
        """The Windows that are due by the step `until` without a blow; one waits for a blow that is not followed up.

        It waits no longer than a Window's length: a sensor that is stuck at its limit is one long blow, and is told.
        """
        assert self._due is not None  # noqa: S101  see _complete
        while self._due <= until:
            recent = self._size[max(0, self._due - self._after - self._first) : self._due - self._first]
            if recent.max(initial=0.0) >= BLOW_MG and self._due < self._latest:
                self._due += 1
            else:
                self._tell(self._due, windows)

    def _tell(self, after: int, windows: list[Window]) -> None:
        """The Window whose last step is the one before `after`, unless it was told before a restart."""
        self._due = after + self.step
        self._latest = self._due + self.length
        end = float(self._known_at[after - 1 - self._first])
        if end <= self._last_end + SAME_END_S:
            return
        lacking = max(0, self.length - (after - self._first))
        part = slice(after - self.length + lacking - self._first, after - self._first)
        marks = self._marks[part]
        known = int(np.count_nonzero(~marks))
        if self._samples[part][~marks].sum() < LOWEST_HZ * known / RATE_HZ:
            marks, known = np.ones_like(marks), 0
        start = (after - self.length) / RATE_HZ
        values: NDArray[np.float64] = np.concatenate((np.zeros((lacking, 3)), self._mg[part]))
        marks = np.concatenate((np.ones(lacking, np.bool_), marks))
        windows.append(Window(self.person, self.risk, start, end, values, marks, known / self.length))
        self._told_until = end
