"""Wearables that go wrong in silence are told as faults, and those that are well are not."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from edge.daemon import Daemon
from edge.notices import FaultKind
from edge.virtual.cuff import VirtualCuff
from edge.virtual.glucose_sensor import VirtualGlucoseSensor
from edge.virtual.oximeter import VirtualOximeter
from edge.virtual.polar_band import VirtualPolarBand
from edge.virtual.rhythm import sinus
from edge.virtual.strap import VirtualStrap
from edge.virtual.wearable import Vices
from tests.fakes.household import VirtualHousehold, virtual_household

# Faults are looked for every half minute; so fast, each look has its time.
LOOKING = 300.0
# Minutes, much shorter than anybody would want, so that there is something to be told, or not, within minutes.
LIMITS: Final = {
    "no_data_min": {"heart_rate": 3.0, "rr_interval": 3.0, "acceleration": 3.0, "glucose": 4.0},
    "frozen_min": {"heart_rate": 3.0, "acceleration": 3.0, "glucose": 3.0},
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[VirtualHousehold]:
    async with virtual_household(tmp_path) as found:
        found.faults = LIMITS
        yield found


async def told(daemon: Daemon) -> dict[FaultKind, list[str]]:
    """What is told of which wearables, by the kind of fault; that no risks are watched here is known."""
    found: dict[FaultKind, list[str]] = {}
    for fault in (await daemon.snapshot())["open_faults"]:
        if fault["kind"] not in {FaultKind.MODEL, FaultKind.CONTACT}:
            found.setdefault(FaultKind(fault["kind"]), []).append(fault["what"])
    return found


@asynccontextmanager
async def doing(*works: Coroutine[object, object, None]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work) for work in works]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_value_that_stays_the_same_is_told(house: VirtualHousehold) -> None:
    strap, sensor = VirtualStrap(house.radio, house.clock), VirtualGlucoseSensor(house.radio, house.clock)
    for twin in (strap, sensor):
        await twin.start()
    # A heart that sways so widely that no two looks see the same rate by chance.
    beats = (900.0 + 250.0 * math.sin(beat / 9.0) for beat in count())
    sensor.interval_min = 1
    async with house.living(strap, sensor) as daemon, doing(strap.play(beats), sensor.play(map(float, count(90)))):
        await house.until(lambda: strap.subscribed.is_set() and sensor.subscribed.is_set())
        await house.passes(300.0, speed=LOOKING)
        assert await told(daemon) == {}
        strap.vices = sensor.vices = Vices(frozen=True)
        while len((await told(daemon)).get(FaultKind.FROZEN_VALUE, [])) < 2:
            await house.passes(60.0, speed=LOOKING)
        assert list(await told(daemon)) == [FaultKind.FROZEN_VALUE]


async def test_clock_that_is_far_off_is_told(house: VirtualHousehold) -> None:
    cuff = VirtualCuff(house.radio, house.clock)
    await cuff.start()
    cuff.clock.step(7200.0)
    async with house.living(cuff) as daemon:
        await cuff.subscribed.wait()
        await cuff.measure(121.0, 79.0)
        while not await told(daemon):
            await house.passes(60.0, speed=LOOKING)
        assert list(await told(daemon)) == [FaultKind.DEVICE_CLOCK]


async def test_household_that_is_well_is_told_nothing(house: VirtualHousehold) -> None:
    strap, band = VirtualStrap(house.radio, house.clock), VirtualPolarBand(house.radio, house.clock)
    oximeter, cuff = VirtualOximeter(house.radio, house.clock), VirtualCuff(house.radio, house.clock)
    sensor = VirtualGlucoseSensor(house.radio, house.clock, interval_min=1)
    house.faults = {"no_data_min": LIMITS["no_data_min"]}  # an even heart may show one rate for three minutes
    everybody = (strap, band, oximeter, cuff, sensor)
    for twin in everybody:
        await twin.start()
    hearts = [sinus(1e6, bpm=60.0 + 9.0 * n, chance=random.Random(n)) for n in range(2)]
    works = (
        strap.play(hearts[0]),
        band.play(hearts[1]),
        oximeter.play((95.0 + second % 3, 58.0 + second % 2) for second in count()),
        sensor.play(100.0 + n % 30 for n in count()),
    )
    async with house.living(anna=(strap, oximeter), bert=(band, cuff), carl=(sensor,)) as daemon, doing(*works):
        await house.until(lambda: all(twin.subscribed.is_set() for twin in everybody))
        for _ in range(2):
            await house.passes(180.0, speed=LOOKING)
            await cuff.measure(121.0, 79.0, pulse=64.0)
            assert await told(daemon) == {}
