"""Every wearable, with its vices, from its radio to the store: what a user would notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.readings import Channel
from edge.virtual.cuff import VirtualCuff
from edge.virtual.oximeter import VirtualOximeter
from edge.virtual.scale import VirtualScale
from edge.virtual.thermometer import VirtualThermometer
from tests.fakes.household import VirtualHousehold, virtual_household


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[VirtualHousehold]:
    async with virtual_household(tmp_path) as found:
        yield found


async def test_cuff_thermometer_and_scale_are_stored_once_each(house: VirtualHousehold) -> None:
    cuff, scale = VirtualCuff(house.radio, house.clock), VirtualScale(house.radio, house.clock)
    thermometer = VirtualThermometer(house.radio, house.clock)
    for twin in (cuff, scale, thermometer):
        await twin.start()
    async with house.living(cuff, scale, thermometer):
        await asyncio.gather(*(twin.subscribed.wait() for twin in (cuff, scale, thermometer)))
        await cuff.measure(131.0, 84.0, pulse=66.0, inflating=(60.0, 180.0))
        await thermometer.measure(37.4, rising=(36.0, 37.1))
        await scale.weigh(71.25, body_fat=22.5)
        await house.passes(5.0)
    (systolic,), (diastolic,) = house.samples(Channel.SYSTOLIC), house.samples(Channel.DIASTOLIC)
    assert (systolic[1], diastolic[1]) == pytest.approx((131.0, 84.0))
    assert systolic[0] == pytest.approx(cuff.sent[0].at, abs=2.0)
    assert [value for _, value in house.samples(Channel.TEMPERATURE)] == pytest.approx([37.4])
    assert [value for _, value in house.samples(Channel.WEIGHT)] == pytest.approx([71.25])
    assert [value for _, value in house.samples(Channel.BODY_FAT)] == pytest.approx([22.5])


async def test_oximeter_night_is_stored_second_by_second(house: VirtualHousehold) -> None:
    oximeter = VirtualOximeter(house.radio, house.clock)
    await oximeter.start()
    async with house.living(oximeter):
        await oximeter.subscribed.wait()
        house.clock.speed = 600.0
        await oximeter.play([(97.0, 58.0)] * 120 + [(88.0, 64.0)] * 30 + [(96.0, 60.0)] * 60)
        house.clock.speed = 20.0
    values = [value for _, value in house.samples(Channel.SPO2)]
    assert values == pytest.approx([97.0] * 120 + [88.0] * 30 + [96.0] * 60)
    assert len(oximeter.streamed) == 210
