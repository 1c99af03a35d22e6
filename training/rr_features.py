"""RR intervals in numbers made by hand: the field's rules without training, and what the peers of the network see."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

# Lake & Moorman, "Accurate estimation of entropy in very short physiological time series: the problem of atrial
# fibrillation detection in implanted ventricular devices", Am J Physiol Heart Circ Physiol 300, 2011: templates of one
# beat, a tolerance of 30 ms, widened until at least five pairs of two beats match.
TOLERANCE_MS: Final = 30.0
FEWEST_MATCHES: Final = 5
# Windows that are compared with themselves at once: what fits into some hundred megabytes.
CHUNK: Final = 400

FEATURE_NAMES: Final = (
    "coefficient_of_sample_entropy",
    "rmssd",
    "mean_change",
    "median_change",
    "spread",
    "median_distance",
    "lowest",
    "fifth_percentile",
    "ninety_fifth_percentile",
    "highest",
    "changes_over_5_percent",
    "changes_over_10_percent",
    "changes_over_20_percent",
    "turning_points",
    "entropy_of_changes",
    *(f"correlation_after_{lag}" for lag in (1, 2, 3, 4)),
    *(f"median_change_after_{lag}" for lag in (2, 3)),
    "median_ms",
    "steadiest_quarter",
    "least_steady_quarter",
)
_CHANGE_EDGES: Final = np.linspace(-0.5, 0.5, 17)


def coefficient_of_sample_entropy(rr_ms: Rows) -> Rows:
    """COSEn of windows of shape (windows, beats) in ms: the higher, the more irregular; shape (windows,)."""
    if len(rr_ms) > CHUNK:
        chunks = np.array_split(rr_ms, -(-len(rr_ms) // CHUNK))
        return np.concatenate([coefficient_of_sample_entropy(chunk) for chunk in chunks])
    distance = np.abs(rr_ms[:, :, np.newaxis] - rr_ms[:, np.newaxis, :])
    first, second = np.triu_indices(rr_ms.shape[1] - 1, 1)
    of_one = distance[:, first, second]
    of_two = np.maximum(of_one, distance[:, first + 1, second + 1])
    fifth = np.partition(of_two, FEWEST_MATCHES - 1, axis=1)[:, FEWEST_MATCHES - 1]
    tolerance = np.maximum(TOLERANCE_MS, fifth)
    matches_of_one = np.count_nonzero(of_one <= tolerance[:, np.newaxis], axis=1)
    matches_of_two = np.count_nonzero(of_two <= tolerance[:, np.newaxis], axis=1)
    entropy = np.log(matches_of_one / matches_of_two)
    return np.asarray(entropy + np.log(2.0 * tolerance) - np.log(rr_ms.mean(axis=1)), dtype=np.float64)


def irregularity(rr_ms: Rows) -> Rows:
    """Root mean square of successive differences over the mean RR interval; shape (windows,).

    Tateno & Glass, "Automatic detection of atrial fibrillation using the coefficient of variation and density
    histograms of RR and dRR intervals", Med Biol Eng Comput 39, 2001, and Dash et al., "Automatic real time detection
    of atrial fibrillation", Ann Biomed Eng 37, 2009, judge by such shares.
    """
    return np.asarray(np.sqrt(np.mean(np.diff(rr_ms, axis=1) ** 2, axis=1)) / rr_ms.mean(axis=1))


def features(rr_ms: Rows) -> NDArray[np.float32]:
    """FEATURE_NAMES of windows of shape (windows, beats) in ms: shape (windows, features); shares of the median."""
    if not len(rr_ms):
        return np.zeros((0, len(FEATURE_NAMES)), dtype=np.float32)
    median_ms = np.median(rr_ms, axis=1, keepdims=True)
    level = rr_ms / median_ms - 1.0
    change = np.diff(level, axis=1)
    size = np.abs(change)
    quarters = np.stack([part.std(axis=1) for part in np.array_split(level, 4, axis=1)], axis=1)
    columns = [
        coefficient_of_sample_entropy(rr_ms),
        irregularity(rr_ms),
        size.mean(axis=1),
        np.median(size, axis=1),
        level.std(axis=1),
        np.median(np.abs(level), axis=1),
        *np.percentile(level, (0.0, 5.0, 95.0, 100.0), axis=1),
        *((size > share).mean(axis=1) for share in (0.05, 0.10, 0.20)),
        (change[:, 1:] * change[:, :-1] < 0.0).mean(axis=1),
        _entropy(change),
        *(_correlation(level, lag) for lag in (1, 2, 3, 4)),
        *(np.median(np.abs(level[:, lag:] - level[:, :-lag]), axis=1) for lag in (2, 3)),
        median_ms[:, 0],
        quarters.min(axis=1),
        quarters.max(axis=1),
    ]
    return np.asarray(np.stack(columns, axis=1), dtype=np.float32)


def _entropy(change: Rows) -> Rows:
    """Shannon entropy in bits of the histogram of changes from beat to beat."""
    bins = np.digitize(change, _CHANGE_EDGES)
    shares = np.stack([(bins == number).mean(axis=1) for number in range(len(_CHANGE_EDGES) + 1)], axis=1)
    return np.asarray(-(shares * np.log2(np.where(shares > 0.0, shares, 1.0))).sum(axis=1))


def _correlation(level: Rows, lag: int) -> Rows:
    """Autocorrelation after `lag` beats, 0 where nothing varies."""
    centred = level - level.mean(axis=1, keepdims=True)
    variance = np.mean(centred**2, axis=1)
    together = np.mean(centred[:, lag:] * centred[:, :-lag], axis=1)
    return np.asarray(together / np.where(variance > 0.0, variance, 1.0))
