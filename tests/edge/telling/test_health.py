"""What the broker is told of wearables and machine: hourly, and when something has changed; and no address of any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloud_sync.messages import Home, Kind, Received, parse
from cloud_sync.messages.health import DevicesMessage, HealthMessage
from edge.bluetooth.link import LinkState
from edge.household.wearable import Wearable, wearable_of
from edge.notices import Alert, AlertState, Severity
from edge.readings import CHANNELS, NOBODY, Channel, Explanation, Reading, Source
from edge.recorder import Recorder
from edge.running import machine
from edge.store.store import Batch, Store
from edge.telling.health import EVERY_S, REST_S, HealthSight, HealthTelling
from tests.fakes.clock import ManualClock

START = 1_800_000_000.0
STRAP = "A0:9E:1A:00:00:01"
FAULT = Alert(
    "f", "", "bluetooth", Severity.CRITICAL, AlertState.RAISED, START, START, None, Explanation("off"), "hci0"
)


class House:
    """A store that tells, a strap of Anna's and a scale of everybody's."""

    def __init__(self, store: Store) -> None:
        self.clock = ManualClock(START)
        self.store = store
        self.recorder = Recorder(store, clock=self.clock, interval_s=6.0)
        self.strap = wearable_of(Source("anna", STRAP), "strap")
        self.scale = wearable_of(Source(NOBODY, "C0:DE:00:00:00:09"), "scale")
        self.people: dict[str, list[Wearable]] = {"anna": [self.strap], NOBODY: [self.scale]}
        self.models: dict[str, str | None] = {"fall": "1.0.0"}
        self.faults: list[Alert] = []
        self.home = Home("home", store.pseudonyms)
        self.telling = HealthTelling(
            self.home,
            store,
            self.recorder,
            self.clock,
            lambda: HealthSight(self.people, self.models, self.faults),
            lambda: None,
            lambda: None,
        )

    async def after(self, seconds: float) -> list[Received]:
        """What is newly told after so many seconds."""
        await self.clock.advance(seconds)
        await self.telling.look()
        waiting = self.store.outbox.next_messages(100)
        self.store.outbox.delete_messages([message.id for message in waiting])
        for message in waiting:
            assert STRAP.encode() not in message.payload
            assert b"strap" not in message.payload
        return [parse(message.topic, message.payload) for message in waiting]


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    with Store(folder / "hearthbeat.db") as store:
        made = House(store)
        yield made
        await made.recorder.close()


def kinds(told: list[Received]) -> list[tuple[Kind, bool]]:
    return sorted((one.kind, one.person is not None) for one in told)


EVERYTHING = [(Kind.DEVICES, False), (Kind.DEVICES, True), (Kind.HEALTH, False)]


async def test_all_is_told_at_a_start_and_every_hour(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        first = await here.after(0.0)
        assert kinds(first) == EVERYTHING
        assert await here.after(EVERY_S - 1.0) == []
        again = await here.after(1.0)
        assert kinds(again) == EVERYTHING
        assert len({one.id for one in (*first, *again)}) == 6


async def test_a_wearable_is_told_by_its_pseudonym_with_what_is_known_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for minute in range(30):
            at = START + 60.0 * minute + 30.0
            heard = Reading("anna", STRAP, Channel.HEART_RATE, CHANNELS[Channel.HEART_RATE].unit, at, at, (60.0,))
            here.store.commit(Batch(readings=[heard]))
            here.strap.remember([heard])
        here.strap.link, here.strap.losses, here.strap.battery_percent = LinkState.STREAMING, 3, 87.0
        told = await here.after(1800.0)
    (devices,) = [one.message for one in told if one.person is not None]
    assert isinstance(devices, DevicesMessage)
    (strap,) = devices.devices
    assert strap.device == here.store.pseudonyms.device(STRAP)
    assert (strap.link, strap.link_losses, strap.battery_percent, strap.worn) == ("streaming", 3, 87.0, True)
    assert (strap.last_heard_at, strap.coverage) == (START + 29 * 60.0 + 30.0, 0.5)


async def test_a_battery_level_that_cannot_be_is_not_known_and_ends_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.strap.battery_percent = 200.0
        told = await here.after(0.0)
    (devices,) = [one.message for one in told if one.person is not None]
    assert isinstance(devices, DevicesMessage)
    assert devices.devices[0].battery_percent is None


async def test_what_was_never_heard_is_not_known_rather_than_zero(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        told = await here.after(0.0)
    (devices,) = [one.message for one in told if one.kind is Kind.DEVICES and one.person is None]
    assert isinstance(devices, DevicesMessage)
    (scale,) = devices.devices
    assert (scale.battery_percent, scale.last_heard_at, scale.worn, scale.coverage) == (None, None, None, None)


async def test_a_change_is_told_soon_and_a_link_that_flaps_costs_little(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.after(0.0)
        here.strap.link = LinkState.STREAMING
        assert await here.after(REST_S - 1.0) == []
        assert kinds(await here.after(1.0)) == [(Kind.DEVICES, True)]
        flaps = 0
        for second in range(0, 3000, 30):
            here.strap.link = LinkState.LOST if second % 60 else LinkState.STREAMING
            flaps += len([one for one in await here.after(30.0) if one.person is not None])
        assert flaps <= 3000 / REST_S


async def test_what_was_made_of_each_day_is_told_for_a_receiver_to_compare(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.after(0.0)
        told = await here.after(86_400.0)
    (health,) = [one.message for one in told if isinstance(one.message, HealthMessage)]
    assert health.outbox.made == {"2027-01-15": {"summary": 3}}


@pytest.mark.parametrize("what", ["fault", "model"])
async def test_pain_19_a_fault_of_the_house_is_told_with_its_health(tmp_path: Path, what: str) -> None:
    async with house(tmp_path) as here:
        await here.after(0.0)
        if what == "fault":
            here.faults.append(FAULT)
        else:
            here.models["fall"] = None
        (told,) = await here.after(REST_S)
    assert isinstance(told.message, HealthMessage)
    assert told.message.faults == (["bluetooth"] if what == "fault" else [])
    assert told.message.models == {"fall": None if what == "model" else "1.0.0"}
    assert told.message.running_s == REST_S
    assert told.message.disk_free_mb is not None


def test_the_machine_is_read_as_linux_tells_it(tmp_path: Path) -> None:
    files = {
        "proc/uptime": "864000.12 1700000.00\n",
        "proc/meminfo": "MemTotal:         994652 kB\nMemAvailable:     626688 kB\nHugePages_Total: 0\n",
        "proc/self/status": "Name:\thearthbeat\nVmRSS:\t   82944 kB\n",
        "sys/class/thermal/thermal_zone0/temp": "51540\n",
        "sys/class/thermal/thermal_zone1/temp": "-274000\n",
        "sys/class/thermal/thermal_zone2/temp": "nonsense\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    seen = machine.look(tmp_path, tmp_path)
    assert (seen.uptime_s, seen.temperature_c, seen.memory_daemon_mb) == (864_000.12, 51.5, 81.0)
    assert (seen.memory_total_mb, seen.memory_available_mb) == (971.3, 612.0)


def test_what_the_machine_does_not_tell_is_not_known(tmp_path: Path) -> None:
    assert set(vars_of(machine.look(tmp_path / "nowhere", tmp_path))) == {None}


def vars_of(seen: machine.Machine) -> list[float | None]:
    return [getattr(seen, name) for name in machine.Machine.__dataclass_fields__]
