"""Options that many commands have."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from edge.arguments import Arguments
from edge.settings.home import DEFAULT_SETTINGS_FILE

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Arguments]  # noqa: SLF001 -- argparse has no public name for it


def add_config(parser: argparse.ArgumentParser) -> None:
    """--config FILE."""
    told = f"the settings ({DEFAULT_SETTINGS_FILE})"
    parser.add_argument("--config", type=Path, default=DEFAULT_SETTINGS_FILE, metavar="FILE", help=told)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="for machines")


def positive(text: str) -> float:
    """A number above zero."""
    try:
        value = float(text)
    except ValueError as error:
        message = f"{text!r} is no number"
        raise argparse.ArgumentTypeError(message) from error
    if not 0.0 < value < math.inf:
        message = f"{text} is not above zero"
        raise argparse.ArgumentTypeError(message)
    return value
