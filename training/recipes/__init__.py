"""The risks that can be trained, one file each."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from edge.errors import WrongUseError
from training.recipe import Recipe


def recipe_of(risk: str) -> Recipe:
    """The recipe of a risk by its name; WrongUseError when it has none."""
    name = f"{__name__}.{risk}"
    if not risk.isidentifier() or find_spec(name) is None:
        raise WrongUseError("has no recipe", where=risk, mend="name a risk that has a file in training/recipes")
    return cast("Recipe", import_module(name).RECIPE)
