"""The part of a daemon through which alerts pass, on a real store behind a real socket, with time that a test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from cloud_sync.messages import Home
from edge.attending import Attending
from edge.cli import main
from edge.notices import Alert, AlertState, Notification, Severity
from edge.readings import Explanation, Risk
from edge.recorder import Recorder
from edge.running import control
from edge.settings.home import Settings, load_settings
from edge.store.store import Store
from tests.fakes.clock import ManualClock

P = ParamSpec("P")
T = TypeVar("T")
HOUR = 3600.0
SETTINGS = """
[home]
state_directory = "state"

[[people]]
id = "anna"
name = "Anna"
contacts = ["anna", "bert"]

[[contacts]]
id = "anna"
url = "json://127.0.0.1:9"

[[contacts]]
id = "bert"
url = "json://127.0.0.1:9"
"""
# A family with a house that somebody looks after, and a neighbour who is told of nothing.
FAMILY = """
[home]
state_directory = "state"
contacts = ["engineer"]

[[people]]
id = "anna"
name = "Anna"
contacts = ["anna", "bert"]
[people.care]
carers = ["carla", "dora"]

[[contacts]]
id = "anna"
url = "json://127.0.0.1:9"

[[contacts]]
id = "bert"
name = "Dad"
url = "json://127.0.0.1:9"

[[contacts]]
id = "carla"
url = "json://127.0.0.1:9"

[[contacts]]
id = "dora"
url = "json://127.0.0.1:9"

[[contacts]]
id = "engineer"
url = "json://127.0.0.1:9"

[[contacts]]
id = "neighbour"
url = "json://127.0.0.1:9"
"""


class DirectRecorder(Recorder):
    """A recorder that writes at once: handing each call to a thread takes longer than all else, and needs real time."""

    async def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """See Recorder."""
        return function(*arguments, **named)


@dataclass
class AlertHouse:
    """One home; `fresh` says whether what is open is known to be so now, `fault_audience` who is told of faults."""

    folder: Path
    clock: ManualClock
    fresh: bool = True
    fault_audience: tuple[str, ...] = ("bert",)

    @property
    def settings(self) -> Settings:
        return _settings(self.folder / "hearthbeat.toml", (self.folder / "hearthbeat.toml").read_bytes())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Attending]:
        store = Store(self.folder / "state" / "hearthbeat.db")
        recorder = DirectRecorder(store, clock=self.clock, interval_s=6.0)
        attending = Attending(
            Home("home", store.pseudonyms),
            recorder,
            self.clock,
            settings=lambda: self.settings,
            fault_audience=lambda _: self.fault_audience,
            is_fresh=lambda _: self.fresh,
        )
        await attending.restore(store)

        async def answer(request: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
            yield await attending.answer(request)

        async with control.serving(self.folder / "state", answer):
            telling = asyncio.create_task(attending.run())
            yield attending
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
        await recorder.close()
        store.close()

    async def command(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, [*arguments, "--config", str(self.folder / "hearthbeat.toml")])

    def alert(self, name: str = "aaaa", severity: Severity = Severity.WARNING, kind: str = "") -> Alert:
        now = self.clock.wall()
        why = Explanation("The RR intervals vary without order.", {"variation_percent": 31.0})
        kind = kind or Risk.ATRIAL_FIBRILLATION
        return Alert(name, "anna", kind, severity, AlertState.RAISED, now - 300, now, None, why)

    def notifications(self) -> list[Notification]:
        """What has been told or is to be, in the order in which it was."""
        with Store(self.folder / "state" / "hearthbeat.db") as store:
            return [one.notification for one in store.notifications.due_notifications(self.clock.wall() + 9e9)]

    def told(self) -> list[tuple[str, str]]:
        return [(one.contact, one.title) for one in self.notifications()]

    def turns(self) -> list[tuple[str, str]]:
        """Who was told of which turn."""
        return [(one.contact, one.turn) for one in self.notifications()]

    def messages(self) -> list[dict[str, Any]]:
        with Store(self.folder / "state" / "hearthbeat.db") as store:
            return [json.loads(message.payload) for message in store.outbox.next_messages(100)]

    def stored(self) -> Alert:
        with Store(self.folder / "state" / "hearthbeat.db") as store:
            return store.alerts.alerts(1)[0]


def house_in(folder: Path, settings: str = SETTINGS) -> AlertHouse:
    """A home with these settings."""
    (folder / "hearthbeat.toml").write_text(settings, encoding="utf-8")
    (folder / "state").mkdir()
    return AlertHouse(folder, ManualClock())


@cache
def _settings(path: Path, _: bytes) -> Settings:
    """The settings of a file, read anew where it holds something else."""
    return load_settings(path)
