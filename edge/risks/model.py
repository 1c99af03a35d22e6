"""A risk model: its folder checked and opened, and a Window assessed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.readings import Assessment, Channel, Explanation, Reading, Window
from edge.risks.interpreter import Network, Runtime
from edge.risks.manifest import MODEL_FILE, REINSTALL, AlertPolicy, Manifest, read_manifest
from edge.risks.occlusion import important_steps


class WindowBuilder(Protocol):
    """Readings of one person's channel, in the order of time, to Windows."""

    def push(self, reading: Reading) -> list[Window]:
        """Take the next Reading; return the Windows that it completes."""

    def finish(self) -> list[Window]:
        """The Windows that are complete because nothing follows: a recording ends here."""


class Signals(Protocol):
    """What the module of a risk's name in edge.signals offers."""

    CHANNEL: Channel

    def windows(self, person: str, *, length: int, step: int, last_end: float | None = None) -> WindowBuilder:
        """A builder of Windows, going on after the Window that ended at `last_end`."""

    def shortage(self, window: Window, *, length: int, minimum_coverage: float) -> str | None:
        """Why the Window cannot be judged, None when it can."""

    def model_input(self, window: Window) -> NDArray[np.float32]:
        """The model's input, (1, length, channels) within -1 to 1, for a Window that can be judged."""

    def step_times(self, window: Window) -> NDArray[np.float64]:
        """The times between which each step of the model's input lies, (length + 1,)."""

    def explain(self, window: Window, usual: Mapping[str, float], part: tuple[float, float] | None) -> Explanation:
        """Why the Window speaks for the risk; `usual` are its numbers in people without it, `part` what matters."""


class ForecastingSignals(Signals, Protocol):
    """What the module offers besides where the model has more than one output."""

    def forecast(self, window: Window, outputs: NDArray[np.float32]) -> tuple[tuple[float, float], ...]:
        """Times and values that the outputs after the first foretell."""


@runtime_checkable
class DoubtingSignals(Protocol):
    """What the module offers besides where something harmless can look like the risk over many windows."""

    def doubtful(self, window: Window) -> bool:
        """Whether no alert is to begin with this Window, whatever the scores say."""


@dataclass(frozen=True, slots=True, eq=False)
class RiskModel:
    """One model of models/, ready to assess; one thread at a time may use it."""

    manifest: Manifest
    network: Network
    signals: Signals

    @classmethod
    def load(cls, folder: Path, *, runtime: Runtime | None = None) -> RiskModel:
        """Open the model of a folder; ModelError when a file is missing, damaged or not what the manifest describes."""
        manifest = read_manifest(folder)
        path = folder / MODEL_FILE
        if manifest.risk.value != folder.name:
            raise ModelError(f"is a model for {manifest.risk}", where=str(folder), mend="name the folder like its risk")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"not readable: {error.strerror}", where=str(path), mend=REINSTALL) from error
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise ModelError("not the file that manifest.json describes", where=str(path), mend=REINSTALL)
        network = Network(content, where=str(path), runtime=runtime)
        expected = ((1, manifest.input.length, manifest.input.channels), (1, manifest.input.outputs))
        if not network.is_int8 or (network.input_shape, network.output_shape) != expected:
            found = f"{'int8' if network.is_int8 else 'float32'} {network.input_shape} to {network.output_shape}"
            raise ModelError(f"is {found}, manifest.json says otherwise", where=str(path), mend=REINSTALL)
        return cls(manifest, network, cast("Signals", import_module(f"edge.signals.{manifest.risk}")))

    @property
    def channel(self) -> Channel:
        """What it is fed with."""
        return self.signals.CHANNEL

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.manifest.version

    @property
    def policy(self) -> AlertPolicy:
        """How its assessments become an alert."""
        return self.manifest.policy

    @property
    def threshold(self) -> float:
        """Score 0..1 from which a Window says that the risk is there."""
        return self.manifest.policy.threshold

    def windows(self, person: str, *, last_end: float | None = None) -> WindowBuilder:
        """A builder of this model's Windows for a person, going on after the Window that ended at `last_end`."""
        size = self.manifest.input
        return self.signals.windows(person, length=size.length, step=size.step, last_end=last_end)

    def assess(self, window: Window) -> Assessment:
        """Judge a Window: a score 0..1, or None with the reason when it holds too little to judge."""
        score: float | None = None
        explanation: Explanation | None = None
        forecast: tuple[tuple[float, float], ...] = ()
        size = self.manifest.input
        reason = self.signals.shortage(window, length=size.length, minimum_coverage=self.policy.minimum_coverage)
        if reason is None:
            outputs = self.network.run(self.signals.model_input(window))[0]
            score = self.manifest.calibration.score(float(outputs[0]))
            if score >= self.threshold:
                explanation = self.signals.explain(window, self.manifest.usual, None)
            if size.outputs > 1:
                forecast = cast("ForecastingSignals", self.signals).forecast(window, outputs)
        return Assessment(
            person=window.person,
            risk=window.risk,
            start=window.start,
            end=window.end,
            score=score,
            reason=reason,
            model=self.version,
            coverage=window.coverage,
            explanation=explanation,
            forecast=forecast,
        )

    def doubts(self, window: Window, score: float | None) -> bool:
        """Whether no alert is to begin with a Window of this score, because it may be something harmless.

        Only a score that could begin one is looked into: it takes about as long as the model itself.
        """
        if score is None or score < self.threshold or not isinstance(self.signals, DoubtingSignals):
            return False
        return self.signals.doubtful(window)

    def explain(self, window: Window) -> Explanation:
        """Why a Window that can be judged speaks for the risk, with the part of it that mattered most.

        Runs the model at most SEGMENTS + 1 more times, so it is for windows that lead to an alert.
        """
        values = self.signals.model_input(window)
        first, after = important_steps(lambda hidden: float(self.network.run(hidden)[0, 0]), values)
        times = self.signals.step_times(window)
        part = (float(times[first]), float(times[after]))
        return self.signals.explain(window, self.manifest.usual, part)
