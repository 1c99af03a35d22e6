"""The coefficient of sample entropy: the figure without training that any network must clear."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Lake & Moorman, "Accurate estimation of entropy in very short physiological time series: the problem of atrial
# fibrillation detection in implanted ventricular devices", Am J Physiol Heart Circ Physiol 300, 2011: templates of one
# beat, a tolerance of 30 ms, widened until at least five pairs of two beats match.
TOLERANCE_MS: Final = 30.0
FEWEST_MATCHES: Final = 5


def coefficient_of_sample_entropy(rr_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """COSEn of windows of shape (windows, beats) in ms: the higher, the more irregular; shape (windows,)."""
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
