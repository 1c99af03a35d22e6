"""Stored or recorded RR intervals, which have times of their own, back to Readings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, Channel, Quality, Reading, Source

# Two beats further apart than their RR interval by more than this have others missing between them; and where the sum
# of the intervals has drifted from the stamps by more than this, the stamps are right. Our choice: below the shortest
# RR interval, above the rounding of any usual recording.
TOLERANCE_S: Final = 0.15


def readings_of(
    source: Source, times: NDArray[np.float64], rr_ms: NDArray[np.float64], quality: NDArray[np.uint8] | None = None
) -> Iterator[Reading]:
    """Readings of RR intervals `rr_ms` (ms) that end at `times` (s, increasing), all of the shape (beats,).

    `quality` holds flags of Quality; without it, what lies outside the channel's range is marked so. One Reading for
    each run of beats without a gap and of one quality.
    """
    if not times.size:
        return
    facts = CHANNELS[Channel.RR_INTERVAL]
    if quality is None:
        outside = (rr_ms < facts.low) | (rr_ms > facts.high)
        quality = np.where(outside, Quality.OUT_OF_RANGE, Quality.GOOD).astype(np.uint8)
    flags = quality & ~np.uint8(Quality.GAP_BEFORE)
    gap = np.diff(times, prepend=-np.inf) - rr_ms / 1000.0 > TOLERANCE_S
    drift = np.floor((np.cumsum(rr_ms) / 1000.0 - times) / TOLERANCE_S)
    begins = gap | (np.diff(flags, prepend=flags[:1]) != 0) | (np.diff(drift, prepend=drift[:1]) != 0)
    bounds = [*np.flatnonzero(begins).tolist(), len(times)]
    for begin, end in pairwise(bounds):
        known = Quality(int(flags[begin]))
        yield Reading(
            person=source.person,
            device=source.device,
            channel=Channel.RR_INTERVAL,
            unit=facts.unit,
            start=float(times[begin] - rr_ms[begin] / 1000.0),
            received_at=float(times[end - 1]),
            values=tuple(rr_ms[begin:end].tolist()),
            quality=known | Quality.GAP_BEFORE if gap[begin] else known,
        )
