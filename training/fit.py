"""Fit a recipe's networks: one for each fold, and the final one on all people, kept as they are finished."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from edge.errors import WrongUseError
from training.fingerprint import fingerprint
from training.folds import Part, parts_of
from training.learn import Learnt, learn, predict
from training.recipe import FitSettings, Recipe, Recording, Sampler
from training.work import FitRecord, NetworkFolder, Plan, WorkFolder, say, watch, watched_epochs

# Windows from which the int8 ranges are taken.
SAMPLES: Final = 500
# Examples that stand for a sampler in a fit's key: its data, its labels and its faults show in them.
KEY_EXAMPLES: Final = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a fit is wanted: `folds` 0 fits the final network alone, `only` names one network; None: the recipe's."""

    seed: int = 2024
    folds: int = 5
    only: str | None = None
    epochs: int | None = None
    examples: int | None = None


def fit(recipe: Recipe, data: Path, work: WorkFolder, wanted: Wanted) -> dict[str, FitRecord]:
    """Fit what is not yet fitted with the same data and settings, and keep each network in the work folder.

    Raises RecordingError when the data folder lacks a corpus or a recording cannot be read, WrongUseError when `only`
    names no network.
    """
    corpora = {corpus: recipe.read(data, corpus) for corpus in watch(list(recipe.trained_on), "reading")}
    parts = parts_of(recipe, [one for of_corpus in corpora.values() for one in of_corpus], wanted.folds, wanted.seed)
    names = [part.name for part in parts]
    if wanted.only is not None and wanted.only not in names:
        raise WrongUseError("no such network", where=wanted.only, mend=f"name one of {', '.join(names)}")
    prints = {corpus: fingerprint(recordings) for corpus, recordings in corpora.items()}
    work.save_plan(Plan(seed=wanted.seed, folds=wanted.folds, networks=names, corpora=prints, tools=_tools()))
    settings = replace(
        recipe.settings,
        epochs=wanted.epochs or recipe.settings.epochs,
        examples_per_epoch=wanted.examples or recipe.settings.examples_per_epoch,
    )
    return {
        part.name: _fit_part(recipe, part, settings, work.network(part.name))
        for part in parts
        if wanted.only in {None, part.name}
    }


def _fit_part(recipe: Recipe, part: Part, settings: FitSettings, folder: NetworkFolder) -> FitRecord:
    """Fit one network, unless it is there."""
    begun = time.monotonic()
    sampler = recipe.sampler(part.learns, recipe.architecture)
    key = _key(recipe, part, settings, sampler)
    record = folder.finished(key)
    if record is None:
        with watched_epochs(part.name, settings.epochs) as told:
            learnt = learn(recipe.architecture, sampler, settings, part.seed, told)
        samples, _ = sampler.draw(SAMPLES, np.random.default_rng(part.seed))
        record = FitRecord(
            key=key,
            seed=part.seed,
            architecture=recipe.architecture,
            settings=settings,
            learnt=_people(part.learns),
            measured=_people(part.measured),
            losses=learnt.losses,
            auroc=_auroc(recipe, part.measured, learnt),
            seconds=round(time.monotonic() - begun, 1),
        )
        folder.save(record, learnt.weights, samples)
    auroc = "" if record.auroc is None else f", AUROC {record.auroc:.4f} of {len(record.measured)} other people"
    say(f"{part.name}: loss {record.losses[-1]:.4f}{auroc}, {record.seconds:.0f} s")
    return record


def _auroc(recipe: Recipe, recordings: Sequence[Recording], learnt: Learnt) -> float | None:
    """AUROC over all windows of people who were not learnt from, None where they all have one label."""
    labels, logits = [], []
    for recording in watch(list(recordings), "measuring"):
        labelled = recipe.label(recording, recipe.architecture.length)
        labels.append(labelled.label[labelled.counted])
        logits.append(predict(learnt.network, labelled.inputs[labelled.counted])[:, 0])
    if not labels or len(np.unique(np.concatenate(labels))) < 2:
        return None
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(logits)))


def _key(recipe: Recipe, part: Part, settings: FitSettings, sampler: Sampler) -> str:
    """What a network depends on, as one digest; its examples stand for the data and for how they are made worse."""
    facts = [asdict(recipe.architecture), asdict(settings), part.seed, _people(part.learns), _people(part.measured)]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for examples in sampler.draw(KEY_EXAMPLES, np.random.default_rng(part.seed)):
        digest.update(np.ascontiguousarray(examples).tobytes())
    return digest.hexdigest()


def _people(recordings: Sequence[Recording]) -> list[str]:
    return sorted({one.person for one in recordings})


def _tools() -> dict[str, str]:
    """Versions of what a fit depends on."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": tf.keras.__version__,
        "numpy": np.__version__,
    }
