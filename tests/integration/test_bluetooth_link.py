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
from edge.bluetooth.link import Characteristics, Link, LinkState
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner
from edge.bluetooth.trouble import RadioState, RadioStatus
from edge.clock import AcceleratedClock
from edge.virtual.strap import VirtualStrap
from edge.virtual.wearable import Vices
from edge.wearables import PROFILES, battery
from tests.fakes.bluez_objects import BluezError
from tests.fakes.diary import Diary
from tests.fakes.home import VirtualHome

IN_PROGRESS = BluezError("InProgress", "Operation already in progress")
ABORTED = BluezError("Failed", "le-connection-abort-by-local")
REFUSED = BluezError("Failed", "Software caused connection abort")
UNREADABLE = BluezError("NotPermitted", "Read not permitted")


class Daemon:
    """A daemon's Bluetooth: one radio, one scanner, and links."""

    def __init__(self, clock: AcceleratedClock) -> None:
        self.radio = Radio(clock=clock)
        self.scanner = Scanner(self.radio, clock, random.Random(1))
        self._clock = clock
        self._tasks = [asyncio.create_task(self.scanner.run())]

    def wear(self, strap: VirtualStrap, profiles: tuple[Characteristics, ...] = PROFILES) -> Diary:
        """A link to a strap on somebody with a pulse of 60."""
        diary, chance = Diary(), random.Random(2)
        link = Link(
            strap.address,
            profiles,
            self.scanner,
            self.radio,
            self._clock,
            diary.on_packet,
            diary.on_state,
            chance=chance,
        )
        self._tasks += [asyncio.create_task(link.run()), asyncio.create_task(strap.play(repeat(1000.0)))]
        return diary

    async def radio_state(self, wanted: RadioState) -> RadioStatus:
        while self.scanner.status.state is not wanted:
            await self._clock.sleep(1.0)
        return self.scanner.status

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def running(clock: AcceleratedClock) -> AsyncIterator[Daemon]:
    daemon = Daemon(clock)
    try:
        yield daemon
    finally:
        await daemon.end()


@asynccontextmanager
async def links(home: VirtualHome, clock: AcceleratedClock, straps: int = 1) -> AsyncIterator[tuple[Diary, ...]]:
    """A daemon's Bluetooth with a link for each of the first straps."""
    async with running(clock) as daemon:
        yield tuple(daemon.wear(strap) for strap in home.straps[:straps])


async def another_strap(home: VirtualHome, clock: AcceleratedClock, *, pairing: bool = False) -> VirtualStrap:
    strap = VirtualStrap(home.radio, clock, name="Another", address="C0:DE:00:00:00:A0", pairing=pairing)
    await strap.start()
    return strap


async def without_monitors(home: VirtualHome) -> None:
    """Make it a BlueZ that cannot scan passively."""
    await home.bluez.unplug()
    home.bluez.adapter.monitors = False
    home.bluez.plug()


async def forget_bonds(strap: VirtualStrap) -> None:
    """What a wearable does that is reset."""
    store = strap._device.keystore
    assert store is not None
    await store.delete_all()


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


async def test_pain_01_heart_rate_that_stops_while_the_battery_goes_on_is_noticed(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        strap = home.straps[0]
        strap.vices = Vices(mute=frozenset({"2A37"}))
        lost = asyncio.create_task(diary.state(LinkState.LOST))
        while not lost.done():
            await strap.set_battery(50)
            await clock.sleep(5.0)
        assert "silent" in (lost.result().why or "")
        strap.vices = Vices()
        await diary.heart_rates(3)


async def test_pain_02_wearable_that_bluez_still_holds_after_a_crash_is_freed(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    await home.bluez.hold(home.straps[0].address)
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)


async def test_pain_02_wearable_that_was_bonded_under_another_address_is_freed_too(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    strap = await another_strap(home, clock)
    lasting, private = strap.address, "5A:00:00:00:00:01"
    await strap.rotate(private)
    await home.bluez.hold(private)
    home.bluez.show_lasting_address(private, lasting)
    home.bluez.resolves[private] = lasting
    strap.address = lasting  # by which it is known
    async with running(clock) as daemon:
        await daemon.wear(strap).heart_rates(1)


async def test_pain_03_scan_that_is_refused_as_in_progress_is_tried_again(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    await without_monitors(home)
    home.bluez.fail_next("StartDiscovery", IN_PROGRESS, IN_PROGRESS, IN_PROGRESS)
    with capture_logs() as logs:
        async with links(home, clock) as (diary,):
            await diary.heart_rates(1)
    warnings = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert warnings == ["scan_failed"], "once, not at every attempt"


async def test_pain_03_scanner_that_stays_stuck_is_freed_by_resetting_the_adapter(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    await without_monitors(home)
    home.bluez.fail_next("StartDiscovery", *[IN_PROGRESS] * 1000)
    async with running(clock) as daemon:
        diary = daemon.wear(home.straps[0])
        stuck = await daemon.radio_state(RadioState.STUCK)
        assert "systemctl restart bluetooth" in (stuck.mend or "")
        await diary.heart_rates(1)
        assert daemon.scanner.status.state is RadioState.WORKS


async def test_pain_03_adapter_is_not_reset_under_a_link_that_streams(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    await without_monitors(home)
    async with running(clock) as daemon:
        worn = daemon.wear(home.straps[0])
        await worn.heart_rates(1)
        home.bluez.fail_next("StartDiscovery", *[IN_PROGRESS] * 1000)
        await asyncio.gather(*(strap.leave() for strap in home.straps[1:]))
        daemon.wear(home.straps[1])  # it is waited for, in silence, so that scans begin anew
        await daemon.radio_state(RadioState.STUCK)
        await worn.heart_rates(120)
        assert LinkState.LOST not in {status.state for status in worn.states}


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


async def test_pain_04_who_waited_longest_for_a_connection_goes_next(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    home.bluez.slots = 2
    async with running(clock) as daemon:
        streaming = [daemon.wear(strap) for strap in home.straps[:2]]
        await asyncio.gather(*(diary.heart_rates(1) for diary in streaming))
        first = daemon.wear(home.straps[2])
        queued = await first.state(LinkState.QUEUED)
        assert "no more than 2 connections" in (queued.why or "")
        second = daemon.wear(home.straps[3])
        await second.state(LinkState.QUEUED)
        await home.straps[0].leave()
        await first.heart_rates(3)
        assert LinkState.STREAMING not in {status.state for status in second.states}
        assert LinkState.LOST not in {status.state for status in streaming[1].states}, "nobody was cut off for another"
        await home.straps[1].leave()
        await second.heart_rates(3)


async def test_pain_04_wearable_that_only_waits_for_news_gives_its_connection_back(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    home.bluez.slots = 1
    async with running(clock) as daemon:
        spot = daemon.wear(home.straps[0], (battery.PROFILE,))
        await spot.state(LinkState.STREAMING)
        strap = daemon.wear(home.straps[1])
        lent = await spot.state(LinkState.LOST)
        assert "lent" in (lent.why or "")
        await strap.heart_rates(3)


async def test_pain_04_interference_is_no_lasting_shortage(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with running(clock) as daemon:
        await daemon.wear(home.straps[0]).heart_rates(1)
        home.bluez.fail_next("Connect", REFUSED, REFUSED)
        await daemon.wear(home.straps[1]).heart_rates(1)


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


async def test_pain_05_daemon_of_bluetooth_that_is_away_is_stated_and_awaited(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    async with running(clock) as daemon:
        diary = daemon.wear(home.straps[0])
        await diary.heart_rates(1)
        await home.bluez.stop()
        away = await daemon.radio_state(RadioState.UNREACHABLE)
        assert away.why is not None
        await home.bluez.start()
        await diary.heart_rates(3)
        assert daemon.scanner.status.why is None


async def test_adapter_that_is_switched_off_is_switched_on_again(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with links(home, clock) as (diary,):
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.SEARCHING), home.bluez.power(on=False))
        await diary.heart_rates(3)


async def test_adapter_that_may_not_be_switched_on_is_stated_and_awaited(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    home.bluez.adapter.may_switch = False
    async with running(clock) as daemon:
        diary = daemon.wear(home.straps[0])
        await diary.heart_rates(1)
        before = clock.wall()
        await home.bluez.power(on=False)
        off = await daemon.radio_state(RadioState.OFF)
        assert "may not be switched on" in (off.why or "")
        assert "rfkill" in (off.mend or "")
        assert off.since >= before
        await home.bluez.power(on=True)
        await diary.heart_rates(3)


async def test_adapter_that_is_pulled_out_and_put_back_costs_no_link(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    async with running(clock) as daemon:
        diary = daemon.wear(home.straps[0])
        await diary.heart_rates(1)
        await asyncio.gather(diary.state(LinkState.SEARCHING), home.bluez.unplug())
        missing = await daemon.radio_state(RadioState.MISSING)
        assert "plugged in" in (missing.mend or "")
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


async def test_scan_is_passive_and_turns_active_for_who_is_missed(home: VirtualHome) -> None:
    clock = AcceleratedClock(20.0)  # a passive scan has so much longer to prove itself on a busy machine
    async with running(clock) as daemon:
        await daemon.wear(home.straps[0]).heart_rates(1)
        assert home.bluez.adapter.scans == ["passive"]
        await home.straps[1].leave()
        missed = daemon.wear(home.straps[1])
        while home.bluez.adapter.scans != ["active"]:
            await clock.sleep(1.0)
        await home.straps[1].come_back()
        await missed.heart_rates(1)


async def test_scan_is_active_while_somebody_wants_names(home: VirtualHome, clock: AcceleratedClock) -> None:
    async with running(clock) as daemon:
        await daemon.wear(home.straps[0]).heart_rates(1)
        names: set[str | None] = set()
        with daemon.scanner.hear(lambda _device, sighting: names.add(sighting.name)):
            while home.bluez.adapter.scans != ["active"] or len(names) < 3:
                await clock.sleep(1.0)
        assert {"Strap 2", "Strap 3", "Strap 4"} <= names


async def test_wearable_that_wants_to_be_paired_is_paired_once(home: VirtualHome, clock: AcceleratedClock) -> None:
    strap = await another_strap(home, clock, pairing=True)
    async with running(clock) as daemon:
        diary = daemon.wear(strap)
        await diary.heart_rates(3)
        await asyncio.gather(diary.state(LinkState.LOST), strap.drop_link())
        await diary.heart_rates(3)
        assert home.bluez.calls.count("Pair") == 1


async def test_bond_that_the_wearable_lost_is_renewed(home: VirtualHome, clock: AcceleratedClock) -> None:
    strap = await another_strap(home, clock, pairing=True)
    async with running(clock) as daemon:
        diary = daemon.wear(strap)
        await diary.heart_rates(1)
        await forget_bonds(strap)
        await asyncio.gather(diary.state(LinkState.LOST), strap.drop_link())
        await diary.heart_rates(3)
        assert home.bluez.calls.count("RemoveDevice") == 1
        assert home.bluez.calls.count("Pair") == 2


async def test_pairing_that_fails_is_stated_plainly_and_tried_again(home: VirtualHome, clock: AcceleratedClock) -> None:
    home.bluez.fail_next("Pair", BluezError("AuthenticationFailed", "Authentication Failed"))
    strap = await another_strap(home, clock, pairing=True)
    async with running(clock) as daemon:
        diary = daemon.wear(strap)
        lost = await diary.state(LinkState.LOST)
        assert "pairing failed; it may ask for a code" in (lost.why or "")
        await diary.heart_rates(1)


async def test_pairing_for_good_gives_a_lasting_address(home: VirtualHome, clock: AcceleratedClock) -> None:
    strap = await another_strap(home, clock, pairing=True)
    async with running(clock) as daemon:
        device = await daemon.scanner.seen(strap.address)
        assert await daemon.radio.pair(device) == strap.address
        assert home.bluez.connected == []
        await daemon.wear(strap).heart_rates(1)
        assert home.bluez.calls.count("Pair") == 1


async def test_pain_25_paired_wearable_is_recognised_under_every_address(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    strap = await another_strap(home, clock, pairing=True)
    async with running(clock) as daemon:
        diary = daemon.wear(strap)
        await diary.heart_rates(1)
        home.bluez.resolves["5A:00:00:00:00:01"] = strap.address
        await asyncio.gather(diary.state(LinkState.LOST), strap.rotate("5A:00:00:00:00:01"))
        await diary.heart_rates(3)


async def test_pain_25_wearable_that_rotates_its_address_is_told_apart(
    home: VirtualHome, clock: AcceleratedClock
) -> None:
    strap = await another_strap(home, clock)
    async with running(clock) as daemon:
        await strap.rotate("5A:00:00:00:00:01")
        found: dict[str, bool] = {}
        with daemon.scanner.hear(lambda _device, sighting: found.update({sighting.address: sighting.rotates})):
            while "5A:00:00:00:00:01" not in found or home.straps[0].address not in found:
                await clock.sleep(1.0)
        assert found["5A:00:00:00:00:01"]
        assert not found[home.straps[0].address]


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
