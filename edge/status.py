"""`hearthbeat status`: the daemon answers on a Unix socket, so that what it says is true now and writes to no disk."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from edge.bluetooth.link import LinkState
from edge.clock import SystemClock
from edge.pipeline import person_fields, wearables_of
from edge.readings import Alert
from edge.settings import PersonSettings, Settings
from edge.store.store import Store

SOCKET_NAME: Final = "status.sock"
STORE_NAME: Final = "hearthbeat.db"
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


def stored(settings: Settings) -> Snapshot:
    """What can be told while no daemon runs: what was stored last. Raises StoreError."""
    path = settings.home.state_directory / STORE_NAME
    people = []
    outbox, unsent = {"waiting": 0, "parked": 0, "dropped": 0}, 0
    if path.exists():
        with Store(path) as store:
            people = [_stored_person(store, person) for person in settings.people]
            outbox, unsent = outbox_fields(store), store.notifications.unsent_notifications()
    else:
        people = [person_fields(person, wearables_of(person).values(), None, [], 0.0) for person in settings.people]
    return {
        "daemon": "not running",
        "people": people,
        "outbox": outbox,
        "notifications": {"waiting": unsent},
        "broker": {"state": "not connected", "error": None},
        "faults": ["the daemon does not run; start it with `systemctl start hearthbeat`"],
    }


def stored_alerts(settings: Settings, limit: int = 100) -> list[Alert]:
    """The newest alerts of a home, newest first. Raises StoreError."""
    path = settings.home.state_directory / STORE_NAME
    if not path.exists():
        return []
    with Store(path) as store:
        return store.alerts.alerts(limit)


def outbox_fields(store: Store) -> dict[str, int]:
    """How many messages wait for the broker, were refused by it, or had to be dropped."""
    return {
        "waiting": store.outbox.outbox_depth(),
        "parked": len(store.outbox.parked()),
        "dropped": sum(loss.messages for loss in store.outbox.losses()),
    }


def _stored_person(store: Store, person: PersonSettings) -> Mapping[str, Any]:
    wearables = wearables_of(person)
    for address, wearable in wearables.items():
        wearable.remember(store.signals.last_readings(person.id, address).values())
        wearable.link = LinkState.LOST
    latest = store.assessments.latest_assessment(person.id)
    now = SystemClock().wall()
    return person_fields(person, wearables.values(), latest, store.alerts.open_alerts(person.id), now)
