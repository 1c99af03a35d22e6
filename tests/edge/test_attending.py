"""What people answer at the command line, through the daemon's socket, in the store, and after a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.messages import Home
from edge import control
from edge.alerts.faults import Transition
from edge.attending import Attending
from edge.cli import main
from edge.errors import WrongUseError
from edge.readings import Alert, AlertState, Explanation, FaultKind, Risk, Severity
from edge.recorder import Recorder
from edge.settings import Settings, load_settings
from edge.store.store import Store
from tests.fakes.clock import ManualClock

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
HOUR = 3600.0


@dataclass
class House:
    """The part of a daemon through which alerts pass, on a real store behind a real socket."""

    folder: Path
    clock: ManualClock
    fresh: bool = True

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder / "hearthbeat.toml")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Attending]:
        store = Store(self.folder / "state" / "hearthbeat.db")
        recorder = Recorder(store, clock=self.clock, interval_s=6.0)
        attending = Attending(
            Home("home", store.pseudonyms),
            recorder,
            self.clock,
            settings=lambda: self.settings,
            fault_audience=lambda _: ["bert"],
            is_fresh=lambda _: self.fresh,
        )
        await attending.restore(store)

        async def answer(request: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
            yield await attending.answer(request)

        async with control.serving(self.folder / "state", answer):
            yield attending
        await recorder.close()
        store.close()

    async def command(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, [*arguments, "--config", str(self.folder / "hearthbeat.toml")])

    def alert(self, name: str = "aaaa", severity: Severity = Severity.WARNING) -> Alert:
        now = self.clock.wall()
        why = Explanation("The RR intervals vary without order.", {"variation_percent": 31.0})
        return Alert(name, "anna", Risk.ATRIAL_FIBRILLATION, severity, AlertState.RAISED, now - 300, now, None, why)

    def told(self) -> list[tuple[str, str]]:
        with Store(self.folder / "state" / "hearthbeat.db") as store:
            due = store.notifications.due_notifications(self.clock.wall() + 48 * HOUR)
            return [(one.notification.contact, one.notification.title) for one in due]

    def messages(self) -> list[dict[str, Any]]:
        with Store(self.folder / "state" / "hearthbeat.db") as store:
            return [json.loads(message.payload) for message in store.outbox.next_messages(100)]

    def stored(self) -> Alert:
        with Store(self.folder / "state" / "hearthbeat.db") as store:
            return store.alerts.alerts(1)[0]


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "hearthbeat.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "state").mkdir()
    return House(tmp_path, ManualClock())


def cleared(alert: Alert, at: float) -> Alert:
    return replace(alert, state=AlertState.CLEARED, cleared_at=at)


async def test_pain_16_an_acknowledgement_counts_and_is_shown(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        assert await house.command("alerts", "ack", "aa", "--by", "bert") == 0
        assert "is acknowledged" in capsys.readouterr().out
        assert await house.command("alerts", "ack", "aaaa", "--by", "anna", "--json") == 0
        assert json.loads(capsys.readouterr().out)["already"]
        assert attending.open_alerts[0].acknowledged_by == "bert"
    assert house.stored().acknowledged_by == "bert"
    assert [one.get("acknowledged_at") for one in house.messages()] == [None, house.clock.wall()]
    assert await house.command("alerts", "show", "aaaa", "--json") == 0, "the daemon need not run for this"
    shown = json.loads(capsys.readouterr().out)
    assert shown["acknowledged_by"] == "bert"
    assert shown["explanation"] == "The RR intervals vary without order."
    assert {told["contact"] for told in shown["told"]} == {"anna", "bert"}
    assert await house.command("alerts", "list", "--open") == 0
    assert "acknowledged by bert" in capsys.readouterr().out


async def test_pain_14_a_snooze_outlives_a_restart_and_its_end_is_told_once(house: House) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        assert await house.command("alerts", "snooze", "aaaa", "--minutes", "30") == 0
    async with house.running() as attending:
        await attending.remind()
        assert len(house.told()) == 2, "those of the beginning"
        await house.clock.advance(1800.0)
    for _ in range(3):
        async with house.running() as attending:
            await attending.remind()
            await attending.remind()
    assert len(house.told()) == 4
    assert sorted(title.startswith("Still so: ") for _, title in house.told()) == [False, False, True, True]


async def test_pain_11_after_a_snooze_nothing_is_told_on_stale_data(house: House) -> None:
    async with house.running() as attending:
        alert = house.alert()
        await attending.say(house.settings.people[0], alert)
        await attending.answer({"do": "snooze", "alert": "aaaa", "seconds": 60.0})
        await house.clock.advance(HOUR)
        house.fresh = False
        await attending.remind()
        assert len(house.told()) == 2
        assert attending.open_alerts[0].snoozed_until is not None
        await attending.say(house.settings.people[0], cleared(alert, house.clock.wall()))
        house.fresh = True
        await attending.remind()
    assert [title for _, title in house.told()][2:] == ["Anna: heartbeat regular again"] * 2


async def test_pain_17_a_graver_turn_of_a_fault_breaks_through(house: House) -> None:
    now = house.clock.wall()
    low = Alert(
        "ffff",
        "anna",
        FaultKind.BATTERY_LOW,
        Severity.WARNING,
        AlertState.RAISED,
        now,
        now,
        None,
        Explanation("It is low."),
        "AA",
    )
    async with house.running() as attending:
        await attending.say_fault(Transition(low, is_news=True))
        await attending.answer({"do": "snooze", "alert": "ffff", "seconds": HOUR})
        await attending.say_fault(Transition(replace(low, id="gggg"), is_news=True))
        assert len(house.told()) == 1
        await attending.say_fault(Transition(replace(low, severity=Severity.CRITICAL), is_news=True))
        assert len(house.told()) == 2
        opened = {alert.id: alert.snoozed_until for alert in attending.open_alerts}
    assert opened == {"ffff": None, "gggg": now + HOUR}


async def test_what_is_open_of_somebody_who_moves_out_ends_untold(house: House) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        toml = house.folder / "hearthbeat.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace('"anna"\nname', '"carla"\nname'), encoding="utf-8")
        await attending.remind()
        assert attending.open_alerts == []
        assert len(house.told()) == 2, "what was told before"


async def test_what_cannot_be_answered_is_refused_in_one_line(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await house.command("alerts", "ack", "aaaa") == 1
    assert "no daemon runs" in capsys.readouterr().err
    async with house.running() as attending:
        alert = house.alert()
        await attending.say(house.settings.people[0], alert)
        await attending.say(house.settings.people[0], cleared(alert, house.clock.wall()))
        for arguments in (
            ("ack", "aaaa"),  # over
            ("ack", "nothing"),
            ("ack", "aaaa", "--by", "nobody"),
            ("snooze", "aaaa", "--minutes", "100000"),
            ("snooze", "aaaa", "--minutes", "-1"),
            ("show", "nothing"),
            ("list", "--person", "nobody"),
        ):
            try:
                code = await house.command("alerts", *arguments)
            except SystemExit as end:
                code = int(end.code or 0)
            assert code == 2, arguments
            error = capsys.readouterr().err
            assert len(error.strip().splitlines()) == 1, error
        for request in (
            {"do": "acknowledge"},
            {"do": "acknowledge", "alert": 5},
            {"do": "snooze", "alert": "aaaa"},
            {"do": "snooze", "alert": "aaaa", "seconds": "60"},
            {"do": "snooze", "alert": "aaaa", "seconds": True},
        ):
            with pytest.raises(WrongUseError):
                await attending.answer(request)
