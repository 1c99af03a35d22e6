"""The work folder: what one command leaves for the next; never committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.progress import track

from edge.errors import WrongUseError
from edge.risks.manifest import TrainingFacts

DEFAULT_WORK: Final = Path(__file__).resolve().parent / "work"

_Item = TypeVar("_Item")


def watch(items: Sequence[_Item], what: str) -> Iterator[_Item]:
    """Go through items, with a progress bar on stderr where somebody looks at it."""
    console = Console(stderr=True)
    yield from track(items, description=what, console=console, transient=True, disable=not console.is_terminal)


class FitRecord(BaseModel):
    """What was fitted, on what, and how the loss went."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: dict[str, int]
    facts: TrainingFacts
    losses: list[float]


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The files of one risk's work, and reading what an earlier command should have left."""

    path: Path

    @property
    def float_model(self) -> Path:
        """The float32 TFLite model, against which the int8 one is measured."""
        return self.path / "float.tflite"

    @property
    def int8_model(self) -> Path:
        """The model that becomes model.tflite."""
        return self.path / "int8.tflite"

    @property
    def scores(self) -> Path:
        """Every window's score, for the card's figures."""
        return self.path / "scores.npz"

    def save_fit(self, record: FitRecord, weights: Iterable[NDArray[np.float32]], samples: NDArray[np.float32]) -> None:
        """Keep a fit: its weights, its record, and samples of its input for the ranges of the quantisation."""
        self.path.mkdir(parents=True, exist_ok=True)
        np.savez(self.path / "weights.npz", *weights)
        np.save(self.path / "samples.npy", samples)
        (self.path / "fit.json").write_text(record.model_dump_json(indent=1))

    def read_fit(self) -> FitRecord:
        """The record of the last fit; WrongUseError when there is none."""
        try:
            return FitRecord.model_validate_json(self.present(self.path / "fit.json", "fit").read_bytes())
        except ValidationError as error:
            raise WrongUseError("is of another edition", where=str(self.path), mend="run fit again") from error

    def read_weights(self) -> list[NDArray[np.float32]]:
        """The weights of the last fit, in the order of Keras."""
        with np.load(self.present(self.path / "weights.npz", "fit")) as arrays:
            return [arrays[name] for name in arrays.files]

    def read_samples(self) -> NDArray[np.float32]:
        """Samples of the network's input, shape (samples, beats, channels)."""
        return np.asarray(np.load(self.present(self.path / "samples.npy", "fit")), dtype=np.float32)

    def present(self, path: Path, command: str) -> Path:
        """The path, if the command that writes it has run; else WrongUseError."""
        if not path.is_file():
            raise WrongUseError("is missing", where=str(path), mend=f"run `hearthbeat-train {command}` first")
        return path
