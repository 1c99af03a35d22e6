"""Hand-made numbers of the quarter of an hour that ends with a minute: what the peers of the sleep apnoea model see."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.signals.heart_minutes import STEP_S

# Edges in Hz of the bands of the heart rate's swings: very low frequency, the swings of apnoea (0.01 to 0.05 Hz, see
# edge.signals.sleep_apnoea) in four, low frequency and the breath, as far as steps of two seconds show it.
BANDS_HZ: Final = (0.004, 0.01, 0.016, 0.024, 0.034, 0.05, 0.08, 0.15, 0.25)
SPECTRA_MIN: Final = (3, 6)
STRETCHES_MIN: Final = (1, 2, 3, 5, 10, 15)
RULE_MIN: Final = 5

SPREADS: Final = tuple(f"{what}_{m}_min" for m in STRETCHES_MIN for what in ("rate", "spread", "range", "change"))
POWERS: Final = tuple(f"power_{low:g}_{high:g}_hz_{m}_min" for m in SPECTRA_MIN for low, high in pairwise(BANDS_HZ))
LASTS: Final = tuple(f"{what}_{m}_min_ago" for m in range(1, 11) for what in ("rate", "spread", "change"))
FEATURE_NAMES: Final = (*SPREADS, *POWERS, *LASTS)
OF_MINUTE: Final = round(60.0 / STEP_S)


def features(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """FEATURE_NAMES of Windows of a quarter of an hour, (windows, steps, 2) in ms: (windows, features).

    Rates are shares of the window's mean heart rate; powers are logarithms.
    """
    rate, change = _filled(60_000.0 / values[..., 0]), np.log(_filled(values[..., 1]) + 1.0)
    rate = rate / rate.mean(axis=1, keepdims=True)
    columns = []
    for minutes in STRETCHES_MIN:
        last, own = rate[:, -minutes * OF_MINUTE :], change[:, -minutes * OF_MINUTE :]
        columns += [last.mean(axis=1), last.std(axis=1), np.ptp(last, axis=1), own.mean(axis=1)]
    for minutes in SPECTRA_MIN:
        columns += list(np.log(_powers(rate[:, -minutes * OF_MINUTE :], BANDS_HZ) + 1e-9).T)
    for ago in range(1, 11):
        part = slice(-(ago + 1) * OF_MINUTE, -ago * OF_MINUTE)
        columns += [rate[:, part].mean(axis=1), rate[:, part].std(axis=1), change[:, part].mean(axis=1)]
    return np.column_stack(columns).astype(np.float32)


def swing_share(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rule of the field: of the heart rate's power up to 0.25 Hz in five minutes, the share of 0.01 to 0.05 Hz.

    After Drinnan, Allen, Langley, Murray, "Detection of sleep apnoea from frequency analysis of heart rate
    variability", Computers in Cardiology 27, 2000, who take 0.01 to 0.05 cycles a beat.
    """
    powers = _powers(_filled(60_000.0 / values[:, -RULE_MIN * OF_MINUTE :, 0]), (0.004, 0.01, 0.05, 0.25))
    return np.asarray(powers[:, 1] / np.maximum(powers.sum(axis=1), 1e-12))


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(windows, steps) where NaN takes the value before it, at the begin the row's mean, and 1 where all is unknown."""
    known = ~np.isnan(values)
    place = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), -1), axis=1)
    held = np.take_along_axis(values, np.maximum(place, 0), axis=1)
    mean = np.where(known, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known.any(axis=1, keepdims=True), mean, 1.0)
    return np.where(place < 0, mean, held)


def _powers(rate: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.float64]:
    """Power of each band between neighbouring edges (Hz), (windows, bands), in the rate without its line."""
    steps = rate.shape[1]
    line = np.linspace(-1.0, 1.0, steps)
    level = rate - rate.mean(axis=1, keepdims=True)
    level = level - (level @ line / (line @ line))[:, np.newaxis] * line
    power = np.abs(np.fft.rfft(level * np.hanning(steps), axis=1)) ** 2
    band = np.digitize(np.fft.rfftfreq(steps, STEP_S), edges) - 1
    return np.column_stack([power[:, band == of].sum(axis=1) for of in range(len(edges) - 1)])
