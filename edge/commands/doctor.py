"""`hearthbeat doctor`."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from edge.commands.options import add_config, add_json

if TYPE_CHECKING:
    from edge.commands.options import Commands


def add_doctor(commands: Commands) -> None:
    """The command."""
    doctor = commands.add_parser("doctor", help="look at everything that a home needs, and say how to mend it")
    add_config(doctor)
    add_json(doctor)
    doctor.set_defaults(command=_doctor)


def _doctor(given: argparse.Namespace) -> int:
    import asyncio

    from rich.console import Console

    from edge.doctor import Doctor, Verdict

    async def examine() -> bool:
        console, checks = Console(highlight=False, soft_wrap=True), []
        async for check in Doctor(given.config).examine():
            checks.append(check)
            if not given.json:
                colour = {Verdict.OK: "green", Verdict.WRONG: "bold red", Verdict.UNKNOWN: "yellow"}[check.verdict]
                console.print(f"{check.verdict.value:8}", style=colour, end="")
                console.print(f"{check.name}: {check.found}", markup=False)
                if check.mend is not None:
                    console.print(f"{'':8}  to mend it: {check.mend}", markup=False)
        wrong = any(check.verdict is Verdict.WRONG for check in checks)
        if given.json:
            print(json.dumps({"ok": not wrong, "checks": [check.fields() for check in checks]}))
        return wrong

    return 1 if asyncio.run(examine()) else 0
