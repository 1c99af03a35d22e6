"""What `devices …` does with the radio: a virtual radio with real GATT exchanges."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner
from edge.errors import HearthbeatError, WrongUseError
from edge.household.devices import LONGEST_NAME, MOST_FAILURES, SEEK_S, Devices, _printable
from edge.virtual.cuff import VirtualCuff
from edge.virtual.radio import VirtualRadio
from edge.virtual.strap import VirtualStrap
from edge.virtual.time import VirtualClock
from tests.fakes.clock import ManualClock


class Air:
    """A radio, who is within its reach, and what answers about them."""

    def __init__(self, radio: VirtualRadio, clock: VirtualClock) -> None:
        self.radio = radio
        self.clock = clock
        bleak = Radio(scanner_backend=radio.scanner_backend, client_backend=radio.client_backend, clock=clock)
        chance = random.Random(1)
        self.scanner = Scanner(bleak, clock, chance)
        self.devices = Devices(self.scanner, bleak, clock, chance)

    async def all_of(self, **request: object) -> list[Any]:
        async with aclosing(self.devices.answer(request)) as answers:
            return [words async for words in answers]


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    async with open_air() as found:
        yield found


@asynccontextmanager
async def open_air() -> AsyncIterator[Air]:
    clock = VirtualClock(20.0)
    async with VirtualRadio() as radio:
        found = Air(radio, clock)
        running = [asyncio.create_task(clock.run()), asyncio.create_task(found.scanner.run())]
        try:
            yield found
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def worn_strap(air: Air, **options: Any) -> tuple[VirtualStrap, asyncio.Task[None]]:
    strap = VirtualStrap(air.radio, air.clock, **options)
    await strap.start()
    return strap, asyncio.create_task(strap.play(itertools.repeat(800.0)))


async def test_a_scan_tells_who_is_there_and_what_they_can_measure(air: Air) -> None:
    strap, cuff = VirtualStrap(air.radio, air.clock), VirtualCuff(air.radio, air.clock)
    for twin in (strap, cuff):
        await twin.start()
    found = {words["sighting"]["address"]: words["sighting"] for words in await air.all_of(do="scan", seconds=60.0)}
    assert set(found) == {strap.address, cuff.address}
    assert found[strap.address]["name"] == strap.name
    assert found[strap.address]["profiles"] == ["heart_rate"]
    assert found[cuff.address]["profiles"] == ["blood_pressure"]
    assert isinstance(found[cuff.address]["rssi"], int)


async def test_a_strap_is_met_with_its_first_value_and_let_go_again(air: Air) -> None:
    strap, playing = await worn_strap(air)
    words = await air.all_of(do="meet", address=strap.address.lower())
    steps = [one["step"] for one in words[:-1]]
    assert steps[0] == "looking for it"
    assert strap.name in steps[1]
    assert steps[-1] == "waiting for the first value"
    met = words[-1]["met"]
    assert (met["address"], met["name"], met["profiles"]) == (strap.address, strap.name, ["heart_rate"])
    assert met["value"] == {"channel": "heart_rate", "value": 75.0, "unit": "bpm"}
    assert (met["worn"], met["battery_percent"]) == (True, 87.0)
    playing.cancel()
    assert strap.connections == 1
    assert not strap._device.connections, "the daemon can connect now"


async def test_a_cuff_that_has_not_measured_is_met_without_a_value(air: Air) -> None:
    cuff = VirtualCuff(air.radio, air.clock)
    await cuff.start()
    met = (await air.all_of(do="meet", address=cuff.address))[-1]["met"]
    assert (met["profiles"], met["value"]) == (["blood_pressure"], None)


async def test_a_strap_that_wants_to_be_paired_is_paired_and_its_bond_can_be_removed(air: Air) -> None:
    strap, playing = await worn_strap(air, pairing=True)
    met = (await air.all_of(do="meet", address=strap.address))[-1]["met"]
    assert met["value"] is not None
    playing.cancel()
    assert await air.all_of(do="forget", address=strap.address) == [{"forgotten": True, "why": None}]
    (again,) = await air.all_of(do="forget", address=strap.address)
    assert not again["forgotten"]


async def test_pain_25_one_that_changes_its_address_is_paired_so_that_it_is_found_again(air: Air) -> None:
    strap, playing = await worn_strap(air, address="5A:00:00:00:00:01")
    words = await air.all_of(do="meet", address=strap.address)
    assert "pairing, since it changes its address" in [one.get("step") for one in words]
    assert words[-1]["met"]["value"] is not None
    assert (await air.all_of(do="forget", address=strap.address))[0]["forgotten"], "there was a bond"
    playing.cancel()


async def test_who_is_not_there_is_told_in_one_line_with_a_way_out(air: Air) -> None:
    with pytest.raises(HearthbeatError, match=f"advertised for {SEEK_S:.0f} s; put it on"):
        await air.all_of(do="meet", address="C0:DE:00:00:00:77")


async def test_a_device_that_measures_nothing_is_refused_after_some_tries(air: Air) -> None:
    air.clock.speed = 50.0
    other = air.radio.add("Speaker", "C0:DE:00:00:00:78")
    connections: list[object] = []
    other.on("connection", connections.append)
    await other.power_on()
    await other.start_advertising(auto_restart=True, advertising_interval_min=50.0, advertising_interval_max=50.0)
    with pytest.raises(HearthbeatError, match="none of the characteristics"):
        await air.all_of(do="meet", address="C0:DE:00:00:00:78")
    assert 1 <= len(connections) <= MOST_FAILURES


async def test_a_meeting_that_is_given_up_leaves_nobody_connected(air: Air) -> None:
    strap, playing = await worn_strap(air)
    async with aclosing(air.devices.answer({"do": "meet", "address": strap.address})) as answers:
        async for words in answers:
            if words.get("step") == "waiting for the first value":
                break
    assert not strap._device.connections
    playing.cancel()


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "fly"},
        {"do": "scan"},
        {"do": "scan", "seconds": 0},
        {"do": "scan", "seconds": 1e9},
        {"do": "scan", "seconds": "many"},
        {"do": "meet"},
        {"do": "meet", "address": 7},
    ],
)
async def test_a_request_that_cannot_be_is_refused(request_: dict[str, object]) -> None:
    radio, clock, chance = Radio(), ManualClock(), random.Random(1)
    with pytest.raises(WrongUseError):
        await anext(Devices(Scanner(radio, clock, chance), radio, clock, chance).answer(request_))


def test_a_name_is_shown_without_what_could_harm_a_terminal() -> None:
    assert _printable("strap\x1b[31m\n\x00") == "strap[31m"
    assert len(_printable("x" * 500)) == LONGEST_NAME
    assert _printable(None) == ""
