"""The work folder: what one command leaves for the next; never committed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.progress import Progress, track

from edge.errors import WrongUseError
from training.architecture import Architecture
from training.recipe import FitSettings

DEFAULT_WORK: Final = Path(__file__).resolve().parent / "work"
_RECORD: Final = "fit.json"

_Item = TypeVar("_Item")
_Record = TypeVar("_Record", bound=BaseModel)


def watch(items: Sequence[_Item], what: str) -> Iterator[_Item]:
    """Go through items, with a progress bar on stderr where somebody looks at it."""
    console = Console(stderr=True)
    yield from track(items, description=what, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def watched_epochs(what: str, epochs: int) -> Iterator[Callable[[int, float], None]]:
    """Tell of every epoch, from 1, and its loss on stderr: by a progress bar, or by a line where nobody looks."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda epoch, loss: console.print(f"{what}: epoch {epoch} of {epochs}, loss {loss:.4f}", highlight=False)
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=epochs)
        yield lambda epoch, loss: progress.update(task, completed=epoch, description=f"{what}, loss {loss:.4f}")


def say(what: str) -> None:
    """A line on stderr for who watches."""
    Console(stderr=True).print(what, highlight=False, markup=False, soft_wrap=True)


def replace_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a folder aside, then put it in the place of the old one: never half of it is there."""
    aside, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(parents=True)
    fill(aside)
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file aside, then put it in the place of the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_bytes(content.encode() if isinstance(content, str) else content)
    aside.replace(path)


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FitRecord(_Kept):
    """How one network was fitted: on whom, for whom, and how it went.

    `key` stands for all that makes it what it is; `auroc` is that of the people it is measured on, None without them.
    """

    key: str
    seed: int
    architecture: Architecture
    settings: FitSettings
    learnt: list[str]
    measured: list[str]
    losses: list[float]
    auroc: float | None
    seconds: float


class Plan(_Kept):
    """What a fit sets out to do: its folds, and the SHA-256 of each corpus that it learns from."""

    seed: int
    folds: int
    networks: list[str]
    corpora: dict[str, str]
    tools: dict[str, str]


@dataclass(frozen=True, slots=True)
class NetworkFolder:
    """The files of one fitted network."""

    path: Path

    @property
    def float_model(self) -> Path:
        """The float32 TFLite model, against which the int8 one is measured."""
        return self.path / "float.tflite"

    @property
    def int8_model(self) -> Path:
        """The full-int8 model."""
        return self.path / "int8.tflite"

    def save(self, record: FitRecord, weights: list[NDArray[np.float32]], samples: NDArray[np.float32]) -> None:
        """Keep a fit: its weights, its record, and samples of its input for the ranges of the quantisation."""

        def fill(folder: Path) -> None:
            np.savez(folder / "weights.npz", *weights)
            np.save(folder / "samples.npy", samples)
            (folder / _RECORD).write_text(record.model_dump_json(indent=1))

        replace_folder(self.path, fill)

    def finished(self, key: str) -> FitRecord | None:
        """The record of the fit of this key, None when there is none."""
        try:
            record = FitRecord.model_validate_json((self.path / _RECORD).read_bytes())
        except (OSError, ValidationError):
            return None
        return record if record.key == key else None

    def read_fit(self) -> FitRecord:
        """The record of the last fit; WrongUseError when there is none."""
        return _read(FitRecord, self.path / _RECORD, "fit")

    def read_weights(self) -> list[NDArray[np.float32]]:
        """The weights of the last fit, in the order of Keras."""
        with np.load(present(self.path / "weights.npz", "fit")) as arrays:
            return [arrays[name] for name in arrays.files]

    def read_samples(self) -> NDArray[np.float32]:
        """Samples of the network's input, shape (samples, length, channels)."""
        return np.asarray(np.load(present(self.path / "samples.npy", "fit")), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The files of one risk's work, and reading what an earlier command should have left."""

    path: Path

    def network(self, name: str) -> NetworkFolder:
        """The folder of one of the plan's networks."""
        return NetworkFolder(self.path / name)

    @property
    def scores(self) -> Path:
        """Every window's score, for the card's figures."""
        return self.path / "scores.npz"

    @property
    def examples(self) -> Path:
        """The drawings of windows that were told rightly and wrongly, for the card."""
        return self.path / "examples"

    @property
    def search(self) -> Path:
        """The table of the search for the network's sizes."""
        return self.path / "search.json"

    def save_plan(self, plan: Plan) -> None:
        """Keep what a fit sets out to do."""
        replace_file(self.path / "plan.json", plan.model_dump_json(indent=1))

    def read_plan(self) -> Plan:
        """What the last fit set out to do; WrongUseError when there was none."""
        return _read(Plan, self.path / "plan.json", "fit")


def present(path: Path, command: str) -> Path:
    """The path, if the command that writes it has run; else WrongUseError."""
    if not path.is_file():
        raise WrongUseError("is missing", where=str(path), mend=f"run `hearthbeat-train {command}` first")
    return path


def _read(kind: type[_Record], path: Path, command: str) -> _Record:
    try:
        return kind.model_validate_json(present(path, command).read_bytes())
    except ValidationError as error:
        raise WrongUseError("is of another edition", where=str(path), mend=f"run {command} again") from error
