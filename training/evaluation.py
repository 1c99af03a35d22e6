"""evaluation.json: all that was measured of a model; its card is written from it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ModelError
from edge.readings import Risk
from edge.risks.manifest import AlertPolicy, Calibration
from training.architecture import Architecture
from training.recipe import FitSettings

EVALUATION_FILE: Final = "evaluation.json"
# The set of all windows of people who were measured by a network that had not met them.
FOLDS: Final = "folds"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Interval(_Part):
    """A figure with its 95 % bootstrap interval over people, which is None where there are fewer than two people."""

    value: float
    low: float | None = None
    high: float | None = None


class OfPerson(_Part):
    """One person's figure."""

    person: str
    value: float


class WindowFigures(_Part):
    """How single windows are told apart at a threshold; None where a set has windows of one label only."""

    people: int
    windows: int
    positive: int = Field(title="Windows with the risk")
    auroc: Interval | None
    auprc: Interval | None
    recall: Interval | None
    specificity: Interval | None
    precision: Interval | None
    f1: Interval | None
    worst_auroc: OfPerson | None = Field(title="Of the people with enough windows of either label, the worst")
    median_auroc: float | None = Field(title="Of the same people, the median")
    worst_specificity: OfPerson | None


class Measured(_Part):
    """One set of people: windows by the float and the int8 network, by group, and what the people would be told."""

    as_float: WindowFigures
    as_int8: WindowFigures
    groups: dict[str, WindowFigures] = Field(default={}, title="By what is known of person or device, int8")
    alerts: dict[str, float] = Field(default={}, title="Through the alert policy, int8")
    other: dict[str, float] = Field(default={}, title="What only this risk has, int8")


class Peer(_Part):
    """Another way to score the same windows, learnt on the same folds."""

    name: str
    learns: bool = Field(title="Whether it was trained; a rule of the field is not")
    auroc: Interval
    auprc: Interval
    recall: float = Field(title="At the specificity of the int8 network")


class Peers(_Part):
    """The network beside its peers, on a share of the windows of the folds that all of them scored."""

    windows: int
    specificity: float = Field(title="Of the int8 network at its threshold, at which each one's recall is told")
    rows: list[Peer]
    best: str = Field(title="The peer of the highest AUROC")
    lead: Interval = Field(title="The int8 network's AUROC less that of the best peer")


class Bin(_Part):
    """The windows of about one score, and how many of them had the risk."""

    score: float = Field(title="Mean score")
    share: float = Field(title="Share with the risk")
    windows: int


class Example(_Part):
    """One window of the folds that is drawn in the card."""

    file: str
    what: str
    corpus: str
    recording: str
    end: float
    score: float


class Network(_Part):
    """One network: how many people it learnt from, how many it was measured on, and how it went."""

    name: str
    learnt: int
    measured: int
    auroc: float | None
    loss: float
    seconds: float
    float_bytes: int
    int8_bytes: int


class Corpus(_Part):
    """One data set: how much of it there is, and what it was for."""

    people: int
    recordings: int
    used: str
    sha256: str


class Evaluation(_Part):
    """The whole of evaluation.json."""

    risk: Risk
    version: str
    step: int
    seed: int
    architecture: Architecture
    settings: FitSettings
    policy: AlertPolicy
    calibration: Calibration
    corpora: dict[str, Corpus]
    networks: list[Network]
    sets: dict[str, Measured]
    peers: Peers
    forecast: dict[str, list[float]] = Field(title="Root mean square error of each forecast, in the recipe's scale")
    reliability: list[Bin] = Field(title="Calibrated on the other folds")
    brier: float = Field(title="Mean squared distance of that score from 0 or 1")
    examples: list[Example]


def read_evaluation(folder: Path) -> Evaluation:
    """Read evaluation.json of a model's folder; ModelError when it is missing or of another edition."""
    path = folder / EVALUATION_FILE
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"not readable: {error.strerror}", where=str(path), mend="run `hearthbeat-train evaluate` first"
        ) from error
    except ValidationError as error:
        raise ModelError(
            "is of another edition", where=str(path), mend="run `hearthbeat-train evaluate` again"
        ) from error
