"""The search keeps a table of what it tried, the best first."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import ModelError
from tests.training.toy import RECIPE, write_people
from training.architecture import Architecture
from training.recipe import FitSettings, Sampler
from training.search import UNITS, read_search, search
from training.work import WorkFolder


@pytest.fixture
def _no_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that are the better the nearer they are to 40 units, without TensorFlow."""

    def learn(architecture: Architecture, sampler: Sampler, settings: FitSettings, seed: int) -> SimpleNamespace:
        assert settings.examples_per_epoch <= RECIPE.settings.examples_per_epoch
        return SimpleNamespace(network=architecture, weights=[np.zeros(architecture.units)])

    def predict(network: Architecture, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        roughness = np.abs(np.diff(inputs[:, :, 0], axis=1)).mean(axis=1)
        noise = np.random.default_rng(1).normal(0.0, 0.01 * (1 + abs(network.units - 40)), len(inputs))
        return np.asarray((roughness + noise)[:, np.newaxis], dtype=np.float64)

    monkeypatch.setitem(sys.modules, "training.learn", SimpleNamespace(learn=learn, predict=predict))


@pytest.mark.usefixtures("_no_learning")
def test_the_best_sizes_come_first_and_the_table_is_kept(tmp_path: Path) -> None:
    write_people(tmp_path / "data")
    work = WorkFolder(tmp_path / "work")
    found = search(RECIPE, tmp_path / "data", work, trials=12, seed=1)
    assert len(found.trials) == 12
    whole = [one.auroc for one in found.trials if one.auroc is not None]
    assert whole == sorted(whole, reverse=True)
    assert all(one.auroc is None for one in found.trials[len(whole) :])
    assert all(one.units in UNITS and one.weights == one.units for one in found.trials)
    assert abs(found.trials[0].units - 40) < abs(found.trials[len(whole) - 1].units - 40)
    assert read_search(work.path) == found
    again = search(RECIPE, tmp_path / "data", work, trials=12, seed=1)
    assert [one.units for one in again.trials] == [one.units for one in found.trials]


def test_a_table_of_another_edition_is_refused_and_none_is_none(tmp_path: Path) -> None:
    assert read_search(tmp_path) is None
    (tmp_path / "search.json").write_text("{}")
    with pytest.raises(ModelError, match="run `hearthbeat-train search` again"):
        read_search(tmp_path)
