"""A link through bleak's own BlueZ backend, against an emulated bluetoothd on a private bus, with its real faults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat

import pytest
from structlog.testing import capture_logs

from edge.bluetooth.backoff import FIRST_S
from edge.bluetooth.link import Link, LinkState
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner, discover
from edge.clock import AcceleratedClock
from edge.errors import HearthbeatError
from edge.virtual.strap import Vices
from edge.wearables import PROFILES, battery
from tests.fakes.bluez_objects import BluezError
from tests.fakes.diary import Diary
from tests.fakes.home import VirtualHome

IN_PROGRESS = BluezError("InProgress", "Operation already in progress")
ABORTED = BluezError("Failed", "le-connection-abort-by-local")
REFUSED = BluezError("Failed", "Software caused connection abort")
UNREADABLE = BluezError("NotPermitted", "Read not permitted")


@asynccontextmanager
async def links(home: VirtualHome, clock: AcceleratedClock, straps: int = 1) -> AsyncIterator[tuple[Diary, ...]]:
    """A daemon's Bluetooth: one scanner, and a link for each of the first straps, all of whom have a pulse of 60."""
    radio = Radio()
    scanner = Scanner(radio, clock, random.Random(1))
    diaries = tuple(Diary() for _ in range(straps))
    tasks = [asyncio.create_task(scanner.run())]
    for strap, diary in zip(home.straps, diaries, strict=False):
        chance = random.Random(2)
        link = Link(strap.address, PROFILES, scanner, radio, clock, diary.on_packet, diary.on_state, chance=chance)
        tasks += [asyncio.create_task(link.run()), asyncio.create_task(strap.play(repeat(1000.0)))]
    try:
        yield diaries
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_beat_of_a_strap_arrives(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(20)
        sent = [packet.measurement for packet in home.straps[0].sent]
        assert diary.measurements == sent[: len(diary.measurements)]


async def test_battery_is_read_once_and_its_changes_arrive(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.state(LinkState.STREAMING)
        await home.straps[0].set_battery(12)
        await diary.heart_rates(1)
        levels = [battery.decode(packet.payload) for packet in diary.packets if packet.characteristic == battery.LEVEL]
        assert levels == [87, 12]


async def test_strap_that_drops_the_link_is_back_at_once(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.LOST), home.straps[0].drop_link())
        await diary.heart_rates(3)


async def test_strap_that_leaves_and_returns_is_found_again(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.SEARCHING), home.straps[0].leave())
        await home.straps[0].come_back()
        await diary.heart_rates(3)


async def test_pain_01_zombie_link_that_only_seems_connected_is_noticed(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        home.straps[0].vices = Vices(silent=True)
        lost = await diary.state(LinkState.LOST)
        assert lost.why is not None
        assert "silent" in lost.why
        home.straps[0].vices = Vices()
        await diary.heart_rates(3)


async def test_pain_02_wearable_that_bluez_still_holds_after_a_crash_is_freed(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    await home.bluez.hold(home.straps[0].address)
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)


async def test_pain_03_scan_that_is_refused_as_in_progress_is_tried_again(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    home.bluez.fail_next("StartDiscovery", IN_PROGRESS, IN_PROGRESS, IN_PROGRESS)
    with capture_logs() as logs:
        async with links(home, clock) as (diary,):
            await diary.heart_rates(1)
    warnings = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert warnings == ["scan_failed"], "once, not at every attempt"


async def test_pain_04_only_one_wearable_is_connected_to_at_a_time(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock, straps=4) as diaries:
        await asyncio.gather(*(diary.heart_rates(1) for diary in diaries))
        assert home.bluez.most_connecting == 1


async def test_pain_04_connections_that_fail_come_ever_more_seldom(home: VirtualHome, clock: AcceleratedClock) -> None:
    home.bluez.fail_next("Connect", *[REFUSED] * 8)  # bleak-retry-connector makes two of each attempt
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        begun = [status.since for status in diary.states if status.state is LinkState.WAITING]
        ended = [status.since for status in diary.states if status.state is LinkState.SEARCHING][1:]
        waits = [end - begin for begin, end in zip(begun, ended, strict=True)]
        assert len(waits) == 4
        # Each pause doubles, and chance takes at most half of it.
        assert all(wait >= FIRST_S * 2.0**n / 2.0 for n, wait in enumerate(waits))
        assert waits[3] > waits[0]


@pytest.mark.parametrize("orderly", [True, False])
async def test_pain_05_restart_of_bluetoothd_ends_neither_scan_nor_link(
    home: VirtualHome, clock: AcceleratedClock, orderly: bool
) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.LOST), home.bluez.restart(orderly=orderly))
        await diary.heart_rates(3)


async def test_pain_05_death_of_the_message_bus_is_outlived(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.LOST), home.restart_bus())
        await diary.heart_rates(3)


async def test_adapter_that_is_switched_off_and_on_costs_no_link(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.SEARCHING), home.bluez.power(on=False))
        await home.bluez.power(on=True)
        await diary.heart_rates(3)


async def test_adapter_that_is_pulled_out_and_put_back_costs_no_link(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.SEARCHING), home.bluez.unplug())
        home.bluez.plug()
        await diary.heart_rates(3)


async def test_connection_that_interference_aborts_is_tried_again(home: VirtualHome, clock: AcceleratedClock) -> None:
    home.bluez.fail_next("Connect", ABORTED, ABORTED, ABORTED)
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)


async def test_characteristic_that_may_not_be_read_costs_no_link(home: VirtualHome, clock: AcceleratedClock) -> None:
    home.bluez.fail_next("ReadValue", UNREADABLE)
    async with links(home, clock) as (diary,):
        await diary.state(LinkState.STREAMING)
        await diary.heart_rates(1)
        assert battery.LEVEL not in {packet.characteristic for packet in diary.packets}


async def test_pain_08_strap_off_the_body_says_so_to_the_end(home: VirtualHome, clock: AcceleratedClock) -> None:
    home.straps[0].vices = Vices(contact=False)
    async with links(home, clock) as (diary,):
        await diary.heart_rates(2)
        assert {measurement.contact for measurement in diary.measurements} == {False}


async def test_pain_09_nothing_is_made_up_while_a_strap_is_away(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.SEARCHING), home.straps[0].leave())
        before = len(diary.packets)
        await clock.sleep(45.0)
        assert len(diary.packets) == before


async def test_link_that_is_ended_leaves_the_strap_free(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        assert home.bluez.connected == [home.straps[0].address]
    assert home.bluez.connected == []


async def test_discovery_names_who_advertises(home: VirtualHome) -> None:
    found = await discover(Radio(), 0.5)
    assert {sighting.name for sighting in found} == {"Strap 1", "Strap 2", "Strap 3", "Strap 4"}


async def test_discovery_without_an_adapter_says_how_to_mend_it(home: VirtualHome) -> None:
    await home.bluez.unplug()
    with pytest.raises(HearthbeatError, match="plugged in") as raised:
        await discover(Radio(), 0.5)
    assert "\n" not in str(raised.value)
