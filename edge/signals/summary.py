"""What a minute, an hour or a day of one channel was like, in a few numbers: all that leaves the house of a signal."""

from __future__ import annotations

import math
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
class Summary:
    """A stretch of one channel; values are in the channel's unit, and None where they cannot be known.

    `n` good samples, of which the rest tells: good are those of a worn wearable, within the channel's range and not
    marked as artefacts. `coverage` is the share of the stretch that they cover, 0..1: for RR intervals their sum, for
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


def summarise(
    channel: Channel,
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    marks: NDArray[np.bool_] | None = None,
    times: NDArray[np.float64] | None = None,
    *,
    seconds: float = _MINUTE_S,
) -> Summary | None:
    """Sum up the samples of a stretch of `seconds`, None where there are none.

    `values` are in the channel's unit, `quality` holds the flags of Quality, `marks` is True where a sample is an
    artefact, `times` are seconds since 1970 UTC, needed for the coverage of raw channels; all have the shape
    (samples,), but for the values of a channel with axes: (samples, axes).
    """
    if not values.size:
        return None
    if channel in RAW_CHANNELS:
        tally = RawTally(channel)
        tally.add(values, quality, times)
        return tally.summary(seconds)
    sound = (quality & _BAD) == 0
    artefacts = None if marks is None else int(np.count_nonzero(marks & sound))
    good = values[sound] if marks is None else values[sound & ~marks]
    coverage = _coverage(channel, good, seconds)
    if not good.size:
        return Summary(n=0, coverage=coverage, artefacts=artefacts)
    p5, p50, p95 = np.percentile(good, (5.0, 50.0, 95.0))
    return Summary(
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


class RawTally:
    """A raw channel's Summary, piece by piece, so that a day of it need not be in memory at once."""

    def __init__(self, channel: Channel) -> None:
        self._moves = channel is Channel.ACCELERATION
        self._samples = 0
        self._n = 0
        self._covered_s: float | None = 0.0
        self._last = -math.inf
        self._enmo = 0.0
        self._highest = 0.0
        # The vector's length less 1 g, and its square: sums of small numbers lose little.
        self._excess = 0.0
        self._squares = 0.0

    def add(self, values: NDArray[np.float64], quality: NDArray[np.uint8], times: NDArray[np.float64] | None) -> None:
        """Take the next samples, in the order of time; shapes and units as for `summarise`."""
        self._samples += len(values)
        sound = (quality & _BAD) == 0
        self._cover(None if times is None else times[sound])
        good = values[sound]
        self._n += len(good)
        if self._moves and len(good):
            excess = np.sqrt(np.square(good).sum(axis=1)) - _GRAVITY_MG
            enmo = np.maximum(excess, 0.0)
            self._enmo += float(enmo.sum())
            self._highest = max(self._highest, float(enmo.max()))
            self._excess += float(excess.sum())
            self._squares += float(np.square(excess).sum())

    def _cover(self, times: NDArray[np.float64] | None) -> None:
        if times is None or self._covered_s is None:
            self._covered_s = None
        elif times.size:
            steps = np.diff(times, prepend=self._last)
            self._covered_s += float(steps[steps <= _RAW_GAP_S].sum())
            self._last = float(times[-1])

    def summary(self, seconds: float) -> Summary | None:
        """Of all that was taken, as a stretch of `seconds`; None where nothing was."""
        if not self._samples:
            return None
        coverage = None if self._covered_s is None else min(1.0, self._covered_s / seconds)
        if not self._moves or not self._n:
            return Summary(n=self._n, coverage=coverage, artefacts=None)
        spread = max(0.0, self._squares - self._excess**2 / self._n)
        return Summary(
            n=self._n,
            coverage=coverage,
            artefacts=None,
            mean=self._enmo / self._n,
            sd=math.sqrt(spread / (self._n - 1)) if self._n > 1 else None,
            maximum=self._highest,
        )


def _coverage(channel: Channel, good: NDArray[np.float64], seconds: float) -> float | None:
    if channel is Channel.RR_INTERVAL:
        return min(1.0, float(good.sum()) / 1000.0 / seconds)
    if channel in _PER_MINUTE:
        return min(1.0, good.size / _PER_MINUTE[channel] * _MINUTE_S / seconds)
    return None
