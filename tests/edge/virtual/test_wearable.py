"""What every virtual wearable can do, and the vices of real ones, over a real GATT exchange."""

from __future__ import annotations

import asyncio
import random
from itertools import repeat

import pytest
from bleak import BleakScanner
from bleak.exc import BleakGATTProtocolError

from edge.errors import DecodeError
from edge.virtual.device_clock import RESET_S, DeviceClock
from edge.virtual.strap import VirtualStrap
from edge.virtual.wearable import Options, Vices
from edge.wearables import current_time
from edge.wearables.battery import LEVEL
from edge.wearables.fields import DateTime
from edge.wearables.heart_rate import MEASUREMENT, HeartRateMeasurement, decode
from tests.edge.virtual.listening import Home, home
from tests.fakes.clock import ManualClock


def strap(found: Home, **options: object) -> VirtualStrap:
    chosen = Options(chance=random.Random(4), **options)  # type: ignore[typeddict-item]  # a test's own choice
    return VirtualStrap(found.radio, found.clock, **chosen)


async def play(worn: VirtualStrap, clock: ManualClock, seconds: float) -> None:
    playing = asyncio.create_task(worn.play(repeat(1000.0, int(seconds))))
    await clock.advance(seconds + 1.0)
    await playing


async def test_late_packets_arrive_all_of_them_and_in_order() -> None:
    async with home() as found:
        worn = strap(found)
        await worn.start()
        async with found.heard(worn, MEASUREMENT) as listener:
            worn.vices = Vices(late_s=5.0)
            await play(worn, found.clock, 20.0)
            assert [at - packet.at for at, packet in zip(listener.at, worn.sent, strict=True)] == [5.0] * 15
            worn.vices = Vices()
            await play(worn, found.clock, 1.0)
            assert len(listener.got) == 21


async def test_characteristic_that_is_mute_leaves_the_others_their_voice() -> None:
    async with home() as found:
        worn = strap(found)
        await worn.start()
        async with found.heard(worn, MEASUREMENT, LEVEL) as listener:
            worn.vices = Vices(mute=frozenset({"2A37"}))
            await play(worn, found.clock, 3.0)
            await worn.set_battery(80)
            await found.settled()
            assert listener.got == [(LEVEL, b"\x50")]


async def test_frozen_wearable_repeats_what_it_measured_last_and_claims_no_beat() -> None:
    async with home() as found:
        worn = strap(found)
        await worn.start()
        async with found.heard(worn, MEASUREMENT) as listener:
            await play(worn, found.clock, 3.0)
            worn.vices = Vices(frozen=True)
            await play(worn, found.clock, 4.0)
            last = HeartRateMeasurement(60, contact=True, rr_ticks=(1024,))
            assert [decode(payload) for _, payload in listener.got[2:]] == [last] * 5
            assert sum(len(packet.beats) for packet in worn.sent) == 3


async def test_malformed_packets_are_cut_off_and_counted() -> None:
    async with home() as found:
        worn = strap(found)
        await worn.start()
        async with found.heard(worn, MEASUREMENT) as listener:
            worn.vices = Vices(malformed=1.0)
            await play(worn, found.clock, 30.0)
            assert worn.damaged == len(listener.got) == 30
            assert not worn.sent
            assert sum(not readable(payload) for _, payload in listener.got) > 10


def readable(payload: bytes) -> bool:
    try:
        decode(payload)
    except DecodeError:
        return False
    return True


async def test_battery_runs_down_and_the_wearable_with_it() -> None:
    async with home() as found:
        worn = strap(found, battery=3)
        await worn.start()
        async with found.heard(worn, LEVEL) as listener:
            draining = asyncio.create_task(worn.drain(12.0))
            await found.clock.advance(900.0)
            await draining
            assert [payload for _, payload in listener.got] == [b"\x02", b"\x01", b"\x00"]
            assert not listener.client.is_connected


async def test_rotating_address_is_advertised_instead_of_the_old_one() -> None:
    async with home() as found:
        worn = strap(found)
        await worn.start()
        async with found.heard(worn, MEASUREMENT) as listener:
            old, gone = worn.address, listener.client
            await worn.rotate("6A:DE:00:00:00:02")
            await found.settled()
            assert not gone.is_connected
        async with found.heard(worn, MEASUREMENT):
            pass
        missing = await BleakScanner.find_device_by_address(old, 0.3, backend=found.radio.scanner_backend)
        assert missing is None


async def test_wearable_that_wants_pairing_refuses_everything_until_then_and_remembers_it() -> None:
    async with home() as found:
        worn = strap(found, pairing=True)
        await worn.start()
        async with found.connected(worn) as client:
            for attempt in (client.read_gatt_char(LEVEL), client.start_notify(MEASUREMENT, lambda *_: None)):
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await attempt
                assert refused.value.code == 0x05
            (connection,) = found.radio.central.connections.values()
            await connection.pair()
            assert await client.read_gatt_char(LEVEL) == b"\x57"
        async with found.connected(worn) as client:
            (connection,) = found.radio.central.connections.values()
            if not connection.encryption:
                await connection.encrypt()
            await client.start_notify(MEASUREMENT, lambda *_: None)
            assert worn.subscribed.is_set()


async def test_clock_is_read_and_set() -> None:
    async with home() as found:
        worn = strap(found, clock_service=True)
        await worn.start()
        worn.clock.step(-7200.0)
        async with found.connected(worn) as client:
            shown = current_time.decode(bytes(await client.read_gatt_char(current_time.CURRENT_TIME)))
            assert shown.time == worn.clock.stamp()
            right = current_time.CurrentTime(DateTime(2027, 3, 4, 5, 6, 7), 4)
            await client.write_gatt_char(current_time.CURRENT_TIME, current_time.encode(right), response=True)
            assert worn.clock.stamp() == right.time
            with pytest.raises(BleakGATTProtocolError):
                await client.write_gatt_char(current_time.CURRENT_TIME, b"\xff" * 10, response=True)


async def test_clock_drifts_and_is_reset() -> None:
    clock = ManualClock()
    device = DeviceClock(clock)
    device.drift_ppm = 100.0
    await clock.advance(10_000.0)
    assert device.now() - clock.wall() == pytest.approx(1.0)
    device.reset()
    await clock.advance(10.0)
    assert device.now() == pytest.approx(RESET_S + 10.001)
