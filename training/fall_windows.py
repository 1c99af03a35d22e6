"""Trials of falls and daily activities as windows with labels, as they are and as another wearable would see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, Reading, Source, Window
from edge.signals import fall
from edge.signals.acceleration import BAD, RATE_HZ, readings_of
from edge.signals.fall import CHANNEL
from edge.signals.impacts import BLOW_MG
from training.corpora.motion import MotionTrial
from training.motion_faults import MotionFaults, wear

# Where nothing happens, a window every 20 s.
STEP: Final = 20 * RATE_HZ
# Copies of each trial, each as another wearable would have measured it, but for the first. More of them hardly help.
COPIES: Final = 6
# Stamps that differ from a steady pace by less are rounded, not uneven.
SAME_PACE_S: Final = 1e-6


def worn_windows(
    trial: MotionTrial, length: int, *, minimum_coverage: float
) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Inputs (n, length, channels) and labels (n,) of a trial and its copies; the same at every call."""
    inputs, labels = [np.zeros((0, length, fall.CHANNELS), np.float16)], [np.zeros(0, np.int8)]
    recorded = trial_readings(trial)
    for copy in range(COPIES):
        seed = [copy, *f"{trial.corpus}/{trial.person}/{trial.name}".encode()]
        readings = recorded if copy == 0 else _worn_readings(trial, recorded, np.random.default_rng(seed))
        windows = windows_of(readings, length)
        label = labels_of(windows, trial)
        kept = [
            place
            for place, one in enumerate(windows)
            if label[place] >= 0 and fall.shortage(one, length=length, minimum_coverage=minimum_coverage) is None
        ]
        if kept:
            mg = np.stack([windows[place].values for place in kept])
            inputs.append(fall.model_inputs(mg, np.stack([windows[place].marks for place in kept])).astype(np.float16))
            labels.append(label[kept])
    return np.concatenate(inputs), np.concatenate(labels)


def trial_readings(trial: MotionTrial) -> list[Reading]:
    """A trial as it was recorded: where its pace is steady in one Reading, which is quick and changes no Window."""
    facts = CHANNELS[CHANNEL]
    spacing = np.diff(trial.times)
    if np.ptp(spacing) > SAME_PACE_S or np.abs(trial.mg).max() > facts.high:
        return list(readings_of(Source(person=trial.person, device=trial.corpus), trial.times, trial.mg))
    return [_reading(trial, float(trial.times[0]), float(spacing.mean()), trial.mg)]


def _worn_readings(trial: MotionTrial, recorded: Sequence[Reading], random: np.random.Generator) -> list[Reading]:
    """The trial as another wearable would have measured it; a knock is no fall, so falls are not knocked."""
    sound = [one for one in recorded if not one.quality & BAD]
    mg = np.concatenate([np.array(one.values).reshape(-1, 3) for one in sound])
    times = np.concatenate([one.start + np.arange(len(one.values) // 3) * (one.interval_s or 0.0) for one in sound])
    start, interval_s, runs = wear(times, mg, knocks=not trial.is_fall, faults=MotionFaults(), random=random)
    return [_reading(trial, start + first * interval_s, interval_s, run) for first, run in runs]


def _reading(trial: MotionTrial, start: float, interval_s: float, mg: NDArray[np.float64]) -> Reading:
    return Reading(
        person=trial.person,
        device=trial.corpus,
        channel=CHANNEL,
        unit=CHANNELS[CHANNEL].unit,
        start=start,
        received_at=start + (len(mg) - 1) * interval_s,
        values=tuple(mg.ravel().tolist()),
        interval_s=interval_s,
    )


def windows_of(readings: Sequence[Reading], length: int) -> list[Window]:
    """The daemon's Windows of `length` steps of a trial."""
    builder = fall.windows("trial", length=length, step=STEP)
    return [window for reading in readings for window in builder.push(reading)]


def labels_of(windows: Sequence[Window], trial: MotionTrial) -> NDArray[np.int8]:
    """0 for every window of a daily trial; in a trial with a fall 1 for the hardest blow's, -1 for the others.

    The publishers say that somebody falls in a trial, not when; the hardest blow is it, as a rule, and what lies before
    and after it is neither everyday life nor a fall.
    """
    if not trial.is_fall:
        return np.zeros(len(windows), dtype=np.int8)
    labels = np.full(len(windows), -1, dtype=np.int8)
    blows = [_blow_mg(window) for window in windows]
    if blows and max(blows) >= BLOW_MG:
        labels[int(np.argmax(blows))] = 1
    return labels


def _blow_mg(window: Window) -> float:
    """Size of the acceleration in the middle of a window, where a blow stands; 0 where it is missing."""
    middle = len(window.values) // 2
    return 0.0 if not len(window.values) or window.marks[middle] else float(np.linalg.norm(window.values[middle]))
