"""The delivered model: checked before it is opened, alike in both runtimes, and silent without evidence."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import ModelError
from edge.readings import Risk, Window
from edge.risks import interpreter
from edge.risks.catalogue import MODELS, load_models
from edge.risks.interpreter import RUNTIMES, Runtime
from edge.risks.model import RiskModel

AF = "atrial_fibrillation"


def window(spread: float, *, beats: int = 60, coverage: float = 1.0, seed: int = 1) -> Window:
    rr_ms = np.random.default_rng(seed).normal(800.0, 800.0 * spread, beats).clip(300.0, 2000.0)
    end = float(rr_ms.sum()) / 1000.0
    return Window("ann", Risk.ATRIAL_FIBRILLATION, 0.0, end, rr_ms, np.zeros(beats, dtype=np.bool_), coverage)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the delivered model's folder, to be harmed."""
    return Path(shutil.copytree(MODELS / AF, tmp_path / AF))


def change_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def test_the_delivered_model_tells_fibrillation_from_sinus_rhythm_and_says_why() -> None:
    model = load_models()[Risk.ATRIAL_FIBRILLATION]
    irregular, steady = model.assess(window(0.25)), model.assess(window(0.03))
    assert irregular.score is not None
    assert irregular.score >= model.threshold
    assert irregular.explanation is not None
    assert "is common" in irregular.explanation.sentence
    assert irregular.model == model.version
    assert steady.score is not None
    assert steady.score < model.policy.clear_threshold
    assert steady.explanation is None
    assert steady.reason is None


def test_the_score_of_a_window_does_not_depend_on_those_before_it() -> None:
    first = RiskModel.load(MODELS / AF).assess(window(0.12)).score
    model = RiskModel.load(MODELS / AF)
    for seed in range(5):
        model.assess(window(0.3, seed=seed))
    assert model.assess(window(0.12)).score == first


def test_pain_09_too_little_evidence_is_no_score_and_a_reason() -> None:
    model = load_models()[Risk.ATRIAL_FIBRILLATION]
    uncovered = model.assess(window(0.25, coverage=model.policy.minimum_coverage - 0.01))
    assert uncovered.score is None
    assert uncovered.explanation is None
    assert uncovered.reason is not None
    assert "%" in uncovered.reason
    interrupted = model.assess(window(0.25, beats=41))
    assert (interrupted.score, interrupted.reason) == (None, "interrupted: 41 of 60 heartbeats in a row")


def test_both_runtimes_give_the_same_score() -> None:
    runtimes = [runtime for runtime in RUNTIMES if find_spec(runtime) is not None]
    if len(runtimes) < len(RUNTIMES):
        pytest.skip("only one of tflite-runtime and ai-edge-litert is installed")
    models = [RiskModel.load(MODELS / AF, runtime=runtime) for runtime in runtimes]
    windows = [window(spread, seed=seed) for seed, spread in enumerate(np.linspace(0.01, 0.3, 100))]
    scores = np.array([[model.assess(one).score for one in windows] for model in models], dtype=np.float64)
    assert scores[0].tolist() == scores[1].tolist()
    assert np.ptp(scores) > 0.9


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_damaged_model_is_refused_before_a_runtime_sees_it(
    copy: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        pytest.fail(f"{name} was given a damaged model")

    monkeypatch.setattr(interpreter, "import_module", refuse)
    content = bytearray((copy / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.tflite").write_bytes(content)
    with pytest.raises(ModelError, match="not the file that manifest"):
        RiskModel.load(copy, runtime=runtime)


@pytest.mark.parametrize("missing", ["model.tflite", "manifest.json"])
def test_a_missing_file_is_named_in_one_line(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(ModelError) as caught:
        load_models(copy.parent)
    assert missing in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour"),
        ({"sha256": "beef"}, "sha256"),
        ({"input": {"length": 61, "step": 30, "channels": 2}}, "is int8"),
        ({"calibration": {"slope": -1.0, "offset": 0.0}}, "slope"),
        ({"policy": {"threshold": 2.0}}, "policy"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_place(copy: Path, changes: dict[str, Any], message: str) -> None:
    change_manifest(copy, **changes)
    with pytest.raises(ModelError, match=message):
        RiskModel.load(copy)


def test_a_policy_that_can_never_be_met_is_refused(copy: Path) -> None:
    policy = json.loads((copy / "manifest.json").read_text())["policy"]
    change_manifest(copy, policy=policy | {"k": policy["n"] + 1})
    with pytest.raises(ModelError, match="must not exceed n"):
        RiskModel.load(copy)
    for more in ({"clear_span_s": 60.0}, {"clear_span_s": policy["maximum_span_s"], "clear_gap_s": 60.0}):
        change_manifest(copy, policy=policy | more)
        with pytest.raises(ModelError, match="clear_span_s needs"):
            RiskModel.load(copy)


def test_a_folder_that_is_no_risk_or_not_its_own_is_refused(copy: Path) -> None:
    stray = copy.rename(copy.with_name("astral_projection"))
    with pytest.raises(ModelError, match="is a model for atrial_fibrillation"):
        RiskModel.load(stray)
    with pytest.raises(ModelError, match="not the name of a risk"):
        load_models(stray.parent)


def test_no_models_is_an_error_and_not_an_empty_house(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no models"):
        load_models(tmp_path)
    with pytest.raises(ModelError, match="no models"):
        load_models(tmp_path / "nowhere")


def test_without_a_runtime_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        load_models()
