"""The folder of a measured model: model, manifest and evaluation, and what its card is drawn from."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.risks.manifest import MANIFEST_FILE, MODEL_FILE, InputSpecification, Manifest, TrainingData, TrainingFacts
from training.evaluation import EVALUATION_FILE, Corpus, Evaluation, Network
from training.fingerprint import fingerprint
from training.folds import FINAL, Part
from training.metrics import Windows
from training.recipe import Recipe, Recording
from training.work import Plan, WorkFolder, replace_folder

EDITION: Final = "2.0"
MANIFEST_FIGURES: Final = ("auroc", "auprc", "recall", "specificity", "precision", "f1")


def described_corpora(recipe: Recipe, corpora: Mapping[str, Sequence[Recording]], plan: Plan) -> dict[str, Corpus]:
    """How much there is of each data set, and what it was for."""
    described = {}
    for name, recordings in corpora.items():
        used = "reported alone"
        if name in recipe.trained_on:
            used = "learnt from alone" if name in recipe.not_validated else "learnt from, and measured in folds"
        described[name] = Corpus(
            people=len({one.person for one in recordings}),
            recordings=len(recordings),
            used=used,
            sha256=plan.corpora.get(name) or fingerprint(recordings),
        )
    return described


def described_network(work: WorkFolder, name: str) -> Network:
    """How one network was fitted, and how large it is."""
    folder = work.network(name)
    record = folder.read_fit()
    return Network(
        name=name,
        learnt=len(record.learnt),
        measured=len(record.measured),
        auroc=record.auroc,
        loss=round(record.losses[-1], 5),
        seconds=record.seconds,
        float_bytes=folder.float_model.stat().st_size,
        int8_bytes=folder.int8_model.stat().st_size,
    )


def version_of(work: WorkFolder) -> str:
    """The version of the final network, which names its content."""
    return f"{EDITION}-{hashlib.sha256(work.network(FINAL).int8_model.read_bytes()).hexdigest()[:8]}"


def deliver(
    folder: Path, work: WorkFolder, evaluation: Evaluation, usual: Mapping[str, float], parts: Sequence[Part]
) -> Manifest:
    """Put a model's folder in the place of the old one; its card is then still to be written."""
    content = work.network(FINAL).int8_model.read_bytes()
    manifest = _manifest(evaluation, hashlib.sha256(content).hexdigest(), work.read_plan().tools, usual, parts)

    def fill(aside: Path) -> None:
        (aside / MODEL_FILE).write_bytes(content)
        (aside / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
        (aside / EVALUATION_FILE).write_text(evaluation.model_dump_json(indent=1) + "\n")
        # A table of an earlier search stays with the model that it led to.
        for search in (work.search, folder / work.search.name):
            if search.is_file():
                shutil.copy(search, aside / search.name)
                break

    replace_folder(folder, fill)
    return manifest


def _manifest(
    evaluation: Evaluation,
    sha256: str,
    tools: dict[str, str],
    usual: Mapping[str, float],
    parts: Sequence[Part],
) -> Manifest:
    size = evaluation.architecture
    settings: dict[str, float | int | str] = {
        name: value if isinstance(value, float | int | str) else " ".join(str(one) for one in value)
        for name, value in (asdict(evaluation.architecture) | asdict(evaluation.settings)).items()
    }
    split: dict[str, dict[str, set[str]]] = {name: {} for name in evaluation.corpora}
    for part in parts:
        for one in part.measured:
            split[one.corpus].setdefault(part.name, set()).add(one.person)
    return Manifest(
        risk=evaluation.risk,
        version=evaluation.version,
        sha256=sha256,
        input=InputSpecification(
            length=size.length, step=evaluation.step, channels=size.channels, outputs=size.outputs
        ),
        calibration=evaluation.calibration,
        policy=evaluation.policy,
        usual={name: round(float(value), 3) for name, value in usual.items()},
        training=TrainingFacts(
            seed=evaluation.seed,
            data=[
                TrainingData(
                    name=name,
                    sha256=corpus.sha256,
                    split={part: sorted(people) for part, people in split[name].items()},
                )
                for name, corpus in evaluation.corpora.items()
            ],
            settings=settings,
            tools=tools,
        ),
        metrics=slim(evaluation),
        alerts={name: measured.alerts for name, measured in evaluation.sets.items() if measured.alerts},
    )


def slim(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """The figures of windows that are in the manifest: of each set those that are defined, in float and in int8."""
    figures: dict[str, dict[str, float]] = {}
    for name, measured in evaluation.sets.items():
        for figure in MANIFEST_FIGURES:
            pair = getattr(measured.as_float, figure), getattr(measured.as_int8, figure)
            if all(one is not None for one in pair):
                figures[f"{name}/{figure}"] = {"float": pair[0].value, "int8": pair[1].value}
    return figures


def keep_scores(
    work: WorkFolder,
    windows: Mapping[str, Windows],
    end: NDArray[np.float64],
    recording: NDArray[np.int_],
    of_peers: Mapping[str, NDArray[np.float64]],
) -> None:
    """Keep every counted window's person, recording, end, label and scores for the card, and the peers' curves."""
    int8 = windows["as_int8"]
    curves: dict[str, Any] = {f"peer/{name}": values for name, values in of_peers.items()}
    with work.scores.open("wb") as file:
        np.savez(
            file,
            person=int8.person,
            recording=recording,
            end=end,
            label=int8.label,
            as_float=windows["as_float"].score,
            as_int8=int8.score,
            **curves,
        )
