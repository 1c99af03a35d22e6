"""What holds for every model that is delivered."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.readings import Channel
from edge.risks.catalogue import MODELS, card_of, model_folders
from edge.risks.interpreter import RUNTIMES
from edge.risks.manifest import MODEL_FILE
from edge.risks.model import RiskModel

LARGEST_BYTES = 64 * 1024
FOLDERS = pytest.mark.parametrize("folder", model_folders(), ids=lambda folder: folder.name)


def inputs_of(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Inputs of all kinds: noise of any size, slow waves, steps, nothing at all."""
    chance = np.random.default_rng(1)
    _, length, channels = shape
    time = np.arange(length)[:, np.newaxis] + np.zeros((1, channels))
    noise = chance.normal(0.0, 1.0, (60, length, channels)) * chance.uniform(0.0, 1.0, (60, 1, channels))
    waves = [np.sin(time / period + chance.uniform(0.0, 6.0, channels)) for period in np.linspace(0.3, 30.0, 30)]
    steps = np.repeat(chance.uniform(-1.0, 1.0, (10, 1, channels)), length, axis=1)
    return np.concatenate([noise, waves, steps, np.zeros((1, length, channels))]).clip(-1, 1).astype(np.float32)


@FOLDERS
def test_both_runtimes_give_the_same_answer(folder: Path) -> None:
    runtimes = [runtime for runtime in RUNTIMES if find_spec(runtime) is not None]
    if len(runtimes) < len(RUNTIMES):
        pytest.skip("only one of tflite-runtime and ai-edge-litert is installed")
    networks = [RiskModel.load(folder, runtime=runtime).network for runtime in runtimes]
    answers = [
        [network.run(one[np.newaxis]).tolist() for one in inputs_of(network.input_shape)] for network in networks
    ]
    assert answers[0] == answers[1]
    assert np.ptp(np.array(answers[0])[..., 0]) > 1.0, "the inputs move the model"


@FOLDERS
def test_a_model_is_small_and_has_its_card(folder: Path) -> None:
    assert (folder / MODEL_FILE).stat().st_size <= LARGEST_BYTES
    card = card_of(folder.name).read_text(encoding="utf-8")
    model = RiskModel.load(folder)
    assert model.version in card
    for figure in {part.partition(")")[0] for part in card.split("](figures/")[1:]}:
        assert (folder / "figures" / figure).is_file()


@FOLDERS
def test_int8_loses_no_more_than_a_thousandth(folder: Path) -> None:
    metrics = RiskModel.load(folder).manifest.metrics
    # Transfers are networks of their own that nobody is given; the card tells of them.
    told = {name: values for name, values in metrics.items() if not name.startswith("transfer-")}
    compared = [values for name, values in told.items() if name.endswith("auroc")]
    assert compared
    assert all(values["float"] - values["int8"] <= 0.001 for values in compared)


def test_the_four_risks_are_there_and_fed_with_what_wearables_send() -> None:
    models = {folder.name: RiskModel.load(folder) for folder in model_folders()}
    assert {name: model.channel for name, model in models.items()} == {
        "atrial_fibrillation": Channel.RR_INTERVAL,
        "fall": Channel.ACCELERATION,
        "hypoglycaemia": Channel.GLUCOSE,
        "sleep_apnoea": Channel.RR_INTERVAL,
    }
    assert all(folder.parent == MODELS for folder in model_folders())
