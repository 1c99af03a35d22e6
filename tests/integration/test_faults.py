"""Faults from end to end: a strap that falls silent or runs down, an adapter that is gone, and the phone that tells."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from edge.bluetooth.link import SILENCE_LIMIT_S
from edge.bluetooth.radio import Radio
from edge.clock import AcceleratedClock
from edge.daemon import Daemon
from edge.doctor import Doctor, Verdict
from edge.notices import AlertState, FaultKind
from edge.running import status
from edge.settings.home import Settings
from edge.store.store import Store
from edge.virtual.phone import VirtualPhone
from edge.virtual.radio import VirtualRadio
from edge.virtual.rhythm import sinus
from edge.virtual.strap import Vices, VirtualStrap
from edge.virtual.time import VirtualClock
from tests.fakes.home import virtual_home

# By day, wherever this runs: at night a wearable's fault would wait for the morning.
LATE_MORNING = datetime(2027, 1, 15, 10, 0).astimezone().timestamp()
SPEED = 300.0

pytestmark = pytest.mark.timeout(180)  # a simulated quarter of an hour each, on a machine that may be busy


def settings_of(folder: Path, phone: VirtualPhone, addresses: list[str]) -> Settings:
    names = ["anna", "bert", "cleo"]
    return Settings.model_validate(
        {
            "home": {"state_directory": folder},
            "people": [
                {
                    "id": name,
                    "name": name.title(),
                    "contacts": ["phone"],
                    "wearables": [{"address": address, "name": "strap"}],
                    "faults": {"no_data_min": {"heart_rate": 6.0, "rr_interval": 6.0}, "not_worn_h": 0.2},
                }
                for name, address in zip(names, addresses, strict=False)
            ],
            "contacts": [{"id": "phone", "url": phone.url, "daily_word": "never"}],
        }
    )


@dataclass(slots=True)
class Home:
    """One person's strap, daemon and phone, all in this process."""

    folder: Path
    clock: VirtualClock
    radio: VirtualRadio
    strap: VirtualStrap
    phone: VirtualPhone

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Daemon]:
        daemon = Daemon(
            settings_of(self.folder, self.phone, [self.strap.address]),
            clock=self.clock,
            radio=Radio(scanner_backend=self.radio.scanner_backend, client_backend=self.radio.client_backend),
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(daemon.run())
            await daemon.started.wait()
            yield daemon
            daemon.stop()
            await running

    def stored(self, kind: FaultKind) -> list[AlertState]:
        """The states of a kind's episodes."""
        with Store(self.folder / status.STORE_NAME) as store:
            return [alert.state for alert in store.alerts.alerts(100) if alert.kind == kind]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    clock = VirtualClock(SPEED, start=LATE_MORNING)
    async with VirtualPhone() as phone, VirtualRadio() as radio:
        strap = VirtualStrap(radio, clock)
        await strap.start()
        tasks = [asyncio.create_task(clock.run()), asyncio.create_task(strap.play(heart()))]
        yield Home(tmp_path, clock, radio, strap, phone)
        for task in tasks:
            task.cancel()


def heart() -> Iterator[float]:
    """Sinus rhythm without end."""
    chance = random.Random(1)
    while True:
        yield from sinus(600.0, bpm=66.0, chance=chance)


async def kinds(daemon: Daemon) -> list[str]:
    return [fault["kind"] for fault in (await daemon.snapshot())["open_faults"]]


async def doctors_word(home: Home) -> dict[str, Verdict]:
    """What the doctor says beside the running daemon, but for this machine's clock."""
    config = home.folder / "hearthbeat.toml"
    config.write_text(
        f'[home]\nstate_directory = "{home.folder}"\n'
        '[[people]]\nid = "anna"\nname = "Anna"\ncontacts = ["phone"]\n'
        f'[[people.wearables]]\naddress = "{home.strap.address}"\nname = "strap"\n'
        f'[[contacts]]\nid = "phone"\nurl = "{home.phone.url}"\n'
    )
    checks = [check async for check in Doctor(config).examine()]
    return {check.name: check.verdict for check in checks if check.name != "clock"}


async def test_pain_12_a_strap_that_falls_silent_is_told_and_so_is_its_return(home: Home) -> None:
    async with home.daemon() as daemon:
        await home.clock.sleep(400.0)
        assert await kinds(daemon) == []
        home.strap.vices = Vices(silent=True)
        silent_since = home.clock.wall()
        told = await home.phone.next_message()
        assert told.title == "Nothing comes from Anna's strap"
        assert "in reach but says nothing" in told.body
        snapshot = await daemon.snapshot()
        (fault,) = snapshot["open_faults"]
        assert fault["what"] == "Anna's strap"
        assert fault["severity"] == "warning"
        assert abs(fault["since"] - silent_since) < 120.0
        assert any("Anna's strap: no data since" in line for line in snapshot["faults"])
        assert snapshot["people"][0]["open_alerts"] == [], "a fault is nobody's illness"
        home.strap.vices = Vices()
        assert (await home.phone.next_message()).title == "Data come again from Anna's strap"
        assert await kinds(daemon) == []
    assert home.stored(FaultKind.NO_DATA) == [AlertState.CLEARED]
    assert len(home.phone.shown) == 2


async def test_pain_14_and_15_a_restart_neither_repeats_a_fault_nor_loses_its_end(home: Home) -> None:
    async with home.daemon() as daemon:
        await home.clock.sleep(400.0)
        home.strap.vices = Vices(silent=True)
        await home.phone.next_message()
        while (await daemon.snapshot())["notifications"]["waiting"]:
            await home.clock.sleep(5.0)  # else it would be told again, as perhaps a repeat
    async with home.daemon() as daemon:
        await home.clock.sleep(900.0)
        assert await kinds(daemon) == ["no_data"]
        assert len(home.phone.shown) == 1
    async with home.daemon():
        home.strap.vices = Vices()
        assert (await home.phone.next_message()).title == "Data come again from Anna's strap"
    assert home.stored(FaultKind.NO_DATA) == [AlertState.CLEARED]


async def test_pain_13_a_low_battery_is_told_once(home: Home) -> None:
    async with home.daemon() as daemon:
        await home.clock.sleep(30.0)
        for percent in (15, 16, 12, 17, 9):
            await home.strap.set_battery(percent)
            await home.clock.sleep(160.0)
        assert await kinds(daemon) == ["battery_low"]
        (told,) = home.phone.shown
        assert told.title == "Battery low: Anna's strap"
        checks = await doctors_word(home)
        assert [name for name, verdict in checks.items() if verdict is Verdict.WRONG] == ["battery_low"]
        assert {checks[name] for name in ("daemon", "bluetooth", "store")} == {Verdict.OK}
        await home.strap.set_battery(95)
        await home.clock.sleep(300.0)
        assert await kinds(daemon) == []
        assert len(home.phone.shown) == 1, "nobody need be told that somebody has charged it"


async def test_pain_08_a_strap_off_the_body_is_told_though_it_sends_a_plausible_rate(home: Home) -> None:
    async with home.daemon() as daemon:
        home.strap.vices = Vices(contact=False)
        await home.clock.sleep(600.0)
        assert await kinds(daemon) == []
        assert (await home.phone.next_message()).title == "Not worn: Anna's strap"
        home.strap.vices = Vices()
        await home.clock.sleep(300.0)
        assert await kinds(daemon) == []


async def test_three_silent_straps_and_no_adapter_are_one_alert_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = AcceleratedClock(120.0, start=LATE_MORNING)
    async with virtual_home(clock, straps=3) as house, VirtualPhone() as phone, asyncio.TaskGroup() as group:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", house.bus.address)
        playing = [group.create_task(strap.play(heart())) for strap in house.straps]
        settings = settings_of(tmp_path, phone, [strap.address for strap in house.straps])
        daemon = Daemon(settings, clock=clock, silence_limit_s=10 * SILENCE_LIMIT_S)
        running = group.create_task(daemon.run())
        await daemon.started.wait()
        for strap in house.straps:
            await strap.subscribed.wait()
        await clock.sleep(330.0)
        await house.bluez.unplug()
        told = await phone.next_message()
        assert told.title == "Hearthbeat's Bluetooth does not work"
        assert "adapter" in told.body
        await clock.sleep(700.0)
        assert await kinds(daemon) == ["bluetooth"], "the straps are silent for no fault of their own"
        house.bluez.plug()
        assert (await phone.next_message()).title == "Bluetooth works again"
        await clock.sleep(300.0)
        assert await kinds(daemon) == []
        assert len(phone.shown) == 2
        daemon.stop()
        await running
        for each in playing:
            each.cancel()
