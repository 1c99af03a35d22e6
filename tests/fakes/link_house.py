"""An AlertHouse with buttons: its desk of links, on the same store, behind the socket that the web process asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from edge.attending import Attending
from edge.buttons.desk import LinkDesk
from edge.notices import Alert, Button, Notification, Severity
from edge.recorder import Recorder
from edge.store.store import Store
from tests.fakes.alert_house import AlertHouse, DirectRecorder

WEB = """
[web]
url = "http://hearthbeat.local:8460"
socket = "links.sock"
"""


@dataclass
class LinkHouse:
    """What runs: the alerts, the desk, and the desk's own view of the store."""

    alerts: AlertHouse
    attending: Attending
    desk: LinkDesk
    store: Store

    async def raised(self, name: str = "aaaa", severity: Severity = Severity.WARNING) -> Alert:
        """An alert of Anna's that she and Bert are told of."""
        alert = self.alerts.alert(name, severity)
        await self.attending.say(self.alerts.settings.people[0], alert)
        return alert

    async def token(self, button: Button, contact: str = "bert", alert: str = "aaaa") -> str:
        """The end of the link of one button."""
        told = Notification("n", alert, contact, "T", "B", Severity.WARNING, self.alerts.clock.wall(), (button,))
        (action,) = await self.desk.actions(told)
        assert action.url.startswith("http://hearthbeat.local:8460/a/")
        return action.url.rpartition("/")[2]

    async def page(self, token: str, do: str = "press") -> dict[str, Any]:
        """What the desk tells the web process."""
        (page,) = [dict(words) async for words in self.desk.respond({"do": do, "token": token})]
        return page


@asynccontextmanager
async def link_house(alerts: AlertHouse, recorder_type: type[Recorder] = DirectRecorder) -> AsyncIterator[LinkHouse]:
    """The parts of a daemon through which alerts and their answers pass; the desk writes by `recorder_type`."""

    async def snapshot() -> dict[str, Any]:
        return {"daemon": "running", "people": [{"id": "anna", "long": "x" * 200_000}]}

    async with alerts.running() as attending:
        store = Store(alerts.folder / "state" / "hearthbeat.db")
        recorder = recorder_type(store, clock=alerts.clock, interval_s=6.0)
        desk = LinkDesk(
            alerts.settings,
            store,
            recorder,
            alerts.clock,
            contacts=lambda: alerts.settings.contacts,
            attending=lambda: attending,
            snapshot=snapshot,
            machine=alerts.clock,
        )
        async with desk.serving():
            yield LinkHouse(alerts, attending, desk, store)
        await recorder.close()
        store.close()
