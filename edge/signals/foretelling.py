"""How much the intervals before one tell of it: nothing in atrial fibrillation, a lot under the sway of the breath."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Two intervals are alike when their ranks are within an eighth of all of them. Our choice: ranks, because an eighth of
# them are alike in every rhythm, however its intervals are spread, so that one limit holds for everybody.
ALIKE: Final = 0.125
# Intervals of which two must be alike for the next to be foretold, and that next one.
ROW: Final = 3


def foretold(rr_ms: NDArray[np.float64]) -> float:
    """How much likelier the successors of two like pairs of intervals are alike than any two intervals are.

    `rr_ms` are at least ROW + 1 consecutive intervals, (beats,). The result is the natural logarithm of that ratio: 0
    where each interval is drawn by itself, above 0 where the two before it tell of it. Raises ValueError for fewer.

    With C(m), the share of pairs of stretches of m intervals that are alike throughout, it is ln C(3) - ln C(2) -
    ln C(1): the correlation integrals of Grassberger & Procaccia, Physica D 9, 1983, compared as in the test of
    independence of Brock, Dechert, Scheinkman & LeBaron, Econometric Reviews 15, 1996, where C(m) = C(1)^m.
    """
    beats = len(rr_ms)
    if beats <= ROW:
        raise ValueError(f"{beats} intervals say nothing of each other")
    by_size = np.sort(rr_ms)
    # Equal intervals share the middle of their ranks.
    rank = (np.searchsorted(by_size, rr_ms, "left") + np.searchsorted(by_size, rr_ms, "right")) / (2.0 * beats)
    alike = np.abs(rank[:, np.newaxis] - rank) <= ALIKE
    together, shares = alike, [_share(alike)]
    for lag in range(1, ROW):
        together = together[:-1, :-1] & alike[lag:, lag:]
        shares.append(_share(together))
    # Where not even two stretches are alike, nothing was foretold.
    return float(np.log(shares[2] / (shares[1] * shares[0]))) if shares[2] > 0.0 else -np.inf


def _share(alike: NDArray[np.bool_]) -> float:
    """The share of pairs that are alike, each with itself left out."""
    count = len(alike)
    return float((np.count_nonzero(alike) - count) / (count * (count - 1)))
