"""What another maker's wearable does to a motion: other rates, ranges, resolutions, orientations, noise, gaps, knocks.

The extents are our choice: wide of what data sheets and the recordings show, so that the network meets the worst of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Vectors = NDArray[np.float64]

# Samples a second that wearables offer, from Bangle.js and SensorTag (12.5 to 25) to ADXL345 (25, 50, 100), and ranges.
RATES_HZ: Final = (20.0, 25.0, 31.25, 32.0, 40.0, 50.0, 52.0, 62.5, 100.0)
RANGES_MG: Final = (16_000.0, 8_000.0, 4_000.0, 2_000.0)
RANGE_CHANCES: Final = (0.4, 0.3, 0.2, 0.1)
BITS: Final = (8, 10, 12)


@dataclass(frozen=True, slots=True)
class MotionFaults:
    """How much a motion is changed, and how often: shares of trials and of a value, mg and s."""

    largest_stretch: float = 0.08
    largest_gain: float = 0.1
    largest_offset_mg: float = 40.0
    largest_noise_mg: float = 15.0
    averaging_sensors: float = 0.5
    jittering_clocks: float = 0.5
    jitter: float = 0.1
    gapped_trials: float = 0.15
    longest_gap_s: float = 0.8
    lossy_trials: float = 0.2
    most_lost: float = 0.35
    short_trials: float = 0.2
    shortest_after_s: float = 1.4
    longest_after_s: float = 3.5
    knocked_trials: float = 0.3


def wear(
    times: Times, mg: Vectors, *, knocks: bool, faults: MotionFaults, random: np.random.Generator
) -> tuple[Times, Vectors]:
    """A motion at `times` (samples,) in s and `mg` (samples, 3), as another wearable would have measured it, likewise.

    With `knocks` short blows are added in some: the hand hits a table, or is clapped.
    """
    times = times * (1.0 + random.uniform(-faults.largest_stretch, faults.largest_stretch))
    mg = mg @ _rotation(random).T * (1.0 + random.uniform(-faults.largest_gain, faults.largest_gain))
    if knocks and random.random() < faults.knocked_trials:
        mg = mg + _knocks(times, random)
    if random.random() < faults.short_trials:
        # The recording ends soon after its hardest blow, or the sensor is broken by it.
        end = times[np.argmax(np.square(mg).sum(axis=1))] + random.uniform(
            faults.shortest_after_s, faults.longest_after_s
        )
        times, mg = times[times <= end], mg[times <= end]
    interval_s = 1.0 / float(random.choice(RATES_HZ))
    sampled = _sample(times, mg, interval_s, faults, random)
    sampled += random.uniform(-faults.largest_offset_mg, faults.largest_offset_mg, 3)
    sampled += random.normal(0.0, random.uniform(0.0, faults.largest_noise_mg), sampled.shape)
    limit = float(random.choice(RANGES_MG, p=RANGE_CHANCES))
    resolution = limit / 2.0 ** (int(random.choice(BITS)) - 1)
    sampled = np.clip(np.rint(sampled / resolution) * resolution, -limit, limit)
    taken = times[0] + np.arange(len(sampled)) * interval_s
    if random.random() < faults.lossy_trials:
        kept = random.random(len(taken)) >= random.uniform(0.0, faults.most_lost)
        taken, sampled = taken[kept], sampled[kept]
    return _with_gap(taken, sampled, faults, random)


def _rotation(random: np.random.Generator) -> NDArray[np.float64]:
    """A rotation, all of them alike probable, by a random unit quaternion (Shoemake, Graphics Gems III, p. 124)."""
    w, x, y, z = (parts := random.normal(size=4)) / np.linalg.norm(parts)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _knocks(times: Times, random: np.random.Generator) -> Vectors:
    """One to three half waves of 20 to 90 ms and 1.5 to 12 g, of any direction, up to 1.2 s apart."""
    added = np.zeros((len(times), 3))
    moment = random.uniform(times[0], times[-1])
    for _ in range(random.integers(1, 4)):
        direction = random.normal(size=3)
        phase = (times - moment) / random.uniform(0.02, 0.09)
        shape = np.where(np.abs(phase) < 0.5, np.cos(np.pi * phase), 0.0) * random.uniform(1_500.0, 12_000.0)
        added += shape[:, np.newaxis] * direction / np.linalg.norm(direction)
        moment += random.uniform(0.15, 1.2)
    return added


def _sample(times: Times, mg: Vectors, interval_s: float, faults: MotionFaults, random: np.random.Generator) -> Vectors:
    """Samples at a steady pace: the mean since the last one where the sensor averages, else the value of a moment."""
    count = int((times[-1] - times[0]) / interval_s)
    at = times[0] + (np.arange(count) + random.uniform(0.0, 1.0)) * interval_s
    if interval_s > np.median(np.diff(times)) and random.random() < faults.averaging_sensors:
        areas = np.cumsum((mg[1:] + mg[:-1]) / 2.0 * np.diff(times)[:, np.newaxis], axis=0)
        areas = np.concatenate((np.zeros((1, 3)), areas))
        edges = np.append(at, at[-1] + interval_s) - interval_s / 2.0
        return np.diff(_interpolated(edges, times, areas), axis=0) / interval_s
    if random.random() < faults.jittering_clocks:
        at = at + random.normal(0.0, faults.jitter * interval_s, count)
    return _interpolated(at, times, mg)


def _interpolated(at: Times, times: Times, values: Vectors) -> Vectors:
    return np.column_stack([np.interp(at, times, axis) for axis in values.T])


def _with_gap(
    times: Times, sampled: Vectors, faults: MotionFaults, random: np.random.Generator
) -> tuple[Times, Vectors]:
    """The samples, in some trials without those of 0.2 s or more."""
    if random.random() >= faults.gapped_trials:
        return times, sampled
    begin = random.uniform(times[0], times[-1])
    kept = (times <= begin) | (times > begin + random.uniform(0.2, faults.longest_gap_s))
    return times[kept], sampled[kept]
