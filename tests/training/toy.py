"""A risk that is learnt in seconds: does a wave tremble?

Run as `python -m tests.training.toy COMMAND RISK … then COMMAND RISK …`, the risk being a real one's name, because the
command line knows no other. Several commands share one process, so that TensorFlow is imported once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError
from edge.readings import Risk
from edge.risks.manifest import AlertPolicy
from training import cli
from training.architecture import Architecture
from training.recipe import CardText, FitSettings, Judged, LabelledWindows, Recording, Transfer
from training.votes import episodes

RISK: Final = Risk.ATRIAL_FIBRILLATION
LENGTH, STEP, FORECASTS = 24, 12, 2
ARCHITECTURE: Final = Architecture(LENGTH, 1, outputs=1 + FORECASTS, filters=(6,), kernels=(3,), strides=(2,), units=6)
SETTINGS: Final = FitSettings(epochs=6, examples_per_epoch=2048, batch=64, learning_rate=1e-2, averaging=0.9)
TEXT: Final = CardText("To be tried.", "A wave.", "It is a toy.", "Made up; no licence needed.")
TRANSFERS: Final = (Transfer("village_to_town", lambda one: one.corpus == "village", lambda one: one.corpus == "town"),)
HOMES: Final = {"village": 8, "town": 6, "island": 3}


def write_people(data: Path, *, seed: int = 3) -> None:
    """A folder for each corpus, a file for each person: their wave and where it trembles."""
    random = np.random.default_rng(seed)
    for home, people in HOMES.items():
        (data / home).mkdir(parents=True)
        for person in range(people):
            trembles = np.repeat(random.random(20) < 0.4, 60)
            wave = np.sin(np.arange(len(trembles)) / random.uniform(4.0, 8.0)) * 0.5
            wave += random.normal(0.0, 0.25, len(wave)) * trembles + random.normal(0.0, 0.05, len(wave))
            np.savez(data / home / f"{person}.npz", wave=wave, trembles=trembles)


@dataclass(frozen=True, slots=True, eq=False)
class ToySampler:
    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        places = random.integers(0, len(self.inputs), count)
        return self.inputs[places], self.targets[places]


@dataclass(frozen=True, slots=True, eq=False)
class ToyRecipe:
    risk: Risk = RISK
    architecture: Architecture = ARCHITECTURE
    settings: FitSettings = SETTINGS
    step: int = STEP
    trained_on: tuple[str, ...] = ("village", "town")
    reported: tuple[str, ...] = ("island",)
    not_validated: tuple[str, ...] = ("town",)
    feature_names: tuple[str, ...] = ("roughness", "level")
    minimum_coverage: float = 0.8
    card_text: CardText = TEXT
    transfers: tuple[Transfer, ...] = TRANSFERS

    def read(self, data: Path, corpus: str) -> list[Recording]:
        paths = sorted((data / corpus).glob("*.npz"))
        if not paths:
            raise RecordingError("no people", where=str(data / corpus), mend="write some")
        recordings = []
        for path in paths:
            with np.load(path) as file:
                arrays = dict(file)
            groups = {"half": "first" if int(path.stem) < 4 else "second"}
            burden = float(arrays["trembles"].mean())
            recordings.append(Recording(corpus, path.stem, f"{corpus}/{path.stem}", burden, groups, arrays))
        return recordings

    def sampler(self, recordings: Sequence[Recording], architecture: Architecture) -> ToySampler:
        labelled = [self.label(one, architecture.length) for one in recordings]
        targets = [np.column_stack((one.label, one.targets)) for one in labelled if one.targets is not None]
        return ToySampler(np.concatenate([one.inputs for one in labelled]), np.concatenate(targets).astype(np.float32))

    def label(self, recording: Recording, length: int) -> LabelledWindows:
        wave, trembles = recording.signal["wave"], recording.signal["trembles"]
        begins = np.arange(0, len(wave) - length - FORECASTS, STEP)
        places = begins[:, np.newaxis] + np.arange(length)
        values = wave[places]
        roughness = np.abs(np.diff(values, axis=1)).mean(axis=1)
        return LabelledWindows(
            recording=recording,
            start=begins.astype(np.float64),
            end=(begins + length).astype(np.float64),
            coverage=np.ones(len(begins)),
            judged=np.arange(len(begins)) != 3,
            inputs=values[:, :, np.newaxis].clip(-1, 1).astype(np.float32),
            label=np.where(np.arange(len(begins)) == 5, -1, trembles[places].mean(axis=1) >= 0.5).astype(np.int8),
            targets=np.stack([wave[begins + length + place] for place in range(FORECASTS)], axis=1).astype(np.float32),
            features=np.column_stack((roughness, values.mean(axis=1))).astype(np.float32),
            rules={"roughness": roughness},
        )

    def choose_policy(self, validation: Sequence[Judged]) -> AlertPolicy:
        assert validation
        return AlertPolicy(
            threshold=0.5,
            clear_threshold=0.2,
            k=2,
            n=3,
            clear_k=2,
            minimum_coverage=0.8,
            minimum_span_s=0.0,
            maximum_span_s=100.0,
        )

    def alert_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        return {"alerts": float(sum(len(episodes(one.assessments(), policy)) for one in judged))}

    def other_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        return {"recordings": float(len(judged)), "threshold": policy.threshold}

    def usual(self, labelled: Sequence[LabelledWindows]) -> dict[str, float]:
        return {"roughness": float(np.median(np.concatenate([one.features[one.label == 0, 0] for one in labelled])))}

    def draw_example(self, axes: Any, window: Judged, place: int) -> None:
        axes.plot(window.windows.inputs[place, :, 0])


RECIPE: Final = ToyRecipe()


if __name__ == "__main__":
    with patch.object(cli, "recipe_of", lambda _: RECIPE):
        line = " ".join(sys.argv[1:])
        for command in line.split(" then "):
            code = cli.main(command.split())
            if code:
                sys.exit(code)
