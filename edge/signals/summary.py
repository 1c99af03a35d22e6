"""What one minute of one channel was like, in a few numbers: all that leaves the house of a signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import UNSOUND, Channel

_MINUTE_S: Final = 60.0
_BAD: Final = int(UNSOUND)
# Samples a minute of a channel that comes at a steady pace: heart rate is typically notified once a second (Heart Rate
# Service 1.0, 3.1). A battery level comes when it changes, so that nothing can be missing from a minute.
_PER_MINUTE: Final[Mapping[Channel, float]] = MappingProxyType({Channel.HEART_RATE: 60.0})


@dataclass(frozen=True, slots=True)
class MinuteSummary:
    """One minute of one channel; values are in the channel's unit, and None where they cannot be known.

    `n` good samples, of which the rest tells: good are those of a worn wearable, within the channel's range and not
    marked as artefacts. `coverage` is the share of the minute that they cover, 0..1: for RR intervals their sum, for
    heart rate how many of the 60 a minute there are; None for a channel without a pace. `artefacts` is the count of
    marked samples, None where nobody has looked for them. `sd` is the sample standard deviation (n - 1); percentiles
    are interpolated linearly (type 7 of Hyndman and Fan, The American Statistician 50(4), 1996).
    """

    n: int
    coverage: float | None
    artefacts: int | None
    mean: float | None = None
    sd: float | None = None
    minimum: float | None = None
    p5: float | None = None
    p50: float | None = None
    p95: float | None = None
    maximum: float | None = None


def summarise_minute(
    channel: Channel,
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    marks: NDArray[np.bool_] | None = None,
) -> MinuteSummary | None:
    """Sum up the samples of one minute, None where there are none.

    `values` are in the channel's unit, `quality` holds the flags of Quality, `marks` is True where a sample is an
    artefact; all have the shape (samples,).
    """
    if not values.size:
        return None
    sound = (quality & _BAD) == 0
    artefacts = None if marks is None else int(np.count_nonzero(marks & sound))
    good = values[sound] if marks is None else values[sound & ~marks]
    coverage = _coverage(channel, good)
    if not good.size:
        return MinuteSummary(n=0, coverage=coverage, artefacts=artefacts)
    p5, p50, p95 = np.percentile(good, (5.0, 50.0, 95.0))
    return MinuteSummary(
        n=good.size,
        coverage=coverage,
        artefacts=artefacts,
        mean=float(good.mean()),
        sd=float(good.std(ddof=1)) if good.size > 1 else None,
        minimum=float(good.min()),
        p5=float(p5),
        p50=float(p50),
        p95=float(p95),
        maximum=float(good.max()),
    )


def _coverage(channel: Channel, good: NDArray[np.float64]) -> float | None:
    if channel is Channel.RR_INTERVAL:
        return min(1.0, float(good.sum()) / 1000.0 / _MINUTE_S)
    if channel in _PER_MINUTE:
        return min(1.0, good.size / _PER_MINUTE[channel])
    return None
