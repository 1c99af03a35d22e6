"""`hearthbeat status`: the daemon answers on a Unix socket, so that what it says is true now and writes to no disk."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

SOCKET_NAME: Final = "status.sock"
# A daemon that answers nobody for this long is stuck; its watchdog acts at the same time.
PATIENCE_S: Final = 5.0

Snapshot = Mapping[str, Any]


@asynccontextmanager
async def serving(folder: Path, snapshot: Callable[[], Awaitable[Snapshot]]) -> AsyncIterator[None]:
    """Answer every connection to the folder's socket with one JSON document, while the context lasts."""
    path = folder / SOCKET_NAME
    path.unlink(missing_ok=True)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(await snapshot()).encode())
            await writer.drain()
        except ConnectionError:
            return  # whoever asked did not wait for the answer
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def ask(folder: Path) -> dict[str, Any] | None:
    """The running daemon's status, or None when no daemon answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(str(folder / SOCKET_NAME))
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        except OSError:
            return None
    answer = json.loads(b"".join(parts))
    return answer if isinstance(answer, dict) else None


def show(status: Snapshot, console: Console) -> None:
    """Print a status for people."""
    table = Table(title=f"Hearthbeat: {status['daemon']}")
    for heading in ("person", "wearable", "link", "last reading", "battery", "last assessment", "open alerts"):
        table.add_column(heading)
    for person in status["people"]:
        for number, wearable in enumerate(person["wearables"]):
            table.add_row(
                person["id"] if number == 0 else "",
                wearable["name"] or wearable["address"],
                wearable["link"],
                _age(wearable["reading_age_s"]),
                "unknown" if wearable["battery_percent"] is None else f"{wearable['battery_percent']:.0f} %",
                _assessment(person["last_assessment"]) if number == 0 else "",
                ", ".join(alert["kind"] for alert in person["open_alerts"]) if number == 0 else "",
            )
    console.print(table)
    outbox, broker = status["outbox"], status["broker"]
    console.print(f"outbox: {outbox['waiting']} waiting, {outbox['parked']} refused; broker: {broker['state']}")
    for fault in status["faults"]:
        console.print(f"fault: {fault}", style="bold red")


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s ago"


def _assessment(assessment: Mapping[str, Any] | None) -> str:
    if assessment is None:
        return "none yet"
    if assessment["score"] is None:
        return f"{assessment['risk']}: not enough data ({assessment['reason']})"
    return f"{assessment['risk']}: {assessment['score']:.2f}"
