"""Wearables that must be talked to, through bleak's own BlueZ backend and an emulated bluetoothd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.readings import Channel
from edge.virtual.cuff import VirtualCuff
from edge.virtual.glucose_meter import VirtualGlucoseMeter
from edge.virtual.glucose_sensor import VirtualGlucoseSensor
from edge.virtual.polar_band import VirtualPolarBand
from edge.virtual.time import VirtualClock
from edge.wearables.polar_pmd import Ecg
from tests.fakes.home import virtual_home
from tests.fakes.household import PACE, VirtualHousehold


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VirtualHousehold]:
    clock = VirtualClock(speed=PACE)
    passing = asyncio.create_task(clock.run())
    async with virtual_home(clock, straps=0) as home:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", home.bus.address)
        yield VirtualHousehold(tmp_path, home.radio, clock, over_bluez=True)
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)


async def test_backlogs_of_meter_sensor_and_cuff_are_stored_once(house: VirtualHousehold) -> None:
    meter = VirtualGlucoseMeter(house.radio, house.clock, pairing=True)
    sensor = VirtualGlucoseSensor(house.radio, house.clock, with_crc=True)
    cuff = VirtualCuff(house.radio, house.clock, clock_service=True)
    for twin in (meter, sensor, cuff):
        await twin.start()
    for number in range(4):
        meter.measure(100.0 + number)
        await cuff.measure(120.0 + number, 80.0)
        await sensor.measure(90.0 + number)
        await house.passes(300.0)
    async with house.living(meter, sensor, cuff):
        await house.until(lambda: len(meter.sent) >= 4 and len(sensor.sent) >= 4 and not cuff.waiting)
        await house.passes(5.0, speed=PACE)
    for channel, first, apart in (
        (Channel.BLOOD_GLUCOSE, 100.0, meter.records),
        (Channel.SYSTOLIC, 120.0, cuff.sent),
        (Channel.GLUCOSE, 90.0, sensor.records),
    ):
        stored = house.samples(channel)
        assert [value for _, value in stored] == pytest.approx([first + number for number in range(4)], abs=1.0)
        assert [at for at, _ in stored] == pytest.approx([one.at for one in apart], abs=150.0)


async def test_band_streams(house: VirtualHousehold) -> None:
    band = VirtualPolarBand(house.radio, house.clock)
    await band.start()
    async with house.living(band):
        await house.until(lambda: len(band.started) == 2)
        await house.until(lambda: len(band.frames) >= 20)
    told = [value for sent in band.frames if isinstance(sent.frame, Ecg) for value in sent.frame.microvolts]
    stored = house.series(Channel.ECG).values.tolist()
    assert stored == told[: len(stored)]
    assert len(told) - len(stored) <= 2 * 73, "what was on its way when the daemon ended"
