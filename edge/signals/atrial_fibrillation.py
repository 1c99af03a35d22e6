"""What the atrial fibrillation model sees of a Window, and how its finding is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Explanation, Window

# Our choice: in the median training person 96 % of the intervals in atrial fibrillation, and 99.7 % of the others, lie
# within a half of their window's median. What lies beyond is cut off, because it carries little more evidence and would
# cost the rest its resolution in int8 (1/256 of the range).
LARGEST_CHANGE: Final = 0.5
CHANNELS: Final = 2


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

    Channel 0 is each interval's distance from the median of the good ones, channel 1 its distance from the interval
    before it, both as shares of that median and scaled by LARGEST_CHANGE. A marked interval stands at the median, so it
    says nothing.
    """
    level = np.where(marks, 0.0, (rr_ms / median_ms - 1.0) / LARGEST_CHANGE)
    relative = np.zeros((*rr_ms.shape, CHANNELS), dtype=np.float32)
    relative[..., 0] = level
    relative[..., 1:, 1] = level[..., 1:] - level[..., :-1]
    return relative.clip(-1.0, 1.0, out=relative)


def explain(window: Window, usual: Mapping[str, float]) -> Explanation:
    """Why a Window speaks for atrial fibrillation; `usual` are the medians of the same numbers in people without it."""
    numbers = plain_numbers(window)
    sentence = (
        f"The time between heartbeats varied by {numbers['irregularity_percent']:.0f} % from beat to beat "
        f"(usually {usual['irregularity_percent']:.0f} %), at {numbers['heart_rate_bpm']:.0f} beats a minute."
    )
    return Explanation(sentence, numbers)


def plain_numbers(window: Window) -> dict[str, float]:
    """Two figures of a Window with at least two good intervals in a row.

    `irregularity_percent`: mean absolute difference of successive good intervals in % of the mean good interval (our
    choice, because it can be said in words; it is akin to RMSSD divided by the mean). `heart_rate_bpm`: beats a minute.
    """
    rr_ms, good = window.values, ~window.marks
    mean_ms = float(rr_ms[good].mean())
    change_ms = float(np.abs(rr_ms[1:] - rr_ms[:-1])[good[1:] & good[:-1]].mean())
    return {"irregularity_percent": 100.0 * change_ms / mean_ms, "heart_rate_bpm": 60_000.0 / mean_ms}
