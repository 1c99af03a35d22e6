"""The hypoglycaemia recipe: what it learns from is what the edge sees, and its alerts are the daemon's."""

from __future__ import annotations

import numpy as np
import pytest

from edge.readings import Risk, Source
from edge.signals import hypoglycaemia
from edge.signals.glucose import PACE_S, readings_of
from training.corpora.glucose_ml import GlucoseRecord
from training.recipe import Judged, Recording
from training.recipes.hypoglycaemia import LENGTH, RECIPE


def recording(seed: int = 5, days: float = 3.0) -> Recording:
    """A person whose glucose wanders, with lost readings and a gap."""
    random = np.random.default_rng(seed)
    times = np.arange(days * 86_400.0 / PACE_S) * PACE_S
    hours = times / 3600.0
    mg_dl = 115.0 + 45.0 * np.sin(hours) + 15.0 * np.sin(2.7 * hours + 1.0) + random.normal(0.0, 1.0, len(times))
    kept = random.random(len(times)) > 0.1
    kept[100:140] = False
    facts = {"age": "61", "gender": "female"}
    record = GlucoseRecord("test", "one", "test/one", times[kept], mg_dl[kept].round(), facts)
    return Recording("test", "one", "test/one", 0.1, {"sensor": "every 5 minutes"}, record)


def perfect(one: Recording) -> Judged:
    """Scores that know what is ahead."""
    windows = RECIPE.label(one, LENGTH)
    scores = np.where(windows.judged, (windows.label == 1).astype(np.float64), np.nan)
    outputs = np.zeros((len(scores), 7), dtype=np.float32)
    assert windows.targets is not None
    outputs[:, 1:] = np.nan_to_num(windows.targets)
    return Judged(windows, scores, outputs, Risk.HYPOGLYCAEMIA)


def test_training_and_edge_see_the_same_window_by_window() -> None:
    one = recording()
    labelled = RECIPE.label(one, LENGTH)
    builder = hypoglycaemia.windows(one.person, length=LENGTH, step=RECIPE.step)
    place = 0
    for reading in readings_of(Source("", ""), one.signal.times, one.signal.mg_dl):
        for window in builder.push(reading):
            reason = hypoglycaemia.shortage(window, length=LENGTH, minimum_coverage=RECIPE.minimum_coverage)
            assert labelled.judged[place] == (reason is None)
            assert (labelled.start[place], labelled.end[place]) == (window.start, window.end)
            if reason is None:
                assert np.array_equal(labelled.inputs[place], hypoglycaemia.model_input(window)[0])
                numbers = hypoglycaemia.plain_numbers(window)
                assert labelled.features[place, :2].tolist() == pytest.approx(list(numbers.values()), abs=1e-4)
            else:
                assert not labelled.inputs[place].any()
            place += 1
    assert place == len(labelled.end)
    assert 0.9 < labelled.judged.mean() < 1.0


def test_labels_and_targets_are_what_came() -> None:
    one = recording()
    labelled = RECIPE.label(one, LENGTH)
    times, mg_dl = one.signal.times, one.signal.mg_dl
    assert labelled.targets is not None
    for place in range(50, 700, 50):
        end = labelled.end[place]
        ahead = mg_dl[(times >= end) & (times <= end + 1800.0)]
        assert labelled.label[place] == (ahead.min() < 70.0)
        (exactly,) = np.flatnonzero(times == end + 600.0) if (times == end + 600.0).any() else (-1,)
        if exactly >= 0:
            now = mg_dl[times == end][0]
            change = labelled.targets[place, 1] * hypoglycaemia.FORECAST_MG_DL
            assert now + change == pytest.approx(mg_dl[exactly], abs=0.01)


def test_scores_that_know_the_future_tell_every_episode_and_nothing_else() -> None:
    judged = perfect(recording())
    policy = RECIPE.choose_policy([judged])
    figures = RECIPE.alert_figures([judged], policy)
    assert figures["episodes"] >= 5
    assert figures["told_before_onset"] == 1.0
    assert figures["median_lead_min"] >= 25.0
    assert figures["false_alerts_a_day"] == 0.0
    others = RECIPE.other_figures([judged], policy)
    assert others["rmse_network_30_min"] < 1.0 < others["rmse_arima_30_min"]


def test_the_usual_numbers_are_those_of_a_calm_window() -> None:
    usual = RECIPE.usual([RECIPE.label(recording(), LENGTH)])
    assert 100.0 < usual["glucose_mg_dl"] < 180.0
    assert abs(usual["change_mg_dl_per_min"]) < 1.0
