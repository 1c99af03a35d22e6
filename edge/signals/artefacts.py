"""Which RR intervals the detector got wrong: beats that were missed, found twice, or cannot be."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, Channel

# Eleven beats around each interval make its local median: Lipponen & Tarvainen, "A robust algorithm for heart rate
# variability time series artefact correction using novel beat classification", J Med Eng Technol 43(3), 2019.
NEIGHBOURHOOD: Final = 11
# Our choice, where that paper scales its limit by the spread of the intervals: a fixed limit and a steady
# neighbourhood, because in atrial fibrillation any interval may be the double of another by right. A detector's fault
# can be told from the heart's own irregularity only where the rhythm around it is steady: 8 of the 11 within 10 % leave
# room for the fault itself and for one ectopic beat with its pause.
TOLERANCE: Final = 0.10
STEADY_BEATS: Final = 8
FACTS: Final = CHANNELS[Channel.RR_INTERVAL]
# Places are remembered for so many lengths of a window, and made anew for longer ones, of which no two are of one
# length: 1.4 MB at most. Our choice.
_LENGTHS: Final = 16
_LONGEST: Final = 1024


def _neighbours(beats: int) -> NDArray[np.intp]:
    return _places(beats) if beats <= _LONGEST else _places.__wrapped__(beats)


@lru_cache(maxsize=_LENGTHS)
def _places(beats: int) -> NDArray[np.intp]:
    """For each of `beats` places the indices of its neighbourhood, moved inwards at the two ends."""
    width = min(NEIGHBOURHOOD, beats)
    first = np.clip(np.arange(beats) - width // 2, 0, beats - width)
    return np.asarray(first[:, np.newaxis] + np.arange(width), dtype=np.intp)


def mark_artefacts(rr_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the RR intervals that the detector, not the heart, has made; marked, never removed.

    `rr_ms` are consecutive intervals in ms along the last axis, of any shape; so is the result. An interval is marked
    1. outside the channel's physical range (200 to 3000 ms);
    2. when a beat was missed: it is close to 2, 3, ... local medians (the test "RR/2 is close to the median" of
       Lipponen & Tarvainen 2019, carried on to more than one missed beat);
    3. when a beat was found that is none: it and its successor together are close to one local median (same paper).
    Rules 2 and 3 hold only where the neighbourhood is steady, see above. Ectopic beats are not marked: their interval
    and the pause after it make two medians, not one.
    """
    marks = (rr_ms < FACTS.low) | (rr_ms > FACTS.high)
    if rr_ms.shape[-1] < NEIGHBOURHOOD:
        return marks
    around = rr_ms.take(_neighbours(rr_ms.shape[-1]), axis=-1)
    median = np.partition(around, NEIGHBOURHOOD // 2, axis=-1)[..., NEIGHBOURHOOD // 2]
    limit = TOLERANCE * median
    # Between intervals of nothing, which a faulty strap may send, the median is nothing: rule 1 has marked them.
    multiple = np.rint(rr_ms / np.maximum(median, 1.0))
    missed = (multiple >= 2.0) & (np.abs(rr_ms - multiple * median) <= multiple * limit)
    split = np.abs(rr_ms[..., :-1] + rr_ms[..., 1:] - median[..., :-1]) <= limit[..., :-1]
    if missed.any() or split.any():
        near = np.abs(around - median[..., np.newaxis]) <= limit[..., np.newaxis]
        steady = near.sum(axis=-1) >= STEADY_BEATS
        split &= steady[..., :-1]
        marks |= missed & steady
        marks[..., :-1] |= split
        marks[..., 1:] |= split
    return marks
