"""The recipe of falls: labels of trials, the same windows as the daemon's, a threshold that keeps daily life quiet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.readings import Risk, Source
from edge.signals import fall
from edge.signals.acceleration import RATE_HZ, readings_of
from training.corpora.motion import MotionTrial
from training.fall_windows import STEP, Worn, labels_of, sound_samples, windows_of, worn_windows
from training.motion_faults import MotionFaults, wear
from training.recipe import Judged, LabelledWindows, Recording
from training.recipes.fall import LENGTH, MINIMUM_COVERAGE, RECIPE

RATE = 50


def trial(blows: dict[float, float], *, is_fall: bool, seconds: float = 20.0, name: str = "F01") -> MotionTrial:
    """Upright with a sway, blows of so many mg at so many seconds, and lying after the hardest."""
    time = np.arange(round(seconds * RATE)) / RATE
    mg = np.stack([90.0 * np.sin(5.0 * time), 60.0 * np.cos(3.0 * time), np.full(len(time), 980.0)], axis=1)
    hardest = max(blows, key=lambda at: blows[at])
    if is_fall:
        mg[time > hardest] = mg[time > hardest][:, [2, 1, 0]]
    for at, size in blows.items():
        mg[:, 2] += size * np.exp(-(((time - at) / 0.06) ** 2))
    return MotionTrial("sisfall", name, "sisfall/SA01", name, is_fall, "waist", "young", time, mg)


def recording(of: MotionTrial) -> Recording:
    return Recording(
        of.corpus, of.name, of.person, float(of.is_fall), {"position": of.position, "age": of.age}, Worn((of,))
    )


def judged(windows: LabelledWindows, score: float) -> Judged:
    scores = np.full(len(windows.label), score)
    return Judged(windows, scores, scores[:, np.newaxis].astype(np.float32), Risk.FALL)


def daemon_inputs(of: MotionTrial) -> NDArray[np.float32]:
    builder = fall.windows(of.person, length=LENGTH, step=STEP)
    readings = readings_of(Source(of.person, "watch"), of.times - of.times[0], of.mg)
    windows = [window for reading in readings for window in builder.push(reading)] + builder.finish()
    good = [one for one in windows if fall.shortage(one, length=LENGTH, minimum_coverage=MINIMUM_COVERAGE) is None]
    return np.concatenate([fall.model_input(one) for one in good])


def test_of_a_trial_with_a_fall_only_the_hardest_blow_is_one() -> None:
    labelled = RECIPE.label(recording(trial({4.0: 1500.0, 9.0: 4000.0, 14.0: 2500.0}, is_fall=True)), LENGTH)
    hardest = labelled.label == 1
    assert hardest.sum() == 1
    assert labelled.end[hardest][0] == pytest.approx(12.0, abs=0.1)
    assert set(labelled.label[~hardest].tolist()) == {-1}


def test_in_everyday_life_no_blow_is_a_fall() -> None:
    labelled = RECIPE.label(recording(trial({4.0: 1500.0, 9.0: 4000.0}, is_fall=False)), LENGTH)
    assert len(labelled.label) >= 2
    assert not labelled.label.any()
    assert labelled.rules["peak"].max() > 4.0
    assert labelled.features.shape == (len(labelled.label), len(RECIPE.feature_names))


def test_training_sees_the_windows_of_the_daemon() -> None:
    of = trial({4.0: 1500.0, 9.0: 4000.0}, is_fall=False)
    labelled = RECIPE.label(recording(of), LENGTH)
    expected = daemon_inputs(of)
    assert labelled.inputs[labelled.judged] == pytest.approx(expected, abs=1e-4)
    inputs, labels = worn_windows(of, LENGTH, minimum_coverage=MINIMUM_COVERAGE)
    assert inputs[: len(expected)] == pytest.approx(expected, abs=1e-3)
    assert len(labels) > 3 * len(expected)


def test_the_copies_of_a_trial_are_the_same_at_every_call() -> None:
    of = trial({4.0: 1500.0, 9.0: 4000.0}, is_fall=True)
    one, other = (worn_windows(of, LENGTH, minimum_coverage=MINIMUM_COVERAGE) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert set(one[1].tolist()) == {1}


def test_another_wearable_keeps_the_time_and_its_own_range() -> None:
    of = trial({4.0: 1500.0, 9.0: 12_000.0}, is_fall=False)
    limits = set()
    for seed in range(60):
        whole = MotionFaults(lossy_trials=0.0, short_trials=0.0)
        times, mg = wear(of.times, of.mg, knocks=False, faults=whole, random=np.random.default_rng(seed))
        assert 0.009 < np.median(np.diff(times)) < 0.051
        assert times[-1] == pytest.approx(20.0, abs=20.0 * 0.08 + 1.0)
        limits.add(round(np.abs(mg).max()))
    assert {2000, 4000} <= limits
    assert max(limits) > 8_000


def test_some_recordings_end_soon_after_the_blow_and_some_lose_samples() -> None:
    of = trial({4.0: 1500.0, 9.0: 12_000.0}, is_fall=True)
    short, lossy = MotionFaults(lossy_trials=0.0, short_trials=1.0), MotionFaults(lossy_trials=1.0, short_trials=0.0)
    for seed in range(20):
        ended, _ = wear(of.times, of.mg, knocks=False, faults=short, random=np.random.default_rng(seed))
        assert 9.0 * 0.92 + short.shortest_after_s - 0.1 < ended[-1] < 9.0 * 1.08 + short.longest_after_s + 0.1
        taken, _ = wear(of.times, of.mg, knocks=False, faults=lossy, random=np.random.default_rng(seed))
        assert (taken[-1] - taken[0]) / np.median(np.diff(taken)) * (1.0 - lossy.most_lost) < len(taken) + 20


def test_of_a_run_that_ends_in_a_fall_the_fall_is_learnt_and_no_step() -> None:
    running = {float(at): 3000.0 for at in np.arange(1.0, 7.9, 0.7)}
    of = trial(running | {9.5: 2000.0}, is_fall=True)
    windows = windows_of(*sound_samples(of), LENGTH)
    fallen = [window for window, one in zip(windows, labels_of(windows, of), strict=True) if one == 1]
    assert [window.start + LENGTH / RATE_HZ / 2 for window in fallen] == pytest.approx([9.5], abs=0.15)


def test_the_threshold_keeps_enough_daily_trials_quiet() -> None:
    calm, fallen = (RECIPE.label(recording(trial({4.0: 3000.0}, is_fall=one)), LENGTH) for one in (False, True))
    daily = [judged(calm, place / 1000.0) for place in range(400, 800)]
    falls = [judged(fallen, 0.95)] * 3
    policy = RECIPE.choose_policy([*daily, *falls])
    # 0.3 % of 400 trials is one: the greatest score but one stays quiet.
    assert policy.threshold == pytest.approx(0.7985, abs=0.0001)
    figures = RECIPE.alert_figures([*daily, *falls], policy)
    assert figures["falls_told"] == 1.0
    assert figures["daily_quiet"] == pytest.approx(399 / 400)
    assert figures["false_alerts"] == 1.0
    assert RECIPE.other_figures([*daily, *falls], policy)["falls_told_waist_at_997"] == 1.0


@pytest.mark.recordings
def test_on_recordings_training_sees_the_windows_of_the_daemon(recordings: Path) -> None:
    for corpus in RECIPE.trained_on:
        found = RECIPE.read(recordings, corpus)
        for trial in [one.signal.trials[place % len(one.signal.trials)] for place, one in enumerate(found[::3])]:
            labelled = RECIPE.label(recording(trial), LENGTH)
            if labelled.judged.any():
                assert labelled.inputs[labelled.judged] == pytest.approx(daemon_inputs(trial), abs=1e-4)
