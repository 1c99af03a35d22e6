"""Command lines that refuse wrong use in one line, for every program of the house."""

from __future__ import annotations

import argparse
from typing import NoReturn

from edge.errors import WrongUseError


class Arguments(argparse.ArgumentParser):
    """An ArgumentParser that raises WrongUseError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """See argparse; raises WrongUseError."""
        raise WrongUseError(message, where=self.prog, mend=f"see `{self.prog} --help`")
