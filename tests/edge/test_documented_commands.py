"""README and docs show no command line that the programs would refuse, and leave out no command that there is."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from cloud_sync.collector import cli as collector
from edge import cli
from tests.conftest import CHECKOUT

PROGRAMS = {"hearthbeat": cli._parser(), "hearthbeat-collector": collector._parser()}
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
# An indented line, with what is optional in brackets, and what it does behind a # or four spaces.
SHOWN = re.compile(r"^ {4,}(?:sudo )?(?:\S*/)?(hearthbeat(?:-collector)?) (.*)$", re.MULTILINE)


def shown() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for program, line in SHOWN.findall(page.read_text(encoding="utf-8")):
            words = re.split(r" {4,}| < ", line)[0]
            yield program, re.sub(r"[\[\]]|\|\w+", "", words)


def leaves(parser: argparse.ArgumentParser, path: str) -> Iterator[str]:
    verbs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not verbs:
        yield path
    for name, below in (item for verb in verbs for item in verb.choices.items()):
        yield from leaves(below, f"{path} {name}")


@pytest.mark.parametrize(("program", "line"), sorted(set(shown())))
def test_a_command_that_is_shown_is_one_that_there_is(program: str, line: str) -> None:
    numbered = re.sub(r"(--(?:minutes|homes|since|until|speed)) [A-Z]\b", r"\1 7", line)
    assert PROGRAMS[program].parse_args(shlex.split(numbered, comments=True)).command


def test_every_command_is_told_of() -> None:
    pages = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    told = {
        word
        for found in re.findall(r"`([^`\n]+)`|^ {4,}(.*)$", pages, re.MULTILINE)
        for word in " ".join(found).split()
    }
    for name, parser in PROGRAMS.items():
        missing = [path for path in leaves(parser, name) if path.split()[-1] not in told]
        assert missing == []
