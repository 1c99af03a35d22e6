"""`hearthbeat status`: the daemon answers on a Unix socket, so that what it says is true now and writes to no disk."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.alerts.faults import is_fault
from edge.bluetooth.link import LinkState
from edge.bluetooth.trouble import RadioStatus
from edge.clock import SystemClock
from edge.errors import WrongUseError
from edge.household.household import communal, residents
from edge.household.wearable import wearable_of, wearables_of
from edge.notices import Alert
from edge.pipeline import Pipeline, person_fields
from edge.readings import NOBODY, Assessment, Source
from edge.recorder import Recorder
from edge.settings.home import Settings
from edge.store.store import Store
from edge.watches.fault_fields import fault_fields, fault_line

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
    try:
        answer = json.loads(b"".join(parts))
    except ValueError:  # it died while it answered
        return None
    return answer if isinstance(answer, dict) else None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store adds to a status: of each person each risk's latest Assessment, and the open Alerts.

    `faults` are the open Alerts of faults, of whatever they are about; `waiting_claims` counts the measurements of
    which nobody has said yet whose they are.
    """

    people: Mapping[str, tuple[list[Assessment], list[Alert]]]
    outbox: Mapping[str, int | None]
    unsent_notifications: int | None
    faults: list[Alert]
    waiting_claims: int | None

    def of(self, person: str) -> tuple[list[Assessment], list[Alert]]:
        """Each risk's latest Assessment, and the open Alerts, of one person."""
        return self.people.get(person, ([], []))


NOTHING_STORED: Final = Stored({}, {"waiting": None, "parked": None, "dropped": None}, None, [], None)


def read_store(store: Store, people: Iterable[str]) -> Stored:
    """What the store knows now. Raises StoreError."""
    opened = store.alerts.open_alerts()
    risks = [alert for alert in opened if not is_fault(alert)]
    figures = store.outbox.figures()
    return Stored(
        {
            person: (
                store.assessments.latest_assessments(person),
                [alert for alert in risks if alert.person == person],
            )
            for person in people
        },
        {
            "waiting": figures.waiting,
            "parked": figures.parked,
            "dropped": sum(loss.messages for loss in store.outbox.losses()),
        },
        store.notifications.unsent_notifications(),
        [alert for alert in opened if is_fault(alert)],
        len(store.claims.waiting()),
    )


def bluetooth_fields(radio: RadioStatus) -> dict[str, Any]:
    """How the adapter is, for JSON."""
    return {"state": radio.state.value, "since": radio.since, "why": radio.why, "mend": radio.mend}


def losses(recorder: Recorder, pipelines: Iterable[Pipeline]) -> list[str]:
    """What was lost since the start, one line each."""
    lines = []
    if recorder.dropped_readings:
        lines.append(f"{recorder.dropped_readings} readings were dropped while the disk refused them")
    if recorder.unstorable_readings:
        lines.append(f"{recorder.unstorable_readings} readings were dropped that cannot be stored; report this")
    for pipeline in pipelines:
        if pipeline.dropped_windows:
            why = "because the model could not keep up"
            lines.append(f"{pipeline.person.id}: {pipeline.dropped_windows} windows were dropped {why}")
    return lines


def store_path(settings: Settings) -> Path | None:
    """Where the store is, None where there is none yet. Raises WrongUseError for a user who may not look."""
    path = settings.home.state_directory / STORE_NAME
    try:
        return path if path.exists() else None
    except PermissionError as error:
        raise WrongUseError(
            "only the daemon's user and root may see what is stored", where=str(path), mend="use sudo"
        ) from error


def stored(settings: Settings) -> Snapshot:
    """What can be told while no daemon runs: what was stored last. Raises StoreError, and as `store_path`."""
    path = store_path(settings)
    now = SystemClock().wall()
    people = residents(settings)
    wearables = {person.id: wearables_of(person) for person in people}
    shared = [wearable_of(Source(NOBODY, device.address), device.name) for device in communal(settings)]
    for wearable in (*shared, *(one for worn in wearables.values() for one in worn.values())):
        wearable.link = LinkState.LOST
    known = NOTHING_STORED
    if path is not None:
        with Store(path) as store:
            known = read_store(store, wearables)
            for person, worn in wearables.items():
                for address, wearable in worn.items():
                    wearable.remember(store.signals.last_readings(person, address).values())
    return {
        "daemon": "not running",
        "people": [
            person_fields(person, wearables[person.id].values(), *known.of(person.id), now) for person in people
        ],
        "shared": [wearable.snapshot(now) for wearable in shared],
        "claims": {"waiting": known.waiting_claims},
        "outbox": known.outbox,
        "notifications": {"waiting": known.unsent_notifications},
        "broker": {"state": "not connected", "error": None},
        "bluetooth": {"state": "unknown", "since": None, "why": None, "mend": None},
        "open_faults": [fault_fields(alert, settings) for alert in known.faults],
        "faults": [
            "the daemon does not run; start it with `systemctl start hearthbeat`",
            *(fault_line(alert, settings, now) for alert in known.faults),
        ],
    }


def stored_alerts(settings: Settings, limit: int = 100) -> list[Alert]:
    """The newest alerts of a home, newest first. Raises StoreError, and as `store_path`."""
    path = store_path(settings)
    if path is None:
        return []
    with Store(path) as store:
        return store.alerts.alerts(limit)
