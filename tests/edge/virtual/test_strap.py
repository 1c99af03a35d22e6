"""Virtual straps behave as real ones do: with their beats, their times and their vices."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError

from edge.clock import AcceleratedClock, Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.rhythm import sinus
from edge.virtual.strap import SentPacket, Vices, VirtualStrap
from edge.wearables.battery import LEVEL
from edge.wearables.heart_rate import MEASUREMENT, SERVICE, HeartRateMeasurement, decode
from tests.fakes.clock import ManualClock, settle


class Listener:
    """Somebody who is connected and has subscribed: what came, and when on the clock."""

    def __init__(self, client: BleakClient, clock: Clock) -> None:
        self.client = client
        self.got: list[HeartRateMeasurement] = []
        self.at: list[float] = []
        self._clock = clock

    def on_packet(self, _: object, payload: bytearray) -> None:
        self.got.append(decode(bytes(payload)))
        self.at.append(self._clock.wall())


@asynccontextmanager
async def worn(clock: Clock) -> AsyncIterator[tuple[VirtualStrap, VirtualRadio]]:
    async with VirtualRadio() as radio:
        strap = VirtualStrap(radio, clock, chance=random.Random(4))
        await strap.start()
        yield strap, radio


@asynccontextmanager
async def heard(strap: VirtualStrap, radio: VirtualRadio, clock: Clock) -> AsyncIterator[Listener]:
    device = await BleakScanner.find_device_by_address(strap.address, backend=radio.scanner_backend)
    assert device is not None
    async with BleakClient(device, backend=radio.client_backend) as client:
        listener = Listener(client, clock)
        await client.start_notify(MEASUREMENT, listener.on_packet)
        yield listener


def beats(packets: list[SentPacket]) -> list[float]:
    return [beat for packet in packets for beat in packet.beats]


async def play(strap: VirtualStrap, clock: ManualClock, rr_ms: list[float]) -> None:
    """Play these intervals to their end on a clock that stands still otherwise."""
    playing = asyncio.create_task(strap.play(rr_ms))
    await clock.advance(sum(rr_ms) / 1000.0 + 1.0)
    await playing


async def test_beats_arrive_each_second_and_to_the_tick_without_drift() -> None:
    clock = ManualClock()
    began = clock.wall()
    async with worn(clock) as (strap, radio), heard(strap, radio, clock) as listener:
        await play(strap, clock, [833.3] * 120)
    ticks = [tick for measurement in listener.got for tick in measurement.rr_ticks]
    assert len(ticks) == 120
    assert abs(sum(ticks) / 1024.0 - 120 * 0.8333) < 1 / 1024
    assert listener.at == [began + second for second in range(1, 101)]
    assert listener.got == [packet.measurement for packet in strap.sent]
    assert beats(list(strap.sent)) == pytest.approx([began + 0.8333 * beat for beat in range(1, 121)])


async def test_pain_07_slow_and_fast_hearts_put_none_or_several_beats_into_a_packet() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio), heard(strap, radio, clock) as listener:
        await play(strap, clock, [1600.0] * 5 + [300.0] * 10)
    assert {len(measurement.rr_ticks) for measurement in listener.got} >= {0, 1, 3}


async def test_heart_rate_is_the_mean_of_the_last_beats_and_zero_before_the_first() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio), heard(strap, radio, clock) as listener:
        await play(strap, clock, [1500.0, *[600.0] * 10])
    assert listener.got[0].heart_rate == 0
    assert listener.got[1].heart_rate == 40
    assert listener.got[-1].heart_rate == 100


async def test_what_happens_while_nobody_listens_is_gone() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio):
        await play(strap, clock, [1000.0] * 10)
        assert not strap.sent
        async with heard(strap, radio, clock) as listener:
            await play(strap, clock, [1000.0] * 3)
        assert len(listener.got) == 3


async def test_vices_are_as_stated() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio), heard(strap, radio, clock) as listener:
        strap.vices = Vices(contact=False)
        await play(strap, clock, [1000.0] * 2)
        assert [measurement.contact for measurement in listener.got] == [False, False]
        strap.vices = Vices(silent=True)
        await play(strap, clock, [1000.0] * 5)
        assert len(listener.got) == 2
        strap.vices = Vices(bunched=4)
        await play(strap, clock, [1000.0] * 8)
        assert listener.at[2] == listener.at[5] == listener.at[6] - 4.0
        strap.vices = Vices(dropped=0.5)
        await play(strap, clock, [1000.0] * 200)
        assert 60 < len(listener.got) - 10 < 140


async def test_battery_is_read_and_notified() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio), heard(strap, radio, clock) as listener:
        assert await listener.client.read_gatt_char(LEVEL) == b"\x57"
        told = asyncio.Event()
        await listener.client.start_notify(LEVEL, lambda _, payload: told.set() if payload == b"\x05" else None)
        await strap.set_battery(5)
        await told.wait()


async def test_strap_knows_whether_anybody_listens() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio):
        async with heard(strap, radio, clock) as listener:
            await asyncio.wait_for(strap.subscribed.wait(), 5.0)
            await listener.client.stop_notify(MEASUREMENT)
            assert not strap.subscribed.is_set()
            await listener.client.start_notify(MEASUREMENT, listener.on_packet)
            assert strap.subscribed.is_set()
        await settle()
        assert not strap.subscribed.is_set()


async def test_dropped_link_is_told_and_ends_what_was_asked_meanwhile() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio):
        gone = asyncio.Event()
        device = await BleakScanner.find_device_by_address(strap.address, backend=radio.scanner_backend)
        assert device is not None
        client = BleakClient(device, lambda _: gone.set(), backend=radio.client_backend)
        await client.connect()
        await strap.drop_link()
        await gone.wait()
        assert not client.is_connected
        with pytest.raises(BleakError):
            await client.read_gatt_char(LEVEL)


async def test_connecting_to_a_strap_that_is_out_of_range_can_be_given_up_and_tried_again() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, radio):
        device = await BleakScanner.find_device_by_address(strap.address, backend=radio.scanner_backend)
        assert device is not None
        await strap.leave()
        client = BleakClient(device, backend=radio.client_backend)
        with pytest.raises(TimeoutError):
            await client.connect(timeout=0.05)
        await strap.come_back()
        await client.connect()
        assert client.is_connected
        await client.disconnect()


async def test_client_wants_a_device_that_was_seen() -> None:
    async with VirtualRadio() as radio:
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient("C0:DE:00:00:00:01", backend=radio.client_backend).connect()


async def test_scanner_hears_only_the_services_it_asked_for() -> None:
    async with worn(ManualClock()) as (strap, radio):
        seen = await BleakScanner.find_device_by_filter(
            lambda device, _: device.address == strap.address, service_uuids=[SERVICE], backend=radio.scanner_backend
        )
        assert seen is not None
        other = BleakScanner(service_uuids=["0000181f-0000-1000-8000-00805f9b34fb"], backend=radio.scanner_backend)
        async with other, BleakScanner(backend=radio.scanner_backend) as everybody:
            async for device, _ in everybody.advertisement_data():
                assert device.address == strap.address
                break
            assert not other.discovered_devices


def test_name_that_does_not_fit_is_refused() -> None:
    async def build() -> None:
        VirtualStrap(VirtualRadio(), ManualClock(), name="A strap with a very long name")

    with pytest.raises(ValueError, match="does not fit"):
        asyncio.run(build())


async def test_six_hundred_packets_a_second_are_played_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    clock = AcceleratedClock(600.0)
    caplog.set_level(logging.WARNING)
    async with worn(clock) as (strap, radio), heard(strap, radio, clock) as listener:
        await strap.play(sinus(900.0, bpm=70.0, chance=random.Random(1)))
        await settle()
        assert len(listener.got) == len(strap.sent) >= 899
    assert not caplog.records


async def test_endless_heart_can_be_stopped() -> None:
    clock = ManualClock()
    async with worn(clock) as (strap, _radio):
        playing = asyncio.create_task(strap.play(repeat(1000.0)))
        await clock.advance(5.0)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert not strap.finished.is_set()
