"""What the atrial fibrillation model sees of a Window, and how its finding is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.phrases import phrase
from edge.readings import Channel, Explanation, Risk, Window
from edge.signals import irregularity
from edge.signals.foretelling import foretold
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
# Ectopic and blocked beats come in any order but always with the same few intervals. So for each pair of successive
# intervals the model is told how far the third nearest other pair of the window is, the distance of sample entropy
# (Richman & Moorman, Am J Physiol Heart Circ Physiol 278, 2000: the larger of the two differences), and it is shown the
# intervals in the order of their size, with the steps between them. Our choice: two equal pairs are chance.
NEAREST: Final = 3
LARGEST_DISTANCE: Final = 0.4
LARGEST_STEP: Final = 0.125
# The rate, as the logarithm of the median interval's share of this: 75 beats a minute.
MIDDLE_MS: Final = 800.0
# The intervals as they follow each other; then the figures of the whole window, and the rate once more beside them.
SEQUENCE_CHANNELS: Final = 1 + len(LAGS) + 4
NUMBERS: Final = irregularity.FIGURES + 1
CHANNELS: Final = SEQUENCE_CHANNELS + NUMBERS
# Windows whose pairs are compared at once: what stays within some tens of megabytes.
CHUNK: Final = 1024
# In a few healthy people the breath sways a slow heart, asleep above all, as widely and as quickly as fibrillation
# does. What tells them apart is order. In fibrillation the intervals follow each other by chance (Bootsma et al.,
# Circulation 41, 1970); under the breath the two before an interval tell of it. That takes more beats than a window
# has: the eleven windows of an alert, one every 30 beats.
EVIDENCE: Final = 360
# Of 360 intervals drawn by chance, one series in a thousand is foretold by 0.09 or more.
BY_CHANCE: Final = 0.1
# Below so many there is too little to tell. Our choice: half.
LEAST_EVIDENCE: Final = 180
# Only a slow heart is doubted: the breath sways the heart by the vagus nerve, which also slows it, and fast
# fibrillation has an order of its own, from the node that passes on only some of its beats. Our choice of 75 beats a
# minute: up to there no sustained fibrillation of ltafdb is told later than without the doubt, and from 80 on some is.
SLOW_BPM: Final = 75.0


def windows(person: str, *, length: int, step: int, last_end: float | None = None) -> RrWindows:
    """Windows of `length` RR intervals, a new one every `step`, going on after the one that ended at `last_end`."""
    earlier = max(0, EVIDENCE - length)
    return RrWindows(person, Risk.ATRIAL_FIBRILLATION, beats=length, step=step, earlier=earlier, last_end=last_end)


def shortage(window: Window, *, length: int, minimum_coverage: float) -> str | None:
    """Why the Window cannot be judged, None when it can."""
    if len(window.values) < length:
        return f"interrupted: {len(window.values)} of {length} heartbeats in a row"
    if window.marks.all() or window.coverage < minimum_coverage:
        return f"good heartbeats cover {window.coverage:.0%} of the time, {minimum_coverage:.0%} are needed"
    return None


def doubtful(window: Window) -> bool:
    """Whether the beats up to the end of a Window may be a slow healthy heart's, so that no alert is to begin there.

    They are where the heart is slower than SLOW_BPM and its intervals are foretold by those before them, or where too
    few came without a gap to know it.
    """
    rr_ms = np.concatenate((window.earlier, window.values))[-EVIDENCE:]
    if float(np.median(rr_ms)) <= 60_000.0 / SLOW_BPM:
        return False
    return len(rr_ms) < LEAST_EVIDENCE or foretold(rr_ms) > BY_CHANCE


def model_input(window: Window) -> NDArray[np.float32]:
    """The model's input for a Window with at least one good interval: shape (1, beats, CHANNELS), within -1 to 1."""
    good_ms = window.values[~window.marks]
    middle = len(good_ms) // 2
    median_ms = np.partition(good_ms, middle)[middle]
    return _relative(window.values[np.newaxis], window.marks[np.newaxis], np.full((1, 1), median_ms))


def model_inputs(rr_ms: NDArray[np.float64], marks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The same for many windows of shape (windows, beats), in ms: shape (windows, beats, CHANNELS)."""
    ordered = np.sort(np.where(marks, np.inf, rr_ms), axis=1)
    middle = (~marks).sum(axis=1) // 2
    median_ms = ordered[np.arange(len(ordered)), middle, np.newaxis]
    seen = np.empty((*rr_ms.shape, CHANNELS), dtype=np.float32)
    for first in range(0, len(rr_ms), CHUNK):
        some = slice(first, first + CHUNK)
        seen[some] = _relative(rr_ms[some], marks[some], median_ms[some])
    return seen


def _relative(
    rr_ms: NDArray[np.float64], marks: NDArray[np.bool_], median_ms: NDArray[np.float64]
) -> NDArray[np.float32]:
    """RR intervals as the model sees them: shape (rows, beats) in ms becomes (rows, beats, CHANNELS), within -1 to 1.

    The first are shares of the median of the good intervals, of shape (rows, 1), scaled so that few reach 1: each
    interval's distance from the median; its distances from the intervals LAGS beats before; how far the third nearest
    pair like it and the one before is; the intervals by size; the steps between these. Then comes the rate. NUMBERS
    more hold the figures of the whole window, and the rate again, at every step. A marked interval stands at the
    median, so it says nothing.
    """
    share = np.where(marks, 0.0, rr_ms / median_ms - 1.0).astype(np.float32)
    seen = np.zeros((*rr_ms.shape, CHANNELS), dtype=np.float32)
    seen[..., 0] = share / LARGEST_CHANGE
    for place, lag in enumerate(LAGS, start=1):
        seen[..., lag:, place] = (share[..., lag:] - share[..., :-lag]) / LARGEST_CHANGE
    apart = np.abs(share[..., :, np.newaxis] - share[..., np.newaxis, :])
    pairs = np.maximum(apart[..., :-1, :-1], apart[..., 1:, 1:])
    # Each pair is at no distance from itself, so the third nearest other one has the index 3.
    nearest = np.partition(pairs, NEAREST, axis=-1)[..., NEAREST]
    seen[..., 1:, 4] = nearest / LARGEST_DISTANCE
    by_size = np.sort(share, axis=-1)
    seen[..., 5] = by_size / LARGEST_CHANGE
    seen[..., 1:, 6] = np.diff(by_size, axis=-1) / LARGEST_STEP
    rate = np.log(median_ms / MIDDLE_MS)
    seen[..., 7] = rate
    seen[..., 4][marks] = 0.0
    cut, cut_by_size = share.clip(-LARGEST_CHANGE, LARGEST_CHANGE), by_size.clip(-LARGEST_CHANGE, LARGEST_CHANGE)
    seen[..., SEQUENCE_CHANNELS:-1] = irregularity.figures(cut, cut_by_size, nearest)[:, np.newaxis]
    seen[..., -1] = rate
    return seen.clip(-1.0, 1.0, out=seen)


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
    told: dict[str, float] = {
        "irregularity": numbers["irregularity_percent"],
        "usual": usual["irregularity_percent"],
        "heart_rate": numbers["heart_rate_bpm"],
    }
    if part is None:
        sentence = phrase(
            "The time between heartbeats varied by {irregularity:.0f} % from beat to beat ({usual:.0f} % is common), "
            "at {heart_rate:.0f} beats a minute.",
            **told,
        )
    else:
        sentence = phrase(
            "The time between heartbeats varied by {irregularity:.0f} % from beat to beat ({usual:.0f} % is common), "
            "most clearly for {part:.0f} s of the last {last:.0f}, at {heart_rate:.0f} beats a minute.",
            part=part[1] - part[0],
            last=window.end - part[0],
            **told,
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
