"""Trials of falls and daily activities as windows with labels, as they are and as another wearable would see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Source, Window
from edge.signals import fall
from edge.signals.acceleration import BAD, RATE_HZ, readings_of
from edge.signals.impacts import BLOW_MG
from training.corpora.motion import MotionTrial
from training.motion_faults import MotionFaults, wear

# Where nothing happens, a window every 20 s.
STEP: Final = 20 * RATE_HZ
# A person who moves less than this after a blow lies still. Our choice: people who walk move by more.
STILL_MG: Final = 200.0
# Copies of each trial, each as another wearable would have measured it, but for the first. More of them hardly help:
# with twice as many of UMAFall's, AUROC was the same and fewer falls were told where as many daily trials were quiet.
COPIES: Final = 7
FAULTS: Final = MotionFaults()


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """All trials of one person with the sensor at one place: what a Recording of falls holds."""

    trials: tuple[MotionTrial, ...]


def worn_windows(
    trial: MotionTrial, length: int, *, minimum_coverage: float
) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Inputs (n, length, channels) and labels (n,) of a trial and its copies; the same at every call."""
    inputs, labels = [np.zeros((0, length, fall.CHANNELS), np.float16)], [np.zeros(0, np.int8)]
    times, mg = sound_samples(trial)
    for copy in range(COPIES):
        if copy:
            random = np.random.default_rng([copy, *f"{trial.corpus}/{trial.person}/{trial.name}".encode()])
            # A knock is no fall, so falls are not knocked.
            windows = windows_of(*wear(times, mg, knocks=not trial.is_fall, faults=FAULTS, random=random), length)
        else:
            windows = windows_of(times, mg, length)
        label = labels_of(windows, trial)
        kept = [
            place
            for place, one in enumerate(windows)
            if label[place] >= 0 and fall.shortage(one, length=length, minimum_coverage=minimum_coverage) is None
        ]
        if kept:
            values = np.stack([windows[place].values for place in kept])
            marks = np.stack([windows[place].marks for place in kept])
            inputs.append(fall.model_inputs(values, marks).astype(np.float16))
            labels.append(label[kept])
    return np.concatenate(inputs), np.concatenate(labels)


def sound_samples(trial: MotionTrial) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (samples,) in s and accelerations (samples, 3) in mg of what the daemon would take of a trial."""
    source = Source(person=trial.person, device=trial.corpus)
    sound = [one for one in readings_of(source, trial.times, trial.mg) if not one.quality & BAD]
    times = [one.start + np.arange(len(one.values) // 3) * (one.interval_s or 0.0) for one in sound]
    return np.concatenate(times), np.concatenate([np.array(one.values).reshape(-1, 3) for one in sound])


def windows_of(times: NDArray[np.float64], mg: NDArray[np.float64], length: int) -> list[Window]:
    """The daemon's Windows of `length` steps of sound samples at `times` (s), `mg` (samples, 3)."""
    builder = fall.windows("trial", length=length, step=STEP)
    return builder.push_samples(times, mg) + builder.finish()


def labels_of(windows: Sequence[Window], trial: MotionTrial) -> NDArray[np.int8]:
    """0 for every window of a daily trial; in a trial with a fall 1 for the fall's, -1 for the others.

    The publishers say that somebody falls in a trial, not when. It is the hardest of the blows after which the person
    lies still, or of all where nobody does: a step of a run may be harder than the fall that ends it. What lies before
    and after it is neither everyday life nor a fall.
    """
    if not trial.is_fall:
        return np.zeros(len(windows), dtype=np.int8)
    labels = np.full(len(windows), -1, dtype=np.int8)
    blows = np.array([_blow_mg(window) for window in windows])
    hard = np.flatnonzero(blows >= BLOW_MG).tolist()
    still = [place for place in hard if fall.plain_numbers(windows[place])["movement_mg"] < STILL_MG]
    of_fall = np.array(still or hard, dtype=np.intp)
    if len(of_fall):
        labels[of_fall[np.argmax(blows[of_fall])]] = 1
    return labels


def _blow_mg(window: Window) -> float:
    """Size of the acceleration in the middle of a window, where a blow stands; 0 where it is missing."""
    middle = len(window.values) // 2
    return 0.0 if not len(window.values) or window.marks[middle] else float(np.linalg.norm(window.values[middle]))
