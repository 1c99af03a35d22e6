"""Acceleration to Windows around every blow that could be a fall, and one now and then in between."""

from __future__ import annotations

import math
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Reading, Risk, Window
from edge.signals.acceleration import BAD, RATE_HZ, ROUNDING_S, Resampler, Steps

# A blow: the length of the acceleration's vector, averaged over a step, from which on a fall is thought of. Our
# choice: in SisFall and UMAFall the softest of 2,195 falls reaches 1.55 g, and people who walk seldom do.
BLOW_MG: Final = 1500.0
# Of the blows of one fall (knees, hip, hands) only the hardest counts, and those of one person who runs are not all
# looked at: a blow that is told takes with it those of the next 1.5 s. Our choice: by then the body is down.
APART_STEPS: Final = round(1.5 * RATE_HZ)
# Our choice, as for RR intervals: longer than the loss of a few packets.
MAXIMUM_GAP_S: Final = 10.0
# What samples fewer than these a second tell of a blow is chance. Our choice: the slowest wearables send 12.5 to 20,
# and of the latter every third sample may be lost.
LOWEST_HZ: Final = 12.0
# Two windows that end within this time are the same. Our choice: half a step, as stored times are rounded.
SAME_END_S: Final = 0.5 / RATE_HZ
# Samples that come this much before the last one were stamped by a clock that was set back; by less, they are those of
# a packet that came twice. Our choice: a packet holds about a second.
SET_BACK_S: Final = 1.0
# Stored times are rounded by less than this, and samples are further apart. Our choice.
SAME_SAMPLE_S: Final = 0.001


class ImpactWindows:
    """Windows of `length` steps (see acceleration) of one person, as soon as the second half after a blow is known.

    A blow stands in the middle, so that what led to it and what followed are seen. Where nothing happens a Window comes
    every `step` steps, so that the sensor's state is told; what lies before the first sample is marked in it. After
    MAXIMUM_GAP_S without usable samples the time since the last Window becomes one without samples, which no model can
    judge; a blow of which half of what followed is known is told before it, and the rest is marked.

    Samples wait until some Window could be complete, since many at once cost little more than a few.

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
        # A blow is told no sooner than this after the first of its samples.
        self._follows_s = (self._after - 2) / RATE_HZ
        self._last_end = -np.inf if last_end is None else last_end
        self._told_until: float | None = None  # end of the last Window, or begin of the run
        self._last: float | None = None  # time of the last sample
        self._resampler = Resampler()
        self._begin(None)

    def push(self, reading: Reading) -> list[Window]:
        """Take the next accelerations, in the order of time; return the Windows that they complete."""
        if not reading.values:
            return []
        if reading.quality & BAD:
            return self._silence(reading.end)
        interval_s = reading.interval_s or 1.0 / RATE_HZ
        if not math.isfinite(sum(reading.values)) or (self._last is not None and reading.start <= self._last):
            return self._push_some(reading, interval_s)
        windows = self._carry_on(reading.start)
        self._last = reading.start + interval_s * (len(reading.values) // 3 - 1)
        self._waiting.append((reading.start, interval_s, reading.values))
        return windows + self._look() if self._last >= self._wake else windows

    def _push_some(self, reading: Reading, interval_s: float) -> list[Window]:
        """Take those samples of a Reading that are numbers and new."""
        mg = np.array(reading.values).reshape(-1, 3)
        known = np.isfinite(mg).all(axis=1)
        if not known.any():
            return self._silence(reading.end)
        return self.push_samples((reading.start + interval_s * np.arange(len(mg), dtype=np.float64))[known], mg[known])

    def push_samples(self, times: NDArray[np.float64], mg: NDArray[np.float64]) -> list[Window]:
        """The same for one or more good samples at any `times` (samples,) in s, increasing, and `mg` (samples, 3)."""
        windows = self._carry_on(float(times[0]))
        new = times > (-np.inf if self._last is None else self._last)
        if not new.any():
            return windows
        self._take_up()
        self._ready.append((times[new], mg[new]))
        self._last = float(times[-1])
        return windows + self._work()

    def finish(self) -> list[Window]:
        """The Window of a blow after which it was quiet, when the samples end here and half of what followed is known.

        Who goes on walking or running has not fallen, and needs no Window of which a part is unknown.
        """
        windows = self._work()
        after = self._first + len(self._mg)
        for blow in self._blows(after - APART_STEPS + 1):
            if self._size[max(0, blow + RATE_HZ - self._first) :].max(initial=0.0) < BLOW_MG:
                self._tell(blow + self._after, windows)
        return windows

    def _carry_on(self, time: float) -> list[Window]:
        """Go on with the sample at `time`: within the run, or in a new one when too much is missing in between."""
        last = self._last
        if last is not None and -SET_BACK_S <= time - last <= MAXIMUM_GAP_S:
            return []
        windows = self.finish() + self._silence(time) if last is not None else []
        if last is not None and time < last:
            self._last_end = -np.inf  # the clock was set back: nothing from now on was told before
        self._last = None
        self._resampler.restart()
        self._begin(time)
        return windows

    def _silence(self, until: float) -> list[Window]:
        """The time without usable samples up to `until` as a Window, when it is long enough to be told."""
        last = self._last
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
        self._waiting: list[tuple[float, float, tuple[float, ...]]] = []  # packets: begin, interval and values
        self._ready: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []  # samples that are to become steps
        self._hard = False  # whether a sample, or a step that was not looked at, is as hard as a blow
        self._complete_at = -np.inf  # time of a sample with which a Window may be complete, by what was taken up
        self._wake = -np.inf  # time of a sample with which the packets that wait must be taken up
        self._first = 0  # number of the oldest step that is kept
        self._mg = np.empty((0, 3))
        self._size = np.empty(0)
        self._known_at = np.empty(0)
        self._samples = np.empty(0, np.int64)
        self._marks = np.empty(0, np.bool_)
        self._looked_at = 0  # the step after those that were looked at for blows
        self._blow = -APART_STEPS  # the last blow that was told
        self._due = 0  # the step with which a Window is due where there is no blow
        self._latest = 0  # the step with which it is told whatever comes

    def _look(self) -> list[Window]:
        """Take up the packets that wait: the Windows that are complete with them."""
        assert self._last is not None  # noqa: S101  there was a sample
        self._take_up()
        if self._last >= self._complete_at:
            return self._work()
        self._sleep()
        return []

    def _take_up(self) -> None:
        """Make samples of the packets that wait, and see whether one of them may be a blow."""
        if not self._waiting:
            return
        times = np.concatenate([begin + pace_s * np.arange(len(mg) // 3) for begin, pace_s, mg in self._waiting])
        values = chain.from_iterable(values for *_, values in self._waiting)
        mg = np.fromiter(values, np.float64, 3 * len(times)).reshape(-1, 3)
        self._waiting.clear()
        self._ready.append((times, mg))
        if not self._hard:
            hard = np.einsum("ij,ij->i", mg, mg) >= BLOW_MG**2
            if hard.any():
                self._hard = True
                self._complete_at = min(self._complete_at, float(times[np.argmax(hard)]) + self._follows_s)

    def _sleep(self) -> None:
        """Let packets wait until a Window may be complete, or a blow in them."""
        assert self._last is not None  # noqa: S101  there was a sample
        self._wake = min(self._complete_at, self._last + self._follows_s)

    def _work(self) -> list[Window]:
        """Make steps of all samples: the Windows that they complete."""
        self._take_up()
        if self._ready:
            times, mg = (np.concatenate(parts) for parts in zip(*self._ready, strict=True))
            self._ready.clear()
            self._keep(self._resampler.push(times, mg))
        if not len(self._mg):
            return []
        windows = self._complete()
        # A step is as hard as a blow only if a sample in it, or next to it, is.
        blows = np.flatnonzero(self._size[self._looked_at - self._first :] >= BLOW_MG)
        self._hard = bool(len(blows)) or self._resampler.last_mg >= BLOW_MG
        first = self._looked_at + int(blows[0]) if len(blows) else self._first + len(self._mg) - 1
        due = min(self._due, first + self._after) if self._hard else self._due
        self._complete_at = due / RATE_HZ - ROUNDING_S
        self._sleep()
        return windows

    def _keep(self, steps: Steps) -> None:
        """Put new steps behind those that are kept."""
        if not len(steps.mg):
            return
        if not len(self._mg):
            self._first = self._looked_at = steps.first
            self._blow = steps.first - APART_STEPS
            self._due = steps.first + self.length
            self._latest = self._due + self.length
        self._mg = np.concatenate((self._mg, steps.mg))
        # In whole mg, lest an error of rounding chooses between blows that are alike.
        size = np.rint(np.sqrt(np.square(steps.mg).sum(axis=1)))
        self._size = np.concatenate((self._size, np.where(steps.marks, 0.0, size)))
        self._known_at = np.concatenate((self._known_at, steps.known_at))
        self._samples = np.concatenate((self._samples, steps.samples))
        self._marks = np.concatenate((self._marks, steps.marks))
        if steps.known_at[0] <= self._last_end + SAME_SAMPLE_S:  # these were told before a restart
            self._due = max(self._due, self._known_by(self._last_end) + self.step)
            self._latest = self._due + self.length

    def _known_by(self, time: float) -> int:
        """The step after the last that the sample at `time` completes."""
        return self._first + int(np.searchsorted(self._known_at, time + SAME_SAMPLE_S, "right"))

    def _complete(self) -> list[Window]:
        """The Windows that end within the steps that are new, in the order of time."""
        windows: list[Window] = []
        after = self._first + len(self._mg)
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
        """The steps before `until`, of those not looked at yet, that are told as blows.

        Such a one is harder than the step before it, nothing in the APART_STEPS after it is harder, and none in those
        before it is told.
        """
        begin, self._looked_at = self._looked_at, max(self._looked_at, until)
        found = []
        for place in np.flatnonzero(
            self._size[begin - self._first : self._looked_at - self._first] >= BLOW_MG
        ).tolist():
            at = begin - self._first + place
            step = self._first + at
            rises = at > 0 and self._size[at] > self._size[at - 1]
            behind = self._size[at + 1 : at + 1 + APART_STEPS]
            if step - self._blow < APART_STEPS or not rises or self._size[at] < behind.max(initial=0.0):
                continue
            last = at + self._after - 1
            if last < len(self._known_at) and self._known_at[last] < self._last_end - SAME_SAMPLE_S:
                continue  # before a restart it was told, or another in its place
            self._blow = step
            found.append(step)
        return found

    def _regular(self, until: int, windows: list[Window]) -> None:
        """The Windows that are due by the step `until` without a blow; one waits for a blow that is not followed up.

        It waits no longer than a Window's length: a sensor that is stuck at its limit is one long blow, and is told.
        """
        while self._due <= until:
            recent = self._size[max(0, self._due - self._after - self._first) : self._due - self._first]
            if recent.max(initial=0.0) >= BLOW_MG and self._due < self._latest:
                self._due += 1
            else:
                self._tell(self._due, windows)

    def _tell(self, after: int, windows: list[Window]) -> None:
        """The Window whose last step is the one before `after`, unless it was told before a restart.

        Steps of it that are not known yet, when the samples have ended, are marked like those before the first sample.
        """
        known = min(after, self._first + len(self._mg))
        end = float(self._known_at[known - 1 - self._first])
        self._due = self._known_by(end) + self.step
        self._latest = self._due + self.length
        if end <= self._last_end + SAME_END_S:
            return
        lacking = max(0, self.length - (after - self._first))
        part = slice(max(0, after - self.length - self._first), known - self._first)
        own = self._marks[part]
        good = int(np.count_nonzero(~own))
        if self._samples[part][~own].sum() < LOWEST_HZ * good / RATE_HZ:
            good = 0
        values, marks = np.zeros((self.length, 3)), np.ones(self.length, np.bool_)
        if good:
            values[lacking : lacking + len(own)], marks[lacking : lacking + len(own)] = self._mg[part], own
        start = (after - self.length) / RATE_HZ
        windows.append(Window(self.person, self.risk, start, end, values, marks, good / self.length))
        self._told_until = end
