"""Virtual thermometers, cuffs, scales and oximeters over a real GATT exchange."""

from __future__ import annotations

import asyncio

from edge.virtual.cuff import VirtualCuff
from edge.virtual.oximeter import VirtualOximeter
from edge.virtual.scale import VirtualScale
from edge.virtual.thermometer import VirtualThermometer
from edge.virtual.wearable import Vices
from edge.wearables import blood_pressure, body_composition, pulse_oximeter, thermometer, weight_scale
from edge.wearables.ieee11073 import Special
from tests.edge.virtual.listening import home


async def test_temperature_is_indicated_after_those_that_rise() -> None:
    async with home() as found:
        twin = VirtualThermometer(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, thermometer.MEASUREMENT, thermometer.INTERMEDIATE) as listener:
            await twin.measure(98.1, rising=(90.0, 96.5), fahrenheit=True)
            await found.settled()
            told = [thermometer.decode(payload) for payload in listener.of(thermometer.MEASUREMENT)]
            assert told == [measured.measurement for measured in twin.sent]
            assert told[0].measured_at == twin.clock.stamp()
            rising = [thermometer.decode(payload) for payload in listener.of(thermometer.INTERMEDIATE)]
            assert [shown.temperature for shown in rising] == [90.0, 96.5]


async def test_failed_measurement_is_told_as_none() -> None:
    async with home() as found:
        twin = VirtualThermometer(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, thermometer.MEASUREMENT) as listener:
            await twin.measure(Special.NAN)
            assert thermometer.decode(listener.got[0][1]).temperature is Special.NAN


async def test_what_a_cuff_measured_alone_is_told_when_somebody_listens_with_the_time_of_its_clock() -> None:
    async with home() as found:
        twin = VirtualCuff(found.radio, found.clock)
        await twin.start()
        twin.clock.step(-3600.0)
        began, stamp = found.clock.wall(), twin.clock.stamp()
        await twin.measure(132.0, 84.0, pulse=71.0)
        await found.clock.advance(600.0)
        await twin.measure(17.5, 11.0, kilopascal=True)
        async with found.heard(twin, blood_pressure.MEASUREMENT) as listener:
            await found.settled()
            told = [blood_pressure.decode(payload) for _, payload in listener.got]
            assert [pressure.systolic for pressure in told] == [132.0, 17.5]
            assert told[0].measured_at == stamp
            assert [measured.at for measured in twin.sent] == [began, began + 600.0]
            assert not twin.waiting


async def test_cuff_that_hangs_up_tells_the_rest_at_the_next_connections() -> None:
    async with home() as found:
        twin = VirtualCuff(found.radio, found.clock)
        await twin.start()
        twin.vices = Vices(hangs_up_after=2)
        for systolic in (120.0, 121.0, 122.0, 123.0, 124.0):
            await twin.measure(systolic, 80.0)
        got = []
        for _ in range(3):
            async with found.heard(twin, blood_pressure.MEASUREMENT) as listener:
                await found.settled()
                got += [blood_pressure.decode(payload).systolic for _, payload in listener.got]
        assert got == [120.0, 121.0, 122.0, 123.0, 124.0]


async def test_scale_tells_weight_and_body_fat() -> None:
    async with home() as found:
        twin = VirtualScale(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, weight_scale.MEASUREMENT, body_composition.MEASUREMENT) as listener:
            await twin.weigh(72.345, body_fat=21.4)
            await twin.weigh(None)
            weights = [weight_scale.decode(payload) for payload in listener.of(weight_scale.MEASUREMENT)]
            assert [weight.kg for weight in weights] == [72.345, None]
            (composition,) = listener.of(body_composition.MEASUREMENT)
            assert body_composition.decode(composition).body_fat_percent == 21.4


async def test_oximeter_streams_each_second_and_checks_once() -> None:
    async with home() as found:
        twin = VirtualOximeter(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, pulse_oximeter.CONTINUOUS, pulse_oximeter.SPOT_CHECK) as listener:
            playing = asyncio.create_task(twin.play([(97.0, 61.0), (96.0, 62.0), (95.0, 63.0)]))
            await found.clock.advance(2.0)
            twin.vices = Vices(contact=False)
            await found.clock.advance(1.0)
            await playing
            streamed = [pulse_oximeter.decode_continuous(payload) for _, payload in listener.got]
            assert streamed == [measured.measurement for measured in twin.streamed]
            assert [bool(one.sensor_status) for one in streamed] == [False, False, True]
            await twin.check(98.0, 60.0)
            (spot,) = listener.of(pulse_oximeter.SPOT_CHECK)
            assert pulse_oximeter.decode_spot_check(spot).value == (98.0, 60.0)


async def test_silent_oximeter_stays_connected() -> None:
    async with home() as found:
        twin = VirtualOximeter(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, pulse_oximeter.CONTINUOUS) as listener:
            twin.vices = Vices(silent=True)
            playing = asyncio.create_task(twin.play([(97.0, 61.0)] * 30))
            await found.clock.advance(30.0)
            await playing
            assert listener.client.is_connected
            assert not listener.got
            assert not twin.streamed
