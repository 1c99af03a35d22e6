"""What the atrial fibrillation model sees of a Window, and how its finding is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Channel, Explanation, Risk, Window
from edge.signals.windows import RrWindows

CHANNEL: Final = Channel.RR_INTERVAL
# Our choice: in the median training person 96 % of the intervals in atrial fibrillation, and 99.7 % of the others, lie
# within a half of their window's median. What lies beyond is cut off, because it carries little more evidence and would
# cost the rest its resolution in int8 (1/256 of the range).
LARGEST_CHANGE: Final = 0.5
# Beside each interval's distance from the median stand its distances from those one, two and three beats before: a
# heart with an early beat every second or third time (bigeminy, trigeminy) repeats itself after two or three, and one
# in fibrillation never does.
LAGS: Final = (1, 2, 3)
CHANNELS: Final = 1 + len(LAGS)


def windows(person: str, *, length: int, step: int, last_end: float | None = None) -> RrWindows:
    """Windows of `length` RR intervals, a new one every `step`, going on after the one that ended at `last_end`."""
    return RrWindows(person, Risk.ATRIAL_FIBRILLATION, beats=length, step=step, last_end=last_end)


def shortage(window: Window, *, length: int, minimum_coverage: float) -> str | None:
    """Why the Window cannot be judged, None when it can."""
    if len(window.values) < length:
        return f"interrupted: {len(window.values)} of {length} heartbeats in a row"
    if window.marks.all() or window.coverage < minimum_coverage:
        return f"good heartbeats cover {window.coverage:.0%} of the time, {minimum_coverage:.0%} are needed"
    return None


def model_input(window: Window) -> NDArray[np.float32]:
    """The model's input for a Window with at least one good interval: shape (1, beats, CHANNELS), within -1 to 1."""
    good_ms = window.values[~window.marks]
    middle = len(good_ms) // 2
    return _relative(window.values, window.marks, np.partition(good_ms, middle)[middle])[np.newaxis]


def model_inputs(rr_ms: NDArray[np.float64], marks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The same for many windows of shape (windows, beats), in ms: shape (windows, beats, CHANNELS)."""
    ordered = np.sort(np.where(marks, np.inf, rr_ms), axis=1)
    middle = (~marks).sum(axis=1) // 2
    return _relative(rr_ms, marks, ordered[np.arange(len(ordered)), middle, np.newaxis])


def _relative(
    rr_ms: NDArray[np.float64], marks: NDArray[np.bool_], median_ms: NDArray[np.float64] | np.float64
) -> NDArray[np.float32]:
    """RR intervals without their rate: shape (..., beats) in ms becomes (..., beats, CHANNELS), within -1 to 1.

    Channel 0 is each interval's distance from the median of the good ones, the others its distances from the
    intervals LAGS beats before, all as shares of that median and scaled by LARGEST_CHANGE. A marked interval stands at
    the median, so it says nothing.
    """
    level = np.where(marks, 0.0, (rr_ms / median_ms - 1.0) / LARGEST_CHANGE)
    relative = np.zeros((*rr_ms.shape, CHANNELS), dtype=np.float32)
    relative[..., 0] = level
    for place, lag in enumerate(LAGS, start=1):
        relative[..., lag:, place] = level[..., lag:] - level[..., :-lag]
    return relative.clip(-1.0, 1.0, out=relative)


def step_times(window: Window) -> NDArray[np.float64]:
    """The times between which each interval lies: the Window's begin, then its beats; shape (beats + 1,)."""
    beats = window.start + np.concatenate(([0.0], np.cumsum(window.values))) / 1000.0
    # A gap inside the Window is not among its intervals, so the beats may end before the Window does.
    return np.asarray(beats + np.linspace(0.0, window.end - float(beats[-1]), len(beats)))


def explain(window: Window, usual: Mapping[str, float], part: tuple[float, float] | None) -> Explanation:
    """Why a Window speaks for atrial fibrillation; `usual` are the medians of the same numbers in people without it.

    `part` is the begin and end of what mattered most, in s.
    """
    numbers = plain_numbers(window)
    where = (
        "" if part is None else f", most clearly for {part[1] - part[0]:.0f} s of the last {window.end - part[0]:.0f}"
    )
    sentence = (
        f"The time between heartbeats varied by {numbers['irregularity_percent']:.0f} % from beat to beat "
        f"(usually {usual['irregularity_percent']:.0f} %){where}, at {numbers['heart_rate_bpm']:.0f} beats a minute."
    )
    return Explanation(sentence, numbers, part)


def plain_numbers(window: Window) -> dict[str, float]:
    """Two figures of a Window with at least one good interval.

    `irregularity_percent`: mean absolute difference of successive good intervals in % of the mean good interval (our
    choice, because it can be said in words; it is akin to RMSSD divided by the mean). `heart_rate_bpm`: beats a minute.
    """
    rr_ms, good = window.values, ~window.marks
    mean_ms = float(rr_ms[good].mean())
    changes_ms = np.abs(rr_ms[1:] - rr_ms[:-1])[good[1:] & good[:-1]]
    change_ms = float(changes_ms.mean()) if changes_ms.size else 0.0
    return {"irregularity_percent": 100.0 * change_ms / mean_ms, "heart_rate_bpm": 60_000.0 / mean_ms}
