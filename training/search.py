"""A small search for the network's sizes, by Optuna, whose table is kept."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sklearn.metrics import roc_auc_score

from edge.errors import ModelError
from training.architecture import Architecture
from training.folds import Part, parts_of
from training.recipe import FitSettings, LabelledWindows, Recipe, Sampler
from training.work import WorkFolder, replace_file, say, watch

if TYPE_CHECKING:
    import optuna

SEARCH_FILE: Final = "search.json"
FOLDS_TRIED: Final = 2
FOLDS: Final = 5
# Short rounds tell good sizes from bad ones, not how good they get. Our choice: a trial takes a minute or two.
EPOCHS: Final = 4
EXAMPLES: Final = 30_000
# Windows that are measured of each fold, spread evenly.
MOST_MEASURED: Final = 20_000
# Widths that are tried, as multiples of the recipe's filters.
WIDTHS: Final = (0.5, 0.75, 1.0, 1.5)
UNITS: Final = (16, 24, 32, 40, 48, 64)
DROPOUTS: Final = (0.0, 0.1, 0.2, 0.3)
RATES: Final = (1e-3, 8e-3)

Measured = tuple[NDArray[np.float32], NDArray[np.int8]]


class Trial(BaseModel):
    """One network that was tried; `auroc` is None where the first fold said enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    filters: tuple[int, ...]
    units: int
    dropout: float
    learning_rate: float
    weights: int
    auroc: float | None
    seconds: float


class Search(BaseModel):
    """The whole of search.json: best trial first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: int
    epochs: int
    examples: int
    seed: int
    trials: list[Trial] = Field(title="Best first")


def search(recipe: Recipe, data: Path, work: WorkFolder, *, trials: int, seed: int) -> Search:
    """Try sizes on two of the folds, and keep their table in the work folder, from where evaluate takes it.

    Raises RecordingError when the data folder lacks a corpus or a recording cannot be read.
    """
    import optuna  # noqa: PLC0415  the card reads the table without it

    recordings = [one for corpus in watch(recipe.trained_on, "reading") for one in recipe.read(data, corpus)]
    folds = []
    for part in parts_of(recipe, recordings, FOLDS, seed)[:FOLDS_TRIED]:
        labelled = [recipe.label(one, recipe.architecture.length) for one in watch(part.measured, "finding windows")]
        folds.append((part, recipe.sampler(part.learns, recipe.architecture), _measured(labelled)))
    table: list[Trial] = []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    own = recipe.architecture
    study.enqueue_trial(
        {"width": 1.0, "units": own.units, "dropout": own.dropout, "learning_rate": recipe.settings.learning_rate}
        if own.units in UNITS and own.dropout in DROPOUTS
        else {"width": 1.0}
    )
    study.optimize(lambda trial: _try(trial, recipe, folds, table), n_trials=trials)
    found = Search(
        folds=FOLDS_TRIED,
        epochs=EPOCHS,
        examples=EXAMPLES,
        seed=seed,
        trials=sorted(table, key=lambda one: -1.0 if one.auroc is None else one.auroc, reverse=True),
    )
    replace_file(work.search, found.model_dump_json(indent=1) + "\n")
    return found


def read_search(folder: Path) -> Search | None:
    """The table in a model's folder, None when nobody has searched; ModelError when it cannot be read."""
    path = folder / SEARCH_FILE
    if not path.is_file():
        return None
    try:
        return Search.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ModelError(
            "is of another edition", where=str(path), mend="run `hearthbeat-train search` again"
        ) from error


def _try(
    trial: optuna.Trial,
    recipe: Recipe,
    folds: list[tuple[Part, Sampler, Measured]],
    table: list[Trial],
) -> float:
    """Mean AUROC of the folds for the sizes that a trial proposes."""
    import optuna  # noqa: PLC0415  see search

    from training.learn import learn, predict  # noqa: PLC0415  the card reads the table without TensorFlow

    architecture, settings = _proposed(trial, recipe)
    begun = time.monotonic()
    values: list[float] = []
    weights = 0
    for place, (part, sampler, (inputs, labels)) in enumerate(folds):
        learnt = learn(architecture, sampler, settings, part.seed)
        weights = sum(weight.size for weight in learnt.weights)
        values.append(float(roc_auc_score(labels, predict(learnt.network, inputs)[:, 0])))
        trial.report(values[-1], place)
        if trial.should_prune() and place + 1 < len(folds):
            break
    is_whole = len(values) == len(folds)
    auroc = round(float(np.mean(values)), 5) if is_whole else None
    table.append(
        Trial(
            number=trial.number,
            filters=architecture.filters,
            units=architecture.units,
            dropout=architecture.dropout,
            learning_rate=round(settings.learning_rate, 5),
            weights=weights,
            auroc=auroc,
            seconds=round(time.monotonic() - begun, 1),
        )
    )
    say(f"trial {trial.number}: filters {architecture.filters}, {architecture.units} units: AUROC {values[-1]:.4f}")
    if auroc is None:
        raise optuna.TrialPruned
    return auroc


def _proposed(trial: optuna.Trial, recipe: Recipe) -> tuple[Architecture, FitSettings]:
    width = trial.suggest_categorical("width", WIDTHS)
    architecture = replace(
        recipe.architecture,
        filters=tuple(max(4, round(width * filters)) for filters in recipe.architecture.filters),
        units=trial.suggest_categorical("units", UNITS),
        dropout=trial.suggest_categorical("dropout", DROPOUTS),
    )
    settings = replace(
        recipe.settings,
        epochs=min(EPOCHS, recipe.settings.epochs),
        examples_per_epoch=min(EXAMPLES, recipe.settings.examples_per_epoch),
        learning_rate=trial.suggest_float("learning_rate", *RATES, log=True),
    )
    return architecture, settings


def _measured(labelled: list[LabelledWindows]) -> Measured:
    """Inputs and labels of counted windows, evenly many."""
    inputs = np.concatenate([one.inputs[one.counted] for one in labelled])
    labels = np.concatenate([one.label[one.counted] for one in labelled])
    stride = max(1, -(-len(labels) // MOST_MEASURED))
    return inputs[::stride], labels[::stride]
