"""`hearthbeat status` for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(status: Mapping[str, Any], console: Console) -> None:
    """Print a status for people."""
    table = Table(title=f"Hearthbeat: {status['daemon']}")
    for heading in ("person", "wearable", "link", "last reading", "battery", "last assessment", "open alerts"):
        table.add_column(heading)
    for person in status["people"]:
        for number, wearable in enumerate(person["wearables"] or [None]):
            table.add_row(
                person["id"] if number == 0 else "",
                *_wearable(wearable),
                "\n".join(map(_assessment, person["assessments"])) or "none yet" if number == 0 else "",
                ", ".join(alert["kind"] for alert in person["open_alerts"]) if number == 0 else "",
            )
    for device in status["shared"]:
        table.add_row("shared", *_wearable(device), "", "")
    console.print(table)
    claims = status["claims"]["waiting"]
    if claims:
        console.print(f"{claims} measurements wait for somebody to say whose they are: hearthbeat people claims")
    outbox, broker = status["outbox"], status["broker"]
    console.print(f"outbox: {_count(outbox['waiting'])} waiting, {_count(outbox['parked'])} refused")
    console.print("broker: " + ", ".join(filter(None, (broker["state"], broker["error"]))), markup=False)
    for fault in status["faults"]:
        console.print(f"fault: {fault}", style="bold red", markup=False)


def _wearable(wearable: Mapping[str, Any] | None) -> tuple[str, str, str, str]:
    """Name, link, age of the last reading, battery; None is somebody who wears nothing yet."""
    if wearable is None:
        return "nothing yet", "", "", ""
    battery = wearable["battery_percent"]
    return (
        escape(wearable["name"] or wearable["address"]),  # it may have named itself
        wearable["link"],
        _age(wearable["reading_age_s"]),
        "unknown" if battery is None else f"{battery:.0f} %",
    )


def _count(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s ago"


def _assessment(assessment: Mapping[str, Any]) -> str:
    if assessment["score"] is None:
        return f"{assessment['risk']}: not enough data ({escape(assessment['reason'])})"
    return f"{assessment['risk']}: {assessment['score']:.2f}"
