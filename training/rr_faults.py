"""What a strap does to RR intervals and a clinic's recorder does not, and what hearts do that few of the recorded do.

Rounding, jitter, missed and extra beats are the strap's. Ectopic beats, alone and in a fixed order, and the sway of the
heart rate with the breath are added too, because most people of the recordings are old and have little of either. The
extents are our choice: wide of what the recordings show, so that the network meets the worst of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Steps in ms of a wearable's clock: none, the Heart Rate Service's 1/1024 s, and the 8 ms of 125 samples a second.
CLOCK_STEPS_MS: Final = (1e-6, 1000.0 / 1024.0, 8.0)
# An early beat every second, third or fourth time: bigeminy, trigeminy, quadrigeminy.
PERIODS: Final = (2, 3, 4)
# A fixed order lasts so many beats or longer before it may break off.
STRETCH: Final = 6


@dataclass(frozen=True, slots=True)
class Faults:
    """How often windows are troubled, and how much: shares of windows, of beats and of an interval, and ms."""

    jittered_windows: float = 0.5
    largest_jitter_ms: float = 10.0
    swaying_windows: float = 0.25
    largest_sway: float = 0.25
    ordered_windows: float = 0.15
    ectopic_windows: float = 0.3
    most_ectopic_beats: float = 0.15
    misdetected_windows: float = 0.2
    most_misdetected_beats: float = 0.05


def trouble(rr_ms: Rows, is_af: Mask, *, beats: int, faults: Faults, random: np.random.Generator) -> tuple[Rows, Mask]:
    """Trouble windows of shape (windows, more than `beats`); return the first `beats` of each and their labels."""
    calm = np.expand_dims(~is_af.any(axis=1), 1)
    rr_ms = _sway(_jitter(rr_ms, faults, random), calm, faults, random)
    rr_ms = _ectopic(_order(rr_ms, calm, faults, random), faults, random)
    rr_ms, is_af = _misdetect(rr_ms, is_af, beats, faults, random)
    step = random.choice(CLOCK_STEPS_MS, (len(rr_ms), 1))
    return np.rint(rr_ms / step) * step, is_af


def _chance(rows: int, share: float, most: float, random: np.random.Generator) -> Rows:
    """For each window the chance that a beat is troubled: 0 in most, up to `most` in a `share` of them."""
    return np.where(random.random((rows, 1)) < share, random.uniform(0.0, most, (rows, 1)), 0.0)


def _jitter(rr_ms: Rows, faults: Faults, random: np.random.Generator) -> Rows:
    """Move every beat a little."""
    rows, length = rr_ms.shape
    spread_ms = _chance(rows, faults.jittered_windows, faults.largest_jitter_ms, random)
    return np.asarray(rr_ms + np.diff(random.normal(0.0, 1.0, (rows, length + 1)) * spread_ms, axis=1))


def _sway(rr_ms: Rows, calm: Mask, faults: Faults, random: np.random.Generator) -> Rows:
    """Let `calm` windows sway with the breath, every 2.5 to 12 beats, evenly neither in pace nor in depth."""
    rows, length = rr_ms.shape
    extent = _chance(rows, faults.swaying_windows, faults.largest_sway, random) * calm
    pace = random.uniform(0.05, 0.3, (rows, 1)) * random.normal(0.0, 1.0, (rows, length))
    phase = random.uniform(0.0, 2.0 * np.pi, (rows, 1)) + np.cumsum(
        2.0 * np.pi / random.uniform(2.5, 12.0, (rows, 1)) * np.exp(pace), axis=1
    )
    # The breath in is quicker than the breath out, or the reverse, and no two are alike in depth.
    skewed = phase + random.uniform(-0.45, 0.45, (rows, 1)) * np.sin(phase)
    breath = (phase // (2.0 * np.pi)).astype(np.intp) % length
    depth = np.exp(random.uniform(0.0, 0.5, (rows, 1)) * random.normal(0.0, 1.0, (rows, length)))
    depth = np.take_along_axis(depth, breath, axis=1)
    return np.asarray(rr_ms * (1.0 + extent * depth * np.sin(skewed)).clip(0.5, 1.8))


def _order(rr_ms: Rows, calm: Mask, faults: Faults, random: np.random.Generator) -> Rows:
    """Let every second, third or fourth beat of `calm` windows come early, throughout or in stretches."""
    rows, length = rr_ms.shape
    chosen = (random.random((rows, 1)) < faults.ordered_windows) & calm
    period = random.choice(PERIODS, (rows, 1))
    in_turn = (np.arange(length - 1) + random.integers(0, max(PERIODS), (rows, 1))) % period == 0
    stretches = random.random((rows, length // STRETCH + 1)) < random.uniform(0.4, 1.0, (rows, 1))
    kept = np.repeat(stretches, STRETCH, axis=1)[:, : length - 1] | (random.random((rows, 1)) < 0.5)
    extent = random.uniform(0.15, 0.5, (rows, 1)) * (1.0 + random.normal(0.0, 0.06, (rows, length - 1)))
    pause = random.choice((1.0, 1.0, 0.5, 0.2), (rows, 1))
    return _come_early(rr_ms, np.where(chosen & in_turn & kept, extent, 0.0), pause)


def _ectopic(rr_ms: Rows, faults: Faults, random: np.random.Generator) -> Rows:
    """Let beats come early by 15 to 45 % of their interval, in most windows with a full pause after them."""
    rows, length = rr_ms.shape
    early = random.random((rows, length - 1)) < _chance(rows, faults.ectopic_windows, faults.most_ectopic_beats, random)
    extent = np.where(early, random.uniform(0.15, 0.45, early.shape), 0.0)
    return _come_early(rr_ms, extent, np.where(random.random((rows, 1)) < 0.7, 1.0, 0.0))


def _come_early(rr_ms: Rows, extent: Rows, pause: Rows) -> Rows:
    """Shorten each interval but the last by its `extent`, and make up for the share `pause` of it in the one after."""
    shift_ms = extent * rr_ms[:, :-1]
    troubled = rr_ms.copy()
    troubled[:, :-1] -= shift_ms
    troubled[:, 1:] += pause * shift_ms
    return troubled


def _misdetect(rr_ms: Rows, is_af: Mask, beats: int, faults: Faults, random: np.random.Generator) -> tuple[Rows, Mask]:
    """Split intervals at beats that are none, merge intervals at beats that were missed; keep the first `beats`."""
    rows, length = rr_ms.shape
    chance = _chance(rows, faults.misdetected_windows, faults.most_misdetected_beats, random)
    split = random.random(rr_ms.shape) < chance
    chance = _chance(rows, faults.misdetected_windows, faults.most_misdetected_beats, random)
    merge = (random.random((rows, length - 1)) < chance) & ~split[:, :-1] & ~split[:, 1:]
    merge[:, 1:] &= ~merge[:, :-1]
    first_part = np.where(split, random.uniform(0.25, 0.75, rr_ms.shape), 1.0) * rr_ms
    second_part = rr_ms - first_part
    first_part[:, 1:] += np.where(merge, rr_ms[:, :-1], 0.0)
    kept = np.ones_like(split)
    kept[:, :-1] = ~merge
    # Both parts of every interval side by side, then those that are kept moved to the front in their order.
    parts = np.stack((first_part, second_part), axis=-1).reshape(rows, -1)
    absent = ~np.stack((kept, split), axis=-1).reshape(rows, -1)
    order = np.argsort(absent, axis=1, kind="stable")[:, :beats]
    return np.take_along_axis(parts, order, axis=1), np.take_along_axis(np.repeat(is_af, 2, axis=1), order, axis=1)
