"""manifest.json: what a model is, which file it is, how its scores become alerts, and how it was made and measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import ModelError
from edge.notices import Severity
from edge.readings import Risk

MANIFEST_FILE: Final = "manifest.json"
MODEL_FILE: Final = "model.tflite"
REINSTALL: Final = "install the model again"

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class InputSpecification(_Part):
    """What the model is given and gives: float32 of shape (1, length, channels) within -1 to 1, quantised to int8.

    Of the `outputs` the first is the logit of the risk; the others, where there are any, are a forecast that the risk's
    module in edge.signals puts into its unit.
    """

    length: int = Field(title="Samples in a window: RR intervals, or samples at the pace of the risk's module", ge=1)
    step: int = Field(title="Samples from one window to the next", ge=1)
    channels: int = Field(title="Channels of the model's input", ge=1)
    outputs: int = Field(default=1, title="Outputs of the model", ge=1)


class Calibration(_Part):
    """From the logit z to the score 1 / (1 + exp(-(slope z + offset))), a probability.

    Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers, 1999; fitted on
    people who were not trained on.
    """

    slope: float = Field(default=1.0, title="Slope", gt=0.0)
    offset: float = Field(default=0.0, title="Offset")

    def score(self, logit: float) -> float:
        """The score 0..1 of a logit."""
        return 0.5 + 0.5 * math.tanh(0.5 * (self.slope * logit + self.offset))


class AlertPolicy(_Part):
    """How assessments become an alert: raised by k of the last n windows that say so, cleared by clear_k that deny it.

    Windows that follow so fast that n of them span less than minimum_span_s are joined by those before them, of which
    the same share must agree. A window without a score speaks neither way. Those that deny it began after the alert was
    raised; with clear_span_s they ended after it, and their mean denies it for so long (see edge.alerts.episodes).
    """

    threshold: Share = Field(title="Score from which a window says that the risk is there")
    clear_threshold: Share = Field(title="Score below which a window denies it")
    k: int = Field(title="Windows that must say so", ge=1)
    n: int = Field(title="Last windows that are looked at", ge=1)
    clear_k: int = Field(title="Of the last n windows, those that must deny it before the alert is cleared", ge=1)
    minimum_coverage: Share = Field(title="Share of a window's time in good samples, below which there is no score")
    minimum_span_s: float = Field(title="Seconds that the evidence must span", ge=0.0)
    maximum_span_s: float = Field(title="Seconds after which a window is too old to count", gt=0.0)
    rearm_s: float = Field(default=0.0, title="Seconds after an alert was raised before the next one may be", ge=0.0)
    minimum_mean: Share = Field(default=0.0, title="Mean score that the windows must have together")
    clear_span_s: float = Field(default=0.0, title="Seconds of which the mean must deny it instead, if any", ge=0.0)
    clear_gap_s: float = Field(default=0.0, title="Seconds that may lie between two of these", ge=0.0)
    severity: Severity = Field(default=Severity.WARNING, title="How much its alert matters")

    @model_validator(mode="after")
    def _can_be_met(self) -> AlertPolicy:
        if not (self.k <= self.n and self.clear_k <= self.n and self.clear_threshold <= self.threshold):
            raise ValueError("k and clear_k must not exceed n, nor clear_threshold exceed threshold")
        if self.clear_span_s > 0.0 and not (self.clear_gap_s > 0.0 and self.clear_span_s < self.maximum_span_s):
            raise ValueError("clear_span_s needs a clear_gap_s and must be less than maximum_span_s")
        return self


class TrainingData(_Part):
    """A public data set, and which of its recordings were used for what."""

    name: str = Field(title="Name of the data set")
    sha256: str = Field(title="SHA-256 of the recordings as they were read")
    split: dict[str, list[str]] = Field(title="People that each network was measured on")


class TrainingFacts(_Part):
    """How the model was made."""

    seed: int = Field(title="Seed of every random choice")
    data: list[TrainingData] = Field(title="Data sets")
    settings: dict[str, float | int | str] = Field(title="Settings of the fit")
    tools: dict[str, str] = Field(title="Versions of the tools")


class Manifest(_Part):
    """The whole of manifest.json."""

    risk: Risk = Field(title="What the model watches for; also the name of its folder")
    version: str = Field(title="Version of the model", min_length=1)
    sha256: str = Field(title="SHA-256 of model.tflite, hexadecimal", pattern="^[0-9a-f]{64}$")
    input: InputSpecification
    calibration: Calibration = Field(default=Calibration(), title="From the model's logit to the score")
    policy: AlertPolicy
    usual: dict[str, float] = Field(title="Medians of an explanation's numbers in people without the risk")
    training: TrainingFacts
    metrics: dict[str, dict[str, float]] = Field(title="On held-out people: each figure in float and in int8")
    alerts: dict[str, dict[str, float]] = Field(title="On held-out people: what the policy would have told them")


def read_manifest(folder: Path) -> Manifest:
    """Read and check manifest.json of a model's folder; ModelError when it is missing or not a manifest."""
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"not readable: {error.strerror}", where=str(path), mend=REINSTALL) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{place}: {first['msg']}", where=str(path), mend=REINSTALL) from error
