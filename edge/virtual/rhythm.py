"""Simulated hearts, for the demo and the tests; no model is trained or judged on them.

The figures are our choice; those that matter were measured in every fifth record of the Long-Term AF Database
(PhysioNet) over windows of 60 beats: in AF the RR intervals' coefficient of variation is 0.19 (half of the windows lie
between 0.17 and 0.23) and neighbours are uncorrelated (median autocorrelation -0.01); in sinus rhythm it is 0.03, and
neighbours go together (0.55).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import chain
from typing import Final

_AF_VARIATION: Final = 0.19  # of the intervals, as standard deviation over mean. Our choice
_SHORTEST_AF_MS: Final = 300.0  # the atrioventricular node lets no more than about 200 beats a minute through
_BREATHS_HZ: Final = 0.25  # 15 breaths a minute
_SLOW_WAVE_HZ: Final = 0.1  # blood pressure's own rhythm
_EARLY_BEATS: Final = 0.005  # share of beats that come early, followed by a pause
_EARLY: Final = 0.65  # of the interval that was due


def sinus(seconds: float, *, bpm: float, chance: random.Random) -> Iterator[float]:
    """RR intervals (ms) of a resting heart for `seconds`: breathing, a slow wave, some noise, a few early beats."""
    mean = 60_000.0 / bpm
    at = 0.0
    pause = 0.0
    while at < seconds:
        swing = 0.03 * math.sin(math.tau * _BREATHS_HZ * at) + 0.02 * math.sin(math.tau * _SLOW_WAVE_HZ * at)
        interval = mean * (1.0 + swing + chance.gauss(0.0, 0.008)) + pause
        pause = 0.0
        if chance.random() < _EARLY_BEATS:
            pause = interval * (1.0 - _EARLY)
            interval *= _EARLY
        at += interval / 1000.0
        yield interval


def atrial_fibrillation(seconds: float, *, bpm: float, chance: random.Random) -> Iterator[float]:
    """RR intervals (ms) in atrial fibrillation for `seconds`: each drawn by itself from a gamma distribution."""
    shape = 1.0 / _AF_VARIATION**2
    scale = 60_000.0 / bpm / shape
    at = 0.0
    while at < seconds:
        interval = max(_SHORTEST_AF_MS, chance.gammavariate(shape, scale))
        at += interval / 1000.0
        yield interval


def story(chance: random.Random) -> Iterator[float]:
    """RR intervals (ms) of the demo: three minutes of sinus rhythm, ten of atrial fibrillation, ten of sinus rhythm."""
    return chain(
        sinus(180.0, bpm=66.0, chance=chance),
        atrial_fibrillation(600.0, bpm=95.0, chance=chance),
        sinus(600.0, bpm=70.0, chance=chance),
    )
