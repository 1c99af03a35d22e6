"""The network's peers learn from the same people and score the same windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.toy import LENGTH, RECIPE, write_people
from training import peers
from training.metrics import Windows
from training.peers import FoldWindows, beside, chosen, forecast_errors, peer_scores
from training.recipe import LabelledWindows


@pytest.fixture
def village(tmp_path: Path) -> list[LabelledWindows]:
    write_people(tmp_path)
    return [RECIPE.label(one, LENGTH) for one in RECIPE.read(tmp_path, "village")[:4]]


def folds_of(village: list[LabelledWindows]) -> list[FoldWindows]:
    return [FoldWindows(village[2:], village[:2]), FoldWindows(village[:2], village[2:])]


def test_every_peer_scores_every_chosen_window(village: list[LabelledWindows], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MOST_SCORED", 100)
    folds = folds_of(village)
    places = chosen([one.measured for one in folds])
    count = sum(len(at) for of_fold in places for at in of_fold)
    assert 80 <= count <= 100
    # Features that are missing, and a rule that says nothing, are borne.
    holed = village[0].features.copy()
    holed[::7, 1] = np.nan
    silent = {"roughness": np.where(np.arange(len(holed)) % 9 == 0, np.nan, village[0].rules["roughness"])}
    folds[0] = replace(folds[0], measured=[replace(village[0], features=holed, rules=silent), village[1]])
    scores = peer_scores(folds, places)
    assert set(scores) == {*peers.KINDS, "rule: roughness"}
    assert all(len(values) == count and np.isfinite(values).all() for values in scores.values())
    label = np.concatenate(
        [
            one.label[at] == 1
            for fold, of in zip(folds, places, strict=True)
            for one, at in zip(fold.measured, of, strict=True)
        ]
    )
    person = np.repeat(["a", "b", "c", "d"], [len(at) for of_fold in places for at in of_fold])
    guess = np.random.default_rng(1).random(count)
    table = beside({kind: Windows(person, label, guess) for kind in ("as_float", "as_int8")}, scores, 0.5)
    assert {one.name for one in table.rows if not one.learns} == {"roughness"}
    assert next(one for one in table.rows if one.name == "gradient boosting").auroc.value > 0.95
    assert table.lead.value < -0.3
    assert table.lead.high is not None
    assert table.lead.high < 0.0


def test_forecasts_are_compared_where_they_are_known(village: list[LabelledWindows]) -> None:
    folds = folds_of(village)
    told = [
        [
            np.column_stack((np.zeros(len(one.end)), one.targets + 0.5))
            for one in fold.measured
            if one.targets is not None
        ]
        for fold in folds
    ]
    errors = forecast_errors(folds, told)
    assert errors["network, int8"] == pytest.approx([0.5, 0.5], abs=1e-3)
    assert set(errors) == {"network, int8", *peers.FORECASTERS}
    without = [FoldWindows(*([replace(one, targets=None) for one in half] for half in (village[:2], village[2:])))]
    assert forecast_errors(without, told) == {}
