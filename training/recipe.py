"""What a risk must say of itself to be trained: everything else is the same for all of them.

A risk is one file training/recipes/<risk>.py that ends with `RECIPE: Final = <Class>()`, an object with the attributes
and methods of `Recipe`. It neither imports TensorFlow nor writes files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.readings import Assessment, Risk
from edge.risks.manifest import AlertPolicy
from training.architecture import Architecture


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How long and how fast to learn; every epoch draws its own examples from the recipe's Sampler.

    The optimiser is Adam, its gradients clipped to a norm of 1; the rate falls along a cosine from `learning_rate` to a
    hundredth of it. The loss is binary cross-entropy of output 0, plus `forecast_weight` times the Huber loss (delta 1,
    in the recipe's scale) of the other outputs where their targets are known. `label_smoothing` moves the targets 0 and
    1 towards each other by half of it, which keeps logits short; `averaging` is the decay for each step of the moving
    average of the weights that is kept instead of the last ones, 0 for none (0.99 to 0.999: the last 100 to 1,000
    steps).
    """

    epochs: int = 15
    examples_per_epoch: int = 60_000
    batch: int = 512
    learning_rate: float = 3e-3
    label_smoothing: float = 0.0
    averaging: float = 0.0
    forecast_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class CardText:
    """What only a person can say of a model, in plain English and Markdown, for its card."""

    intended_use: str
    what_it_sees: str
    limits: str
    data_and_licences: str


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recording of one person, as a corpus gives it.

    `person` is unique over all corpora ("ltafdb/39") and the same in all recordings of one person; `burden`, 0..1, is
    the share of the risk in it, by which folds are made alike; `groups` say what is known of the person or the device
    (age group, sex, position); `signal` is whatever the recipe needs.
    """

    corpus: str
    name: str
    person: str
    burden: float
    groups: Mapping[str, str]
    signal: Any


@dataclass(frozen=True, slots=True, eq=False)
class LabelledWindows:
    """The n Windows of one recording in the order of time, made by the builder of edge.signals, with their labels.

    `start`, `end` (s) and `coverage` (0..1) are theirs; `judged` is False where there is not enough data for a score;
    `inputs`, (n, length, channels), are the network's, zeros where not judged; `label` is 1 for the risk, 0 for none,
    -1 for a window that no figure is made of; `targets`, (n, outputs - 1), are what is to be forecast, NaN where
    unknown; `features`, (n, features), are for the peers; `rules` are the scores of the rules of the field that need no
    training, the higher the more risk.
    """

    recording: Recording
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    coverage: NDArray[np.float64]
    judged: NDArray[np.bool_]
    inputs: NDArray[np.float32]
    label: NDArray[np.int8]
    targets: NDArray[np.float32] | None
    features: NDArray[np.float32]
    rules: Mapping[str, NDArray[np.float64]]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which windows a figure may be made of: those that are judged and labelled."""
        return np.asarray(self.judged & (self.label >= 0), dtype=np.bool_)


class Sampler(Protocol):
    """Draws training examples, as a wearable would have made them worse."""

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (count, length, channels) and targets (count, outputs): first 0 or 1, then forecasts; NaN: unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The windows of a recording with what a network said: calibrated `scores` (n,) and its `outputs` (n, outputs).

    Both are NaN where a window is not judged.
    """

    windows: LabelledWindows
    scores: NDArray[np.float64]
    outputs: NDArray[np.float32]
    risk: Risk

    def assessments(self) -> list[Assessment]:
        """What the daemon would have made of it."""
        person = self.windows.recording.person
        return [
            Assessment(
                person=person,
                risk=self.risk,
                start=start,
                end=end,
                score=None if score != score else score,  # noqa: PLR0124  NaN, and quick
                reason="not enough data" if score != score else None,  # noqa: PLR0124
                model="",
                coverage=coverage,
            )
            for start, end, coverage, score in zip(
                self.windows.start.tolist(),
                self.windows.end.tolist(),
                self.windows.coverage.tolist(),
                self.scores.tolist(),
                strict=True,
            )
        ]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One more network, fitted on some of the recordings of `trained_on` and measured on others of them.

    Nobody is in both; people who would be are left out of the training.
    """

    name: str
    learns: Callable[[Recording], bool]
    measured: Callable[[Recording], bool]


@runtime_checkable
class Transferring(Protocol):
    """A recipe that asks for such networks besides its folds: fitted on the young and measured on the elderly, say."""

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """What is to be fitted and measured besides the folds."""


class Recipe(Protocol):
    """One risk: its data, its network, its labels, its alert policy and its words."""

    @property
    def risk(self) -> Risk:
        """What the model watches for."""

    @property
    def architecture(self) -> Architecture:
        """The network."""

    @property
    def settings(self) -> FitSettings:
        """How it learns."""

    @property
    def step(self) -> int:
        """Samples from one window to the next."""

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Names of the corpora that it learns from, cross-validated unless named in `not_validated`."""

    @property
    def reported(self) -> tuple[str, ...]:
        """Names of the corpora that it never learns from, and that are measured with the final network."""

    @property
    def not_validated(self) -> tuple[str, ...]:
        """Corpora of `trained_on` that are in no test fold: whose recordings are of one person is unknown."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of LabelledWindows.features."""

    @property
    def minimum_coverage(self) -> float:
        """Share of a window's time, 0..1, that must be good samples."""

    @property
    def card_text(self) -> CardText:
        """The words of the card."""

    def read(self, data: Path, corpus: str) -> list[Recording]:
        """All recordings of a corpus; RecordingError in one line when it is missing or damaged."""

    def sampler(self, recordings: Sequence[Recording], architecture: Architecture) -> Sampler:
        """Draws examples from these recordings."""

    def label(self, recording: Recording, length: int) -> LabelledWindows:
        """The windows of a recording as the daemon would see them."""

    def choose_policy(self, validation: Sequence[Judged]) -> AlertPolicy:
        """The alert policy, from scores of people who were not trained on."""

    def alert_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """What these people would have been told, through training/votes.py; called for each corpus by itself."""

    def other_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """Figures that only this risk has; {} for none; called for each corpus by itself."""

    def usual(self, labelled: Sequence[LabelledWindows]) -> dict[str, float]:
        """Medians of an explanation's numbers in people without the risk."""

    def draw_example(self, axes: Any, window: Judged, place: int) -> None:  # noqa: ANN401  matplotlib has no types
        """Draw what the window at `place` looked like into matplotlib axes."""
