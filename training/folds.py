"""People, not windows, are shared out: nobody is learnt from and measured by one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.recipe import Recipe, Recording, Transferring

FINAL: Final = "final"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One network to be fitted: its name, its seed, the recordings it learns from and those it is measured on."""

    name: str
    seed: int
    learns: list[Recording]
    measured: list[Recording]


def share_out(burden: Mapping[str, float], folds: int, seed: int) -> dict[str, int]:
    """The fold, from 1, of each person; the folds are alike in burden, each person's share (0..1) of the risk.

    People are put in the order of their burden, and of every `folds` neighbours each goes to another fold.
    """
    random = np.random.default_rng(seed)
    ordered = sorted(burden, key=lambda person: (burden[person], person))
    fold_of: dict[str, int] = {}
    for first in range(0, len(ordered), folds):
        block = ordered[first : first + folds]
        fold_of |= {person: int(fold) + 1 for person, fold in zip(block, random.permutation(folds), strict=False)}
    return fold_of


def parts_of(recipe: Recipe, recordings: Sequence[Recording], folds: int, seed: int) -> list[Part]:
    """The networks of a recipe: one for each fold (none for `folds` 0), the transfers, and the final one.

    `recordings` are those of the corpora that the recipe learns from.
    """
    fold_of: dict[str, int] = {}
    if folds:
        for corpus in recipe.trained_on:
            if corpus not in recipe.not_validated:
                fold_of |= share_out(_burden([one for one in recordings if one.corpus == corpus]), folds, seed)
    parts = []
    for fold in range(1, folds + 1):
        measured = [one for one in recordings if fold_of.get(one.person) == fold]
        parts.append(_part(f"fold-{fold}", seed + fold, recordings, measured))
    if folds and isinstance(recipe, Transferring):
        for place, transfer in enumerate(recipe.transfers, start=folds + 1):
            measured = [one for one in recordings if transfer.measured(one)]
            learnt = [one for one in recordings if transfer.learns(one)]
            parts.append(_part(f"transfer-{transfer.name}", seed + place, learnt, measured))
    return [*parts, Part(FINAL, seed, list(recordings), [])]


def _part(name: str, seed: int, learns: Sequence[Recording], measured: list[Recording]) -> Part:
    strangers = {one.person for one in measured}
    return Part(name, seed, [one for one in learns if one.person not in strangers], measured)


def _burden(recordings: Sequence[Recording]) -> dict[str, float]:
    """Each person's mean burden over their recordings."""
    of_person: dict[str, list[float]] = {}
    for one in recordings:
        of_person.setdefault(one.person, []).append(one.burden)
    return {person: float(np.mean(values)) for person, values in of_person.items()}
