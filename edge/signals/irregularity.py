"""Figures of a whole window of RR intervals: how large, how uneven and how aimless their changes are.

Such figures are the classic way to find atrial fibrillation (Tateno & Glass, Med Biol Eng Comput 39, 2001; Dash et al.,
Ann Biomed Eng 37, 2009; Lian et al., Am J Cardiol 107, 2011). Our model judges by them beside the intervals themselves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

# Added before a logarithm is taken: the resolution of a strap's clock, as a share of an interval of 330 ms to 3 s.
FLOOR: Final = 0.003
# The entropy is of the changes in steps of a sixteenth of the median interval, up to a half of it either way.
BINS: Final = 16
# Variances below are rounding, and no figure of order is made of rounding.
NO_VARIANCE: Final = 1e-7

# Where each figure lies in 99 % of the training windows, rounded: it is scaled so that these become -1 and 1.
_RANGES: Final = {
    "log of the mean change": (-4.4, -0.5),
    "log of the median change": (-4.5, -0.4),
    "log of the standard deviation": (-4.1, -1.0),
    "log of the median distance from the median": (-4.5, -0.9),
    "shortest": (-0.5, 0.0),
    "fifth percentile": (-0.5, 0.0),
    "ninety-fifth percentile": (0.0, 0.5),
    "longest": (0.0, 0.5),
    "share of turning points": (0.2, 1.0),
    "entropy of the changes, bits": (0.9, 4.0),
    "correlation after one beat": (-0.95, 0.95),
    "correlation after two beats": (-0.65, 0.97),
    "correlation after three beats": (-0.95, 0.95),
    "correlation after four beats": (-0.75, 0.98),
    "log of the median change after two beats": (-4.5, -0.8),
    "log of the median change after three beats": (-4.5, -0.45),
    "log of the mean distance to the third nearest pair": (-4.8, -1.75),
    "largest step between intervals in the order of size": (0.0, 0.45),
}
FIGURES: Final = len(_RANGES)
_LOW: Final = np.array([low for low, _ in _RANGES.values()], dtype=np.float32)
_SPAN: Final = np.array([high - low for low, high in _RANGES.values()], dtype=np.float32)
_ROWS: Final = np.arange(4)
_LOGARITHMIC: Final = [place for place, name in enumerate(_RANGES) if name.startswith("log of")]


def figures(share: Rows, by_size: Rows, nearest: Rows) -> Rows:
    """FIGURES of each window, scaled to -1 to 1: shape (windows, FIGURES).

    `share`, (windows, beats), are the intervals as shares of their median, less 1, cut off at -0.5 and 0.5; `by_size`
    are the same in the order of size; `nearest`, (windows, beats - 1), is how far from each pair of successive
    intervals the third nearest other pair is.
    """
    rows, beats = share.shape
    change = share[:, 1:] - share[:, :-1]
    centred = share - _mean(share)[:, np.newaxis]
    variance = _mean(np.square(centred))
    found = np.empty((rows, FIGURES), dtype=np.float32)
    # What a median is taken of, each in its own length: sorted at once, since a call costs more than its work.
    sizes = np.full((rows, 4, beats), np.inf, dtype=np.float32)
    np.abs(change, out=sizes[:, 0, 1:])
    np.abs(share, out=sizes[:, 1])
    for lag in (2, 3):
        np.abs(share[:, lag:] - share[:, :-lag], out=sizes[:, lag, lag:])
    found[:, 0] = _mean(sizes[:, 0, 1:])
    sizes.sort(axis=2)
    found[:, (1, 3, 14, 15)] = sizes[:, _ROWS, [(beats - lag) // 2 for lag in (1, 0, 2, 3)]]
    np.sqrt(variance, out=found[:, 2])
    found[:, 4:8] = by_size[:, (0, beats // 20, -1 - beats // 20, -1)]
    found[:, 8] = np.add.reduce(change[:, 1:] * change[:, :-1] < 0.0, axis=1, dtype=np.float64) / (beats - 2)
    found[:, 9] = _entropy(change)
    steady = np.where(variance > NO_VARIANCE, variance, np.float32(1.0))
    for lag in (1, 2, 3, 4):
        found[:, 9 + lag] = _mean(centred[:, lag:] * centred[:, :-lag]) / steady
    found[:, 16] = _mean(nearest)
    found[:, 17] = np.maximum.reduce(by_size[:, 1:] - by_size[:, :-1], axis=1)
    found[:, _LOGARITHMIC] = np.log(found[:, _LOGARITHMIC] + np.float32(FLOOR))
    found -= _LOW
    found *= 2.0 / _SPAN
    found -= 1.0
    np.maximum(found, -1.0, out=found)
    return np.minimum(found, 1.0, out=found)


def _mean(values: Rows) -> Rows:
    """The mean of each row."""
    return np.asarray(np.add.reduce(values, axis=1) / np.float32(values.shape[1]))


def _entropy(change: Rows) -> Rows:
    """Shannon entropy in bits of the histogram of changes from beat to beat, in BINS and one more at either end."""
    rows, count = change.shape
    bins = np.floor(change * BINS)
    bins += BINS // 2 + 1
    np.minimum(np.maximum(bins, 0.0, out=bins), BINS + 1.0, out=bins)
    bins += (BINS + 2) * np.arange(rows)[:, np.newaxis]
    counts = np.bincount(bins.astype(np.intp).ravel(), minlength=(BINS + 2) * rows)
    shares = counts.reshape(rows, BINS + 2) / count
    return np.asarray(-np.add.reduce(shares * np.log2(np.maximum(shares, 1.0 / count)), axis=1), dtype=np.float32)
