"""A risk model: its folder checked and opened, and a Window assessed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.readings import Assessment, Explanation, Window
from edge.risks.interpreter import Network, Runtime
from edge.risks.manifest import MODEL_FILE, REINSTALL, AlertPolicy, Manifest, read_manifest


class Signals(Protocol):
    """What the module of a risk's name in edge.signals offers."""

    def model_input(self, window: Window) -> NDArray[np.float32]:
        """The model's input for a Window with at least one good sample."""

    def explain(self, window: Window, usual: Mapping[str, float]) -> Explanation:
        """Why the Window speaks for the risk; `usual` are the same numbers in people without it."""


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
        expected = ((1, manifest.input.beats, manifest.input.channels), (1, 1))
        if not network.is_int8 or (network.input_shape, network.output_shape) != expected:
            found = f"{'int8' if network.is_int8 else 'float32'} {network.input_shape} to {network.output_shape}"
            raise ModelError(f"is {found}, manifest.json says otherwise", where=str(path), mend=REINSTALL)
        return cls(manifest, network, cast("Signals", import_module(f"edge.signals.{manifest.risk}")))

    @property
    def beats(self) -> int:
        """RR intervals in a Window."""
        return self.manifest.input.beats

    @property
    def step(self) -> int:
        """RR intervals from one Window to the next."""
        return self.manifest.input.step

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

    def assess(self, window: Window) -> Assessment:
        """Judge a Window: a score 0..1, or None with the reason when it holds too little to judge."""
        score, explanation = None, None
        reason = self._shortage(window)
        if reason is None:
            score = float(self.network.run(self.signals.model_input(window))[0, 0])
            if score >= self.threshold:
                explanation = self.signals.explain(window, self.manifest.usual)
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
        )

    def _shortage(self, window: Window) -> str | None:
        """Why the Window cannot be judged, None when it can."""
        if len(window.values) < self.beats:
            return f"interrupted: {len(window.values)} of {self.beats} heartbeats in a row"
        if window.coverage < self.policy.minimum_coverage:
            needed = self.policy.minimum_coverage
            return f"good heartbeats cover {window.coverage:.0%} of the time, {needed:.0%} are needed"
        return None
