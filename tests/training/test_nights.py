"""Nights put together from overlapping frames, troubled like a strap's, and labelled minute by minute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import RecordingError
from edge.readings import Assessment, Risk
from edge.signals import sleep_apnoea
from training.corpora import apnea_ecg, hugcdn2014
from training.corpora.nights import NightRecord
from training.night_examples import NightExamples
from training.night_faults import trouble
from training.night_features import FEATURE_NAMES, features, swing_share
from training.recipe import Judged, LabelledWindows, Recording
from training.recipes.sleep_apnoea import RECIPE, policy_with, windows_of
from training.votes import episodes


def beats(minutes: int, *, seed: int = 1, swing: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (s) and RR intervals (ms), never alike, around 66 beats a minute; a swing of `swing` each 50 s."""
    random = np.random.default_rng(seed)
    rr_ms = random.normal(910.0, 25.0, minutes * 66)
    rr_ms += swing * np.sin(2.0 * np.pi * np.cumsum(rr_ms) / 50_000.0)
    return np.cumsum(rr_ms) / 1000.0, rr_ms


def night(minutes: int = 40, *, apnoea: tuple[int, int] = (0, 0), swing: float = 0.0) -> NightRecord:
    times, rr_ms = beats(minutes, swing=swing)
    label = np.zeros(minutes, dtype=np.int8)
    label[slice(*apnoea)] = 1
    return NightRecord("one", times, rr_ms, label)


def recording(of: NightRecord) -> Recording:
    return Recording("hugcdn2014", of.name, f"hugcdn2014/{of.name}", float(np.mean(of.apnoea == 1)), {}, of)


def test_a_night_is_put_together_from_its_frames() -> None:
    times, rr_ms = beats(30)
    empty = np.empty(0)
    frames = [empty, empty]
    for minute in range(2, 28):
        inside = (times > 60.0 * (minute - 2)) & (times <= 60.0 * (minute + 3))
        frame = rr_ms[inside].copy()
        frame[:3] += 7.0  # what the publisher's filter does at the ends
        frames.append(frame)
    at, found = hugcdn2014.night_of([*frames, empty, empty])
    inside = (times > 120.0) & (times < 1500.0)
    placed = np.searchsorted(at, at[np.isin(found, rr_ms[inside])])
    assert np.array_equal(found[placed], rr_ms[inside])
    assert np.abs(at[placed] - times[inside]).max() < hugcdn2014.DRIFT_S + 0.5


def test_frames_that_do_not_follow_are_told_apart() -> None:
    _, rr_ms = beats(6)
    _, other = beats(6, seed=2)
    assert hugcdn2014.step_between(rr_ms[:320], rr_ms[66:]) == 66
    assert hugcdn2014.step_between(rr_ms[:320], other[:320]) is None


@pytest.mark.parametrize("corpus", [hugcdn2014, apnea_ecg])
def test_a_missing_corpus_is_told_with_where_to_get_it(corpus: object, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"0 of \d+ .* are there"):
        corpus.read(tmp_path)  # type: ignore[attr-defined]


def test_a_minute_has_the_label_of_the_window_that_ends_with_it() -> None:
    found = RECIPE.label(recording(night(apnoea=(20, 25))), 450)
    assert found.end[found.label == 1].tolist() == [60.0 * minute for minute in range(21, 26)]
    assert found.judged[found.label == 1].all()


def test_training_sees_what_the_daemon_sees() -> None:
    one = night(40, swing=40.0)
    windows = windows_of(one, length=450)
    labelled = RECIPE.label(recording(one), 450)
    for place, window in enumerate(windows):
        if labelled.judged[place]:
            assert np.array_equal(sleep_apnoea.model_input(window)[0], labelled.inputs[place])


def test_untroubled_examples_are_the_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.night_examples.TROUBLED", 0.0)
    one = night(40, apnoea=(10, 40))
    inputs, targets = NightExamples([one], length=450).draw(64, np.random.default_rng(1))
    known = RECIPE.label(recording(one), 450).inputs
    # The first beat of a window has none before it, so its change is not known, and nothing else differs.
    apart = [min(float(np.abs(row - other).mean()) for other in known) for row in inputs if row[-31 * 3 :, 5].all()]
    assert max(apart) < 0.002
    assert targets.shape == (64, 1)
    assert set(targets[:, 0].tolist()) == {0.0, 1.0}


def test_a_troubled_night_is_still_a_night() -> None:
    times, rr_ms = beats(60)
    for seed in range(20):
        at, intervals = trouble(times, rr_ms, np.random.default_rng(seed))
        assert (np.diff(at) > 0.0).all()
        assert 0.85 < len(at) / len(times) < 1.1
        assert intervals.min() > 150.0
        assert np.median(intervals) == pytest.approx(np.median(rr_ms), rel=0.03)


def test_features_are_known_and_the_rule_sees_the_swing() -> None:
    calm, swinging = (np.array([w.values for w in windows_of(night(20, swing=s), length=450)]) for s in (0.0, 80.0))
    assert features(calm).shape == (20, len(FEATURE_NAMES))
    assert np.isfinite(features(calm)).all()
    assert swing_share(swinging)[10:].min() > 0.9 > swing_share(calm)[10:].max()


def judged(share: float, minutes: int = 480) -> Judged:
    """Somebody of whose minutes the `share` is apnoea, and so called."""
    apnoea = (np.arange(minutes) * share % 1.0 < share) & (share > 0.0)
    end = 60.0 * np.arange(1.0, minutes + 1.0)
    windows = LabelledWindows(
        recording=recording(night()),
        start=end - 900.0,
        end=end,
        coverage=np.ones(minutes),
        judged=np.ones(minutes, dtype=np.bool_),
        inputs=np.zeros((minutes, 1, 1), dtype=np.float32),
        label=apnoea.astype(np.int8),
        targets=None,
        features=np.zeros((minutes, 1), dtype=np.float32),
        rules={},
    )
    return Judged(windows, np.where(apnoea, 0.9, 0.1), np.zeros((minutes, 1), dtype=np.float32), Risk.SLEEP_APNOEA)


def test_a_night_of_apnoea_is_told_once_and_a_calm_one_never() -> None:
    policy = policy_with(15)
    said: list[Assessment] = judged(0.5).assessments()
    alerts = episodes(said, policy)
    assert len(alerts) == 1
    assert 1.7 * 3600.0 <= alerts[0].raised_at <= 4.0 * 3600.0
    assert not episodes(judged(0.15).assessments(), policy)


def test_figures_count_people_and_minutes() -> None:
    people = [judged(0.5), judged(0.0)]
    policy = policy_with(15)
    found = RECIPE.alert_figures(people, policy)
    assert (found["people_to_be_told"], found["told_of_them"]) == (1.0, 1.0)
    assert (found["people_not_to_be_told"], found["told_wrongly"]) == (1.0, 0.0)
    assert RECIPE.other_figures(people, policy)["minutes_right"] == 1.0
    assert RECIPE.choose_policy(people).k == 45


@pytest.mark.parametrize(("rate", "expected"), [(50.0, 1.0), (90.0, 0.0)])
def test_who_is_told_by_day_is_told_apart_from_who_sleeps(rate: float, expected: float) -> None:
    one = judged(0.0)
    one.windows.features[:] = 70.0
    one.windows.features[200:340] = rate
    one.scores[200:340] = 0.9
    assert RECIPE.alert_figures([one], policy_with(15))["told_while_the_heart_was_slow"] == expected


@pytest.mark.recordings
def test_the_recordings_are_whole(recordings: Path) -> None:
    """One night: reading all of them takes half a minute."""
    one = apnea_ecg.read_night(recordings / "apnea-ecg" / "a01")
    assert (len(one.apnoea), int(np.sum(one.apnoea == 1))) == (487, 469)
    assert one.times[-1] > 60.0 * 486
