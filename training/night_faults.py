"""What a strap does to a night of RR intervals and a sleep laboratory's recorder does not.

Rounding, jitter, missed and invented beats and lost packets are the strap's; ectopic beats are the heart's, added
because both sets of nights were cleaned by their authors. The extents are our choice: wide of what recordings show.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Beats = NDArray[np.float64]

# Steps in s of a wearable's clock: none, the Heart Rate Service's 1/1024 s, and the 8 ms of 125 samples a second.
CLOCK_STEPS_S: Final = (1e-6, 1.0 / 1024.0, 0.008)
TROUBLED: Final = 0.5
LARGEST_JITTER_S: Final = 0.008
# Of all beats at most so many, in one of two nights: few in most, many in some.
ECTOPIC: Final = (0.002, 0.01, 0.03)
MISSED: Final = (0.002, 0.01, 0.03)
INVENTED: Final = (0.002, 0.01)
GAPS: Final = 5
MEAN_GAP_S: Final = 40.0
SHORTEST_MS: Final = 150.0


def trouble(times: Beats, rr_ms: Beats, random: np.random.Generator) -> tuple[Beats, Beats]:
    """Trouble a night of RR intervals `rr_ms` (ms) that end at `times` (s): times and intervals of the beats told.

    Where beats are lost with their packets, the interval after the gap is the heart's own, as a strap sends it.
    """
    beats = np.concatenate((times[:1] - rr_ms[:1] / 1000.0, times))
    if random.random() < TROUBLED:
        beats = beats + random.normal(0.0, random.uniform(0.0, LARGEST_JITTER_S), len(beats))
    if random.random() < TROUBLED:
        early = random.random(len(beats)) < random.choice(ECTOPIC) * random.random()
        pause = np.diff(beats, append=beats[-1]).clip(0.0, 2.0)
        beats = beats - np.where(early, random.uniform(0.15, 0.4) * pause, 0.0)
    if random.random() < TROUBLED:
        beats = beats[random.random(len(beats)) >= random.choice(MISSED) * random.random()]
    if random.random() < TROUBLED:
        before = np.flatnonzero(random.random(len(beats) - 1) < random.choice(INVENTED) * random.random())
        invented = beats[before] + random.uniform(0.3, 0.7, len(before)) * np.diff(beats)[before]
        beats = np.concatenate((beats, invented))
    step = random.choice(CLOCK_STEPS_S)
    beats = np.sort(np.rint(beats / step) * step)
    ends, intervals = beats[1:], np.diff(beats) * 1000.0
    kept = intervals > SHORTEST_MS
    if random.random() < TROUBLED:
        for _ in range(random.integers(1, GAPS + 1)):
            begin = random.uniform(ends[0], ends[-1])
            kept &= (ends < begin) | (ends > begin + random.exponential(MEAN_GAP_S))
    return ends[kept], intervals[kept]
