"""Signals of a made-up body, as functions of time, for the demo and the tests; no model is trained or judged on them.

All figures are our choice: shapes that look like the real thing, and of which any sample can be told from its time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# The waves of a heartbeat: place in the beat's time 0..1, width, height in µV. P, Q, R, S, T.
_WAVES: Final = ((0.18, 0.025, 120), (0.285, 0.008, -100), (0.3, 0.008, 1100), (0.318, 0.01, -250), (0.55, 0.05, 280))
_BEATS_HZ: Final = 1.1
_BREATHS_HZ: Final = 0.25
_GRAVITY_MG: Final = (80.0, 970.0, 200.0)
_LIGHT: Final = 250_000.0


def ecg(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Microvolts between a chest strap's electrodes at each of `times` (s)."""
    phase = (times * _BEATS_HZ) % 1.0
    waves = sum(height * np.exp(-(((phase - place) / width) ** 2)) for place, width, height in _WAVES)
    found: NDArray[np.int64] = np.rint(waves + 40.0 * np.sin(np.pi * 2.0 * _BREATHS_HZ * times)).astype(np.int64)
    return found


def acceleration(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Milli-g along x, y and z of a chest that breathes, at each of `times` (s): shape (times, 3)."""
    breath = np.sin(np.pi * 2.0 * _BREATHS_HZ * times)
    beat = np.sin(np.pi * 2.0 * _BEATS_HZ * times)
    axes = [level + 12.0 * breath * sign + 4.0 * beat for level, sign in zip(_GRAVITY_MG, (1, -1, 1), strict=True)]
    found: NDArray[np.int64] = np.rint(np.stack(axes, axis=1)).astype(np.int64)
    return found


def light(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """What three diodes and the ambient light make of a wrist's pulse, at each of `times` (s): shape (times, 4)."""
    pulse = np.sin(np.pi * 2.0 * _BEATS_HZ * times)
    diodes = [_LIGHT * (1.0 + 0.1 * number) + 900.0 * pulse for number in range(3)]
    lights = np.stack([*diodes, np.full_like(times, 4_000.0)], axis=1)
    found: NDArray[np.int64] = np.rint(lights).astype(np.int64)
    return found
