"""What one minute of one channel was like, in a few numbers: all that leaves the house of a signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import RAW_CHANNELS, UNSOUND, Channel

_MINUTE_S: Final = 60.0
_BAD: Final = int(UNSOUND)
# Samples a minute of a channel that comes at a steady pace: heart rate is typically notified once a second (Heart Rate
# Service 1.0, 3.1). A battery level comes when it changes, so that nothing can be missing from a minute.
_PER_MINUTE: Final[Mapping[Channel, float]] = MappingProxyType({Channel.HEART_RATE: 60.0})
# Between samples of a raw channel further apart than this some are missing. Our choice: they come at 10 Hz and faster.
_RAW_GAP_S: Final = 0.2
# What a sensor at rest feels, in mg.
_GRAVITY_MG: Final = 1000.0


@dataclass(frozen=True, slots=True)
class MinuteSummary:
    """One minute of one channel; values are in the channel's unit, and None where they cannot be known.

    `n` good samples, of which the rest tells: good are those of a worn wearable, within the channel's range and not
    marked as artefacts. `coverage` is the share of the minute that they cover, 0..1: for RR intervals their sum, for
    heart rate how many of the 60 a minute there are, for raw channels the time without a gap; None for a channel
    without a pace. `artefacts` is the count of marked samples, None where nobody has looked for them. `sd` is the
    sample standard deviation (n - 1); percentiles are interpolated linearly (type 7 of Hyndman and Fan, The American
    Statistician 50(4), 1996).

    Of acceleration `mean` and `maximum` are of ENMO, the vector's length less 1 g and no less than 0, in mg: how much
    somebody moves, however the sensor is turned (van Hees et al., "Separating movement and gravity components in an
    acceleration signal", PLoS ONE 8(4): e61691, 2013). A sensor that is out of calibration shifts it; `sd` is that of
    the length itself, which no such shift changes. Of ECG and pulse waves no more than the coverage is told.
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
    times: NDArray[np.float64] | None = None,
) -> MinuteSummary | None:
    """Sum up the samples of one minute, None where there are none.

    `values` are in the channel's unit, `quality` holds the flags of Quality, `marks` is True where a sample is an
    artefact, `times` are seconds since 1970 UTC, needed for the coverage of raw channels; all have the shape
    (samples,), but for the values of a channel with axes: (samples, axes).
    """
    if not values.size:
        return None
    sound = (quality & _BAD) == 0
    if channel in RAW_CHANNELS:
        return _raw_summary(channel, values[sound], None if times is None else times[sound])
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


def _raw_summary(channel: Channel, values: NDArray[np.float64], times: NDArray[np.float64] | None) -> MinuteSummary:
    """Of good samples in the order of time, some or none."""
    coverage = None
    if times is not None:
        steps = np.diff(times)
        coverage = min(1.0, float(steps[steps <= _RAW_GAP_S].sum()) / _MINUTE_S)
    if channel is not Channel.ACCELERATION or not len(values):
        return MinuteSummary(n=len(values), coverage=coverage, artefacts=None)
    length_mg = np.sqrt(np.square(values).sum(axis=1))
    enmo_mg = np.maximum(length_mg - _GRAVITY_MG, 0.0)
    return MinuteSummary(
        n=len(values),
        coverage=coverage,
        artefacts=None,
        mean=float(enmo_mg.mean()),
        sd=float(length_mg.std(ddof=1)) if len(values) > 1 else None,
        maximum=float(enmo_mg.max()),
    )


def _coverage(channel: Channel, good: NDArray[np.float64]) -> float | None:
    if channel is Channel.RR_INTERVAL:
        return min(1.0, float(good.sum()) / 1000.0 / _MINUTE_S)
    if channel in _PER_MINUTE:
        return min(1.0, good.size / _PER_MINUTE[channel])
    return None
