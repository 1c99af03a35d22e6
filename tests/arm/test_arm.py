"""On ARM: the package, its wheels, the interpreters and every model, with the same answers as here."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.readings import Channel, Risk
from edge.recordings import KINDS
from edge.risks.catalogue import load_models
from edge.risks.interpreter import Runtime
from edge.store.store import Store
from edge.virtual.rhythm import atrial_fibrillation, sinus
from tests.arm.answers import SOURCE, installed_runtimes
from tests.arm.emulated import Emulated, emulated

# Emulation is slow, and the first run downloads.
pytestmark = pytest.mark.timeout(1800)

ANSWERS = Path(__file__).with_name("answers.py")
MODELS = load_models()
# Of an output's int8. tflite-runtime gives the very same. In ai-edge-litert 2.3 a convolution on ARM rounds about one
# value in a thousand in the other direction than on x86, and with noise for an input some outputs differ by one step.
STEPS_APART: Final[dict[Runtime, int]] = {"tflite_runtime": 0, "ai_edge_litert": 1}
# Of an input within -1 to 1, in float32: NumPy's logarithms and the like differ in their last bits from processor to
# processor. Some hundred times less than half of an int8 step.
FLOATS_APART = 1e-5
ELSEWHERE, HERE = "aarch64", "here"


def oxygen() -> list[str]:
    """An hour of SpO2, a quarter of it low."""
    return [f"{second},{90 if 1200 <= second < 2100 else 96}" for second in range(3600)]


@pytest.fixture(scope="module")
def arm() -> Emulated:
    return emulated()


@pytest.fixture(scope="module")
def folder(arm: Emulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs and recordings, with what both Pythons answer to them: aarch64.npz and here.npz, and their stores."""
    folder = tmp_path_factory.mktemp("arm")
    chance = np.random.default_rng(1)
    shapes = {risk.value: (64, *model.network.input_shape[1:]) for risk, model in MODELS.items()}
    inputs: dict[str, Any] = {risk: chance.integers(-128, 128, shape, np.int8) for risk, shape in shapes.items()}
    np.savez(folder / "inputs.npz", **inputs)
    recorded = {"rr_intervals": beats(), "glucose": glucose(), "accelerometer": motion(), "spo2": oxygen()}
    for kind, lines in recorded.items():
        header = ",".join(("time_s", *KINDS[kind].columns))
        (folder / f"{kind}.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    for name, python in ((ELSEWHERE, arm.python), (HERE, arm.python_here)):
        facts = python(str(ANSWERS), str(folder), str(folder / f"{name}.npz"))
        (folder / f"{name}.json").write_text(facts, encoding="utf-8")
    return folder


def beats() -> Iterator[str]:
    """Forty minutes of sinus rhythm, twenty of atrial fibrillation, twenty of sinus rhythm."""
    chance = random.Random(1)
    time = 0.0
    for rhythm, seconds, bpm in ((sinus, 2400, 62), (atrial_fibrillation, 1200, 100), (sinus, 1200, 66)):
        for rr in rhythm(seconds, bpm=bpm, chance=chance):
            time += rr / 1000.0
            yield f"{time:.3f},{rr:.3f}"


def glucose() -> Iterator[str]:
    """A sensor of every five minutes: level, a fall to 55 mg/dL, and up again."""
    chance = random.Random(2)
    level = [*np.full(40, 130.0), *np.linspace(130.0, 55.0, 14), *np.linspace(55.0, 120.0, 12), *np.full(30, 120.0)]
    for place, value in enumerate(level):
        yield f"{300 * place},{value + chance.gauss(0.0, 1.5):.0f}"


def motion() -> Iterator[str]:
    """A minute and a half at 50 Hz: standing, free fall, a blow, and lying turned and still."""
    time = np.arange(4500) / 50.0
    upright, lying = np.array([60.0, 40.0, 985.0]), np.array([930.0, 250.0, -200.0])
    turned = (1.0 / (1.0 + np.exp(-(time - 40.0) * 6.0)))[:, np.newaxis]
    mg = upright * (1.0 - turned) + lying * turned
    mg += (60.0 * np.sin(2.1 * time) * (time < 39.5))[:, np.newaxis]
    mg[(time > 39.5) & (time < 39.9)] *= 0.15
    mg[:, 0] += 5200.0 * np.exp(-(((time - 40.0) / 0.05) ** 2))
    mg[:, 2] -= 3000.0 * np.exp(-(((time - 40.03) / 0.06) ** 2))
    mg += np.random.default_rng(3).normal(0.0, 8.0, mg.shape)
    for at, (x, y, z) in zip(time, mg, strict=True):
        yield f"{at:.2f},{x:.1f},{y:.1f},{z:.1f}"


def compare(folder: Path, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with np.load(folder / f"{ELSEWHERE}.npz") as elsewhere, np.load(folder / f"{HERE}.npz") as here:
        return elsewhere[name], here[name]


def tell(sentence: str) -> None:
    print(f"\n  {sentence}", end=" ", flush=True)  # noqa: T201 -- what was compared is the test's result


def test_every_module_and_wheel_of_the_package_works(folder: Path) -> None:
    elsewhere, here = (json.loads((folder / f"{name}.json").read_text()) for name in (ELSEWHERE, HERE))
    tell(f"aarch64: Python {elsewhere['python']}, numpy {elsewhere['numpy']}, {elsewhere['runtime']}")
    assert elsewhere["machine"] == "aarch64"
    assert elsewhere["modules"] == here["modules"] > 50
    assert elsewhere["runtime"] == here["runtime"]


@pytest.mark.parametrize("runtime", installed_runtimes())
@pytest.mark.parametrize("risk", MODELS)
def test_the_network_answers_the_same(risk: Risk, runtime: Runtime, folder: Path) -> None:
    network = MODELS[risk].network
    elsewhere, here = compare(folder, f"{risk.value}.{runtime}")
    steps = np.rint(np.abs(elsewhere - here) / network._out_scale).astype(int)
    tell(f"{risk.value}, {runtime}: {np.count_nonzero(steps)} of {steps.size} outputs differ, by {steps.max()} steps")
    assert np.ptp(here) > 0.0, "the inputs move the model"
    assert steps.max() <= STEPS_APART[runtime]


@pytest.mark.parametrize("risk", MODELS)
def test_the_signals_become_the_same_int8_inputs(risk: Risk, folder: Path) -> None:
    scale = MODELS[risk].network._in_scale
    elsewhere, here = compare(folder, f"{risk.value}.inputs")
    assert elsewhere.shape == here.shape
    apart = np.abs(elsewhere - here)
    steps = np.rint(elsewhere / scale) != np.rint(here / scale)
    tell(f"{risk.value}: of {here.size} inputs from {len(here)} windows {np.count_nonzero(apart)} differ as floats")
    tell(f"  by {apart.max():.1g} at most, {np.count_nonzero(steps)} as int8")
    assert apart.max() <= FLOATS_APART
    assert not steps.any()


@pytest.mark.parametrize("kind", KINDS)
def test_assess_prints_the_same_lines(kind: str, arm: Emulated, folder: Path) -> None:
    command = (arm.command, "assess", "--kind", kind, "--input", str(folder / f"{kind}.csv"))
    elsewhere, here = arm.python(*command), arm.python_here(*command)
    lines = [json.loads(line) for line in here.splitlines()]
    alerts = [line["kind"] for line in lines if line["type"] == "alert" and line["state"] == "raised"]
    tell(f"{kind}: {len(lines)} lines, alerts: {', '.join(alerts)}")
    assert alerts, "the recording makes the models speak"
    assert elsewhere.splitlines() == here.splitlines()


def test_a_memory_card_may_move_from_one_to_the_other(folder: Path) -> None:
    with Store(folder / f"{ELSEWHERE}.db") as elsewhere, Store(folder / f"{HERE}.db") as here:
        elsewhere.check()
        for channel in (facts.channel for facts in KINDS.values()):
            theirs, ours = (store.signals.series(SOURCE.person, channel, -1.0, 1e9) for store in (elsewhere, here))
            if channel is not Channel.ACCELERATION:
                assert len(ours.times), channel
            assert theirs.times.tolist() == ours.times.tolist()
            assert theirs.values.tolist() == ours.values.tolist()
            assert theirs.quality.tolist() == ours.quality.tolist()
