"""A program, not a test: what the models say to given inputs and recordings, in the Python that runs it.

`answers.py FOLDER OUT` reads FOLDER/inputs.npz (for each risk int8 inputs of its network, as they enter it) and the
recordings FOLDER/KIND.csv, and writes OUT, an .npz with each network's outputs in each runtime that is installed, and
with the inputs that edge.signals makes of the recordings. OUT's folder gets a store, too, written by this Python.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cloud_sync
import edge
from edge.readings import Source
from edge.recordings import KINDS, read_recording
from edge.risks.catalogue import load_models
from edge.risks.interpreter import RUNTIMES, Runtime, installed_runtime
from edge.risks.model import RiskModel
from edge.store.store import Batch, Store

# Their packages come with the extras `demo` and `collector`, which no household needs.
OF_NO_HOUSEHOLD = ("edge.demo", "edge.virtual", "cloud_sync.collector", "cloud_sync.fleet")
SOURCE = Source(person="recording", device="recording")


def outputs(model: RiskModel, inputs: NDArray[np.int8]) -> NDArray[np.float32]:
    """What a network answers to each of the `inputs`, given to it as they are."""
    network = model.network
    values = (inputs.astype(np.float32) - network._in_zero) * network._in_scale
    return np.stack([network.run(one[np.newaxis]) for one in values])


def inputs_from(model: RiskModel, folder: Path) -> NDArray[np.float32]:
    """The model's input for every window of the recording of its kind that can be judged."""
    kind, facts = next((kind, facts) for kind, facts in KINDS.items() if facts.channel is model.channel)
    windows = model.windows(SOURCE.person)
    readings = facts.readings_of(SOURCE, *read_recording(folder / f"{kind}.csv", facts))
    every = [window for reading in readings for window in windows.push(reading)]
    return np.concatenate(
        [model.signals.model_input(window) for window in every if model.assess(window).score is not None]
    )


def installed_runtimes() -> list[Runtime]:
    """Those of the two that this Python has."""
    return [runtime for runtime in RUNTIMES if find_spec(runtime) is not None]


def import_all() -> int:
    """Import every module that a household's daemon may need; how many."""
    names = [
        module.name
        for package in (edge, cloud_sync)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.startswith(OF_NO_HOUSEHOLD)
    ]
    for name in names:
        importlib.import_module(name)
    return len(names)


def write_store(path: Path, folder: Path) -> None:
    """A store with every recording in it."""
    with Store(path) as store:
        for kind, facts in KINDS.items():
            readings = tuple(facts.readings_of(SOURCE, *read_recording(folder / f"{kind}.csv", facts)))
            store.commit(Batch(readings=readings))


def main(folder: Path, out: Path) -> None:
    """Answer, and tell on standard output what answered."""
    modules = import_all()
    answers: dict[str, Any] = {}
    with np.load(folder / "inputs.npz") as inputs:
        for risk, model in load_models().items():
            answers[f"{risk}.inputs"] = inputs_from(model, folder)
        for runtime in installed_runtimes():
            for risk, model in load_models(runtime=runtime).items():
                answers[f"{risk}.{runtime}"] = outputs(model, inputs[risk])
    np.savez(out, **answers)
    write_store(out.with_suffix(".db"), folder)
    facts = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "runtime": installed_runtime(),
        "modules": modules,
    }
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
