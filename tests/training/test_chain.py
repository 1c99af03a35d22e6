"""The whole chain on made-up people: fit, quantise, evaluate, card; and what it says when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.risks.manifest import read_manifest
from tests.training.toy import RECIPE, RISK, write_people
from training.evaluation import FOLDS, Evaluation, Measured, read_evaluation
from training.work import WorkFolder

# TensorFlow warns on stderr of what nobody can change.
NOISE = ("WARNING: All log", "I0000", "W0000", "E0000")


def train(home: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands as a user would; TensorFlow and tflite-runtime do not get on in one process."""
    folders = f"--data {home / 'data'} --work {home / 'work'} --models {home / 'models'}"
    whole = [f"{name} {RISK.value} {folders} {' '.join(options)}" for name, *options in map(str.split, commands)]
    return subprocess.run(
        [sys.executable, "-m", "tests.training.toy", *" then ".join(whole).split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return [line for line in done.stderr.splitlines() if not line.startswith(NOISE)][-1]


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns


def auroc(measured: Measured) -> float:
    """Of the float network."""
    assert measured.as_float.auroc is not None
    return measured.as_float.auroc.value


@pytest.mark.timeout(600)
def test_a_model_is_made_measured_and_described(tmp_path: Path) -> None:
    write_people(tmp_path / "data")
    work = WorkFolder(tmp_path / "work" / RISK.value)
    # A fit was killed within a network: what it left is in nobody's way.
    (work.path / ".fold-2.new").mkdir(parents=True)
    (work.path / ".fold-2.new" / "weights.npz").write_bytes(b"half of it")
    fitted = train(tmp_path, "fit --folds 2 --only-fold 1 --json", "fit --folds 2", "quantise")
    assert fitted.returncode == 0, fitted.stderr
    assert json.loads(fitted.stdout.splitlines()[0])["fold-1"]["auroc"] > 0.8
    # The second fit began with the plan, and kept what the first had finished.
    assert _stamp(work.network("fold-1").path / "weights.npz") < _stamp(work.path / "plan.json")
    assert _stamp(work.network("fold-2").path / "weights.npz") > _stamp(work.path / "plan.json")
    evaluated = train(tmp_path, "evaluate", "card")
    assert evaluated.returncode == 0, evaluated.stderr

    folder = tmp_path / "models" / RISK.value
    evaluation, manifest = read_evaluation(folder), read_manifest(folder)
    assert set(evaluation.sets) == {FOLDS, f"{FOLDS}/village", "reported/island", "transfer-village_to_town/town"}
    # What was fitted is what was measured, by Keras and by TFLite.
    transfer = work.network("transfer-village_to_town").read_fit()
    assert auroc(evaluation.sets["transfer-village_to_town/town"]) == pytest.approx(transfer.auroc, abs=2e-3)
    assert evaluation.sets[FOLDS].as_float.people == 8
    assert set(evaluation.sets[f"{FOLDS}/village"].groups) == {"half: first", "half: second"}
    assert evaluation.sets["reported/island"].alerts["alerts"] > 0
    assert manifest.metrics["folds/auroc"]["int8"] == pytest.approx(manifest.metrics["folds/auroc"]["float"], abs=0.01)
    assert (manifest.input.outputs, manifest.version) == (3, evaluation.version)
    assert manifest.training.data[0].split["fold-1"]
    _the_card_tells_it(folder, evaluation)
    _changed_data_are_refused(tmp_path, folder)


def _changed_data_are_refused(home: Path, folder: Path) -> None:
    """The model that was made of other data stays as it is."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (home / "data" / "village" / "7.npz").unlink()
    done = train(home, "evaluate")
    assert done.returncode == 2
    assert "village is not what was fitted on; run fit again" in last_line(done)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert [one.name for one in folder.parent.iterdir()] == [RISK.value]


def _the_card_tells_it(folder: Path, evaluation: Evaluation) -> None:
    card = (folder / "card.md").read_text()
    assert evaluation.version in card
    assert RECIPE.card_text.limits in card
    # The toy's rule is as good as can be, so nothing beats it.
    assert "does not beat its best peer" in card
    figures = [line.split("(")[-1].rstrip(")") for line in card.splitlines() if line.startswith("![")]
    assert len(figures) >= 6
    assert all((folder / figure).stat().st_size > 1000 for figure in figures)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fit", "village: no people; write some"),
        ("quantise", "run `hearthbeat-train fit` first"),
        ("evaluate", "run `hearthbeat-train fit` first"),
        ("card", "run `hearthbeat-train evaluate` first"),
        ("prepare", "3 data sets are missing"),
    ],
)
@pytest.mark.timeout(180)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, command: str, message: str) -> None:
    (tmp_path / "data").mkdir()
    done = train(tmp_path, command)
    assert done.returncode == 2
    assert message in last_line(done)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    assert train(tmp_path, "fit").returncode == 2  # no data folder
    (tmp_path / "data").mkdir()
    for options in ("--folds 11", "--epochs 0", "--only-fold x"):
        done = train(tmp_path, f"fit {options}")
        assert done.returncode == 2
        assert "see `hearthbeat-train" in last_line(done)
