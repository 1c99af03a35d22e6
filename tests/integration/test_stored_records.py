"""Glucose meters and sensors, which tell what they have stored: every record once, in the past where it belongs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.readings import Channel, Quality
from edge.virtual.glucose_meter import VirtualGlucoseMeter
from edge.virtual.glucose_sensor import VirtualGlucoseSensor
from edge.virtual.wearable import Vices
from edge.wearables.continuous_glucose import Status
from edge.wearables.glucose_meter import Status as MeterStatus
from tests.fakes.household import HURRY, PACE, VirtualHousehold, virtual_household

HOUR_S, DAY_S = 3600.0, 86_400.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[VirtualHousehold]:
    async with virtual_household(tmp_path) as found:
        yield found


async def measure(house: VirtualHousehold, meter: VirtualGlucoseMeter, *values: float, apart_s: float = HOUR_S) -> None:
    for value in values:
        meter.measure(value)
        await house.clock.sleep(0.0)
        await house.passes(apart_s, speed=100 * HURRY)


def told(meter: VirtualGlucoseMeter) -> int:
    """How many of its records have left the meter, however often each."""
    return len({record.measurement.sequence for record in meter.sent})


def check(house: VirtualHousehold, meter: VirtualGlucoseMeter, within_s: float = 3.0) -> None:
    """Every record of the meter is stored once, when it was made."""
    stored = house.samples(Channel.BLOOD_GLUCOSE)
    assert [value for _, value in stored] == pytest.approx(
        [record.mg_per_dl for record in meter.records if record.mg_per_dl is not None], abs=1.0
    )
    assert [at for at, _ in stored] == pytest.approx([record.at for record in meter.records], abs=within_s)


async def test_meter_tells_its_backlog_once_and_later_only_what_is_new(house: VirtualHousehold) -> None:
    meter = VirtualGlucoseMeter(house.radio, house.clock)
    await meter.start()
    await measure(house, meter, 96.0, 131.0, 96.0, 88.0, apart_s=DAY_S / 3)
    async with house.living(meter):
        await house.until(lambda: told(meter) == 4)
        await meter.leave()
        await measure(house, meter, 140.0, 120.0)
        await meter.come_back()
        await house.until(lambda: told(meter) == 6)
        await house.passes(5.0)
    check(house, meter)
    await measure(house, meter, 77.0)
    async with house.living(meter):
        before = len(meter.sent)
        await house.until(lambda: told(meter) == 7)
        await house.passes(5.0)
        assert len(meter.sent) <= before + 2, "what is known is not asked for, but for the last"
    check(house, meter)


async def test_meter_that_hangs_up_amid_its_records_is_stored_whole(house: VirtualHousehold) -> None:
    meter = VirtualGlucoseMeter(house.radio, house.clock)
    await meter.start()
    await measure(house, meter, *(90.0 + number for number in range(8)))
    meter.vices = Vices(hangs_up_after=3)
    async with house.living(meter):
        await house.until(lambda: told(meter) == 8)
        await house.passes(5.0)
    check(house, meter)


async def test_meter_whose_clock_is_off_but_may_be_read_is_stored_at_the_right_time(house: VirtualHousehold) -> None:
    meter = VirtualGlucoseMeter(house.radio, house.clock, clock_service=True)
    await meter.start()
    meter.clock.step(-5 * HOUR_S)
    await measure(house, meter, 101.0, 102.0, 103.0)
    async with house.living(meter):
        await house.until(lambda: len(meter.sent) == 3)
        await house.passes(5.0)
    check(house, meter, within_s=5.0)


async def test_control_solution_and_failed_measurements_are_nobodys_glucose(house: VirtualHousehold) -> None:
    meter = VirtualGlucoseMeter(house.radio, house.clock)
    await meter.start()
    meter.measure(110.0, control=True)
    meter.measure(None, status=MeterStatus.SAMPLE_TOO_SMALL)
    meter.measure(99.0, meal=1)
    async with house.living(meter):
        await house.until(lambda: len(meter.sent) == 3)
        await house.passes(5.0)
    assert [value for _, value in house.samples(Channel.BLOOD_GLUCOSE)] == pytest.approx([99.0], abs=1.0)


async def play(house: VirtualHousehold, sensor: VirtualGlucoseSensor, count: int, speed: float = 10 * HURRY) -> None:
    """So many more records, each of its own value."""
    first = 80.0 + len(sensor.records)
    house.clock.speed = speed
    await sensor.play([first + number for number in range(count)])
    house.clock.speed = PACE


def check_sensor(house: VirtualHousehold, sensor: VirtualGlucoseSensor) -> None:
    stored = house.samples(Channel.GLUCOSE)
    assert [value for _, value in stored] == pytest.approx([one.record.glucose for one in sensor.records])
    assert [at for at, _ in stored] == pytest.approx([one.at for one in sensor.records], abs=150.0)


@pytest.mark.parametrize("with_crc", [False, True])
async def test_sensor_that_was_away_tells_what_was_missed(house: VirtualHousehold, with_crc: bool) -> None:
    sensor = VirtualGlucoseSensor(house.radio, house.clock, with_crc=with_crc)
    await sensor.start()
    await play(house, sensor, 6)
    async with house.living(sensor):
        await house.until(lambda: len(sensor.sent) == 6)
        await play(house, sensor, 4)
        await sensor.leave()
        await play(house, sensor, 9)
        await sensor.come_back()
        await house.until(lambda: len(sensor.sent) >= 19)
        await play(house, sensor, 3)
        await house.passes(5.0)
    check_sensor(house, sensor)


async def test_sensor_is_asked_for_what_it_measured_while_the_daemon_was_down(house: VirtualHousehold) -> None:
    sensor = VirtualGlucoseSensor(house.radio, house.clock)
    await sensor.start()
    async with house.living(sensor):
        await sensor.subscribed.wait()
        await play(house, sensor, 5)
    await play(house, sensor, 7)
    before = len(sensor.sent)
    async with house.living(sensor):
        await house.until(lambda: len(sensor.sent) >= before + 7)
        await play(house, sensor, 2)
        await house.passes(5.0)
    check_sensor(house, sensor)
    assert len(sensor.sent) <= 16, "only what was missed is asked for"


async def test_sensor_that_hangs_up_amid_its_records_is_stored_whole(house: VirtualHousehold) -> None:
    sensor = VirtualGlucoseSensor(house.radio, house.clock)
    await sensor.start()
    await play(house, sensor, 12)
    sensor.vices = Vices(hangs_up_after=5)
    async with house.living(sensor):
        await house.until(lambda: len({one.record.minute for one in sensor.sent}) == 12)
        await house.passes(5.0)
    check_sensor(house, sensor)


async def test_sensor_that_cannot_measure_is_a_gap(house: VirtualHousehold) -> None:
    sensor = VirtualGlucoseSensor(house.radio, house.clock)
    await sensor.start()
    async with house.living(sensor):
        await sensor.subscribed.wait()
        await play(house, sensor, 2)
        sensor.status = Status.SENSOR_MALFUNCTION
        await play(house, sensor, 3)
        sensor.status = Status.CALIBRATION_REQUIRED
        await play(house, sensor, 1)
        sensor.status = Status(0)
        await play(house, sensor, 2)
        await house.passes(5.0)
    found = house.series(Channel.GLUCOSE)
    assert found.values.tolist() == pytest.approx([80.0, 81.0, 85.0, 86.0, 87.0])
    assert [bool(int(quality) & Quality.UNRELIABLE) for quality in found.quality] == [False, False, True, False, False]


async def test_sensor_that_drifts_for_days_keeps_its_records_in_place(house: VirtualHousehold) -> None:
    sensor = VirtualGlucoseSensor(house.radio, house.clock)
    sensor.clock.drift_ppm = 100.0
    await sensor.start()
    async with house.living(sensor):
        await sensor.subscribed.wait()
        await play(house, sensor, 50)
        await sensor.leave()
        await play(house, sensor, 100, speed=100 * HURRY)
        await sensor.come_back()
        await house.until(lambda: len(sensor.sent) >= 150)
        await house.passes(5.0)
    check_sensor(house, sensor)
