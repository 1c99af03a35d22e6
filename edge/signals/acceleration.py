"""Acceleration from any wearable, at its own pace and in packets of its own size, to even steps of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, UNSOUND, Channel, Quality, Reading, Source

# Steps a second of what the models see. Our choice: people move below 20 Hz (Bouten et al., IEEE Trans Biomed Eng 44
# (1997) 136), and the slowest wearables sample no faster, so that more would be made up for them.
RATE_HZ: Final = 25
# A sample that comes within this time of when the pace foretells it keeps to the pace. Our choice: less than the ms in
# which stamps are often written, so that no error of rounding decides.
PACE_S: Final = 0.0009
# Between samples further apart than this nothing is known; closer ones are joined by a straight line. Our choice: a
# blow lasts about as long.
MAXIMUM_SPACING_S: Final = 0.2
# A reading holds about this much: what a wearable sends in one notification or a few.
READING_S: Final = 1.0
# A sensor at its limit may tell a little more than its range, by its scale error of up to 10 % and more (ADXL345 data
# sheet, rev. G, table 1); far beyond lie the marks of a fault, such as 32767. Our choice.
OVERSHOOT: Final = 1.25
# Times since 1970 are rounded by less than this: so close to an edge, a sample is on it.
ROUNDING_S: Final = 1e-6
BAD: Final = UNSOUND


def readings_of(source: Source, times: NDArray[np.float64], mg: NDArray[np.float64]) -> Iterator[Reading]:
    """Readings of accelerations `mg` (samples, 3) in mg taken at `times` (samples,) in s, which increase.

    A Reading goes on while each sample comes when the pace of its first two foretells it, so that no later sample
    changes what was said of earlier ones; a gap, and what cannot be true, begin a new one too.
    """
    facts = CHANNELS[Channel.ACCELERATION]
    outside = ~(np.abs(mg).max(axis=1, initial=0.0) <= OVERSHOOT * facts.high)
    kept = np.clip(mg, facts.low, facts.high)
    first = 0
    while first < len(times):
        after, interval_s = _run(times, outside, first)
        broken = first > 0 and times[first] - times[first - 1] > MAXIMUM_SPACING_S
        quality = Quality.OUT_OF_RANGE if outside[first] else Quality.GOOD
        yield Reading(
            person=source.person,
            device=source.device,
            channel=Channel.ACCELERATION,
            unit=facts.unit,
            start=float(times[first]),
            received_at=float(times[after - 1]),
            values=tuple(kept[first:after].ravel().tolist()),
            quality=quality | Quality.GAP_BEFORE if broken else quality,
            interval_s=interval_s,
        )
        first = after


def _run(times: NDArray[np.float64], outside: NDArray[np.bool_], first: int) -> tuple[int, float | None]:
    """The sample after the last that keeps to the pace of the samples from `first`, and their interval in s."""
    if first + 1 == len(times) or not 0.0 < times[first + 1] - times[first] <= MAXIMUM_SPACING_S:
        return first + 1, None
    interval_s = float(times[first + 1] - times[first])
    own = slice(first, min(len(times), first + max(2, round(READING_S / interval_s))))
    expected = times[first] + interval_s * np.arange(own.stop - first)
    strays = (np.abs(times[own] - expected) > PACE_S) | (outside[own] != outside[first])
    count = int(np.argmax(strays)) if strays.any() else len(strays)
    return first + count, interval_s if count > 1 else None


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Consecutive steps of 1 / RATE_HZ s, of which step `first` + i begins at (`first` + i) / RATE_HZ.

    `mg` (steps, 3) is the mean acceleration within each; `known_at` (steps,) the time of the sample that completed it;
    `samples` (steps,) how many fell into it; `marks` (steps,) is True where most of it lies in a gap.
    """

    first: int
    mg: NDArray[np.float64]
    known_at: NDArray[np.float64]
    samples: NDArray[np.int64]
    marks: NDArray[np.bool_]


class Resampler:
    """Samples of any pace to steps: each is the mean of the straight lines that join the samples, over its time.

    So fast samples are averaged, which keeps what is too fast for the steps out of them, and slow ones interpolated;
    what is constant stays so. The steps lie at multiples of 1 / RATE_HZ s of absolute time, wherever one begins.
    """

    def __init__(self) -> None:
        self._times = np.empty(0)
        self._mg = np.empty((0, 3))
        self._next = 0  # the step that is to be completed next

    @property
    def last_mg(self) -> float:
        """Size of the acceleration in the last sample, 0 before the first."""
        return float(np.linalg.norm(self._mg[-1])) if len(self._mg) else 0.0

    def restart(self) -> None:
        """Forget all samples."""
        self._times, self._mg = np.empty(0), np.empty((0, 3))

    def push(self, times: NDArray[np.float64], mg: NDArray[np.float64]) -> Steps:
        """Take samples at `times` (s, increasing, after those before), `mg` (samples, 3); the steps they complete."""
        if not len(self._times) and len(times):
            self._next = int(np.ceil((times[0] - ROUNDING_S) * RATE_HZ))
        times, mg = np.concatenate((self._times, times)), np.concatenate((self._mg, mg))
        after = max(self._next, int(np.floor((times[-1] + ROUNDING_S) * RATE_HZ))) if len(times) else self._next
        if after == self._next:
            self._times, self._mg = times, mg
            return Steps(self._next, np.empty((0, 3)), np.empty(0), np.empty(0, np.int64), np.empty(0, np.bool_))
        steps = _means(times, mg, self._next, after)
        kept = max(0, int(np.searchsorted(times, after / RATE_HZ, "right")) - 1)
        self._times, self._mg, self._next = times[kept:], mg[kept:], after
        return steps


def _means(times: NDArray[np.float64], mg: NDArray[np.float64], first: int, after: int) -> Steps:
    """The steps from `first` to before `after`, all of which lie within the time of the samples."""
    edges = np.arange(first, after + 1) / RATE_HZ
    spacing = np.diff(times)
    before = np.clip(np.searchsorted(times, edges, "right") - 1, 0, len(times) - 2)
    into = np.clip(edges - times[before], 0.0, spacing[before])
    # Areas under the lines up to each sample, and on to each edge.
    areas = np.concatenate((np.zeros((1, 3)), np.cumsum((mg[1:] + mg[:-1]) / 2.0 * spacing[:, np.newaxis], axis=0)))
    slopes = (mg[before + 1] - mg[before]) / spacing[before, np.newaxis]
    at_edges = areas[before] + (mg[before] + 0.5 * slopes * into[:, np.newaxis]) * into[:, np.newaxis]
    unknown = np.where(spacing > MAXIMUM_SPACING_S, spacing, 0.0)
    unknown_at_edges = np.concatenate(([0.0], np.cumsum(unknown)))[before] + np.where(unknown[before] > 0.0, into, 0.0)
    reached = np.searchsorted(times, edges - ROUNDING_S)
    return Steps(
        first=first,
        mg=np.asarray(np.diff(at_edges, axis=0) * RATE_HZ, dtype=np.float64),
        known_at=times[np.minimum(reached[1:], len(times) - 1)],
        samples=np.diff(reached),
        marks=np.diff(unknown_at_edges) * RATE_HZ > 0.5,
    )
