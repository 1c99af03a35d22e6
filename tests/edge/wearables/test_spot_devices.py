"""What becomes of the packets of thermometers, cuffs and scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel, Quality
from edge.wearables import blood_pressure, body_composition, thermometer, weight_scale
from edge.wearables.blood_pressure import BloodPressure
from edge.wearables.body_composition import BodyComposition
from edge.wearables.fields import DateTime
from edge.wearables.ieee11073 import Special
from edge.wearables.profile import Profile
from edge.wearables.thermometer import Site, TemperatureMeasurement
from edge.wearables.weight_scale import WeightMeasurement
from tests.edge.wearables.strategies import (
    DATE_TIMES,
    FLOATS,
    RECEIVED_AT,
    SFLOATS,
    SOURCE,
    UINT8,
    UINT16,
)

NO_TIME = st.none() | DATE_TIMES
WORD = st.none() | UINT16


def temperature(measurement: TemperatureMeasurement, characteristic: str = thermometer.MEASUREMENT) -> list[float]:
    found = thermometer.PROFILE.readings(characteristic, thermometer.encode(measurement), SOURCE, RECEIVED_AT)
    return [value for reading in found for value in reading.values]


def pressures(measurement: BloodPressure, characteristic: str = blood_pressure.MEASUREMENT) -> Mapping[Channel, float]:
    found = blood_pressure.PROFILE.readings(characteristic, blood_pressure.encode(measurement), SOURCE, RECEIVED_AT)
    return {reading.channel: round(reading.values[0], 1) for reading in found}


@given(st.builds(TemperatureMeasurement, FLOATS, st.booleans(), NO_TIME, st.none() | UINT8))
def test_temperature_that_is_encoded_is_decoded(measurement: TemperatureMeasurement) -> None:
    assert thermometer.decode(thermometer.encode(measurement)) == measurement


@given(
    st.builds(
        BloodPressure,
        SFLOATS,
        SFLOATS,
        SFLOATS,
        st.booleans(),
        NO_TIME,
        st.none() | SFLOATS,
        st.none() | UINT8,
        st.none() | UINT16.map(blood_pressure.Status),
    )
)
def test_blood_pressure_that_is_encoded_is_decoded(measurement: BloodPressure) -> None:
    assert blood_pressure.decode(blood_pressure.encode(measurement)) == measurement


@given(
    st.builds(
        WeightMeasurement,
        st.none() | st.integers(0, 0xFFFE),
        st.booleans(),
        NO_TIME,
        st.none() | UINT8,
        st.none() | st.tuples(UINT16, UINT16),
    )
)
def test_weight_that_is_encoded_is_decoded(measurement: WeightMeasurement) -> None:
    assert weight_scale.decode(weight_scale.encode(measurement)) == measurement


@given(
    st.builds(
        BodyComposition,
        st.none() | st.integers(0, 0xFFFE),
        st.booleans(),
        NO_TIME,
        st.none() | UINT8,
        st.booleans(),
        *[WORD] * 9,
    )
)
def test_body_composition_that_is_encoded_is_decoded(measurement: BodyComposition) -> None:
    assert body_composition.decode(body_composition.encode(measurement)) == measurement


def test_temperature_in_celsius_and_fahrenheit_is_the_same() -> None:
    # 36.6 degrees Celsius as Health Thermometer Service 1.0, 3.1 lays it out: mantissa 366, exponent -1.
    payload = bytes.fromhex("006e0100ff")
    (reading,) = thermometer.PROFILE.readings(thermometer.MEASUREMENT, payload, SOURCE, RECEIVED_AT)
    assert (reading.channel, reading.unit, reading.values) == (Channel.TEMPERATURE, "°C", (36.6,))
    assert temperature(TemperatureMeasurement(98.6, fahrenheit=True)) == [pytest.approx(37.0)]


def test_temperature_that_is_still_rising_or_of_the_skin_is_no_reading() -> None:
    assert temperature(TemperatureMeasurement(35.0), thermometer.INTERMEDIATE) == []
    assert temperature(TemperatureMeasurement(31.0, site=Site.FINGER)) == []
    assert temperature(TemperatureMeasurement(37.0, site=Site.EAR)) == [37.0]


def test_temperature_that_nobody_has_is_out_of_range() -> None:
    payload = thermometer.encode(TemperatureMeasurement(21.5))
    (reading,) = thermometer.PROFILE.readings(thermometer.MEASUREMENT, payload, SOURCE, RECEIVED_AT)
    assert reading.quality & Quality.OUT_OF_RANGE


def test_blood_pressure_in_mmhg_with_every_field() -> None:
    # Blood Pressure Service 1.0, 3.1: 120/80, mean 93 mmHg, 2026-05-28 20:26:40, 72 bpm, user 2, irregular pulse.
    payload = bytes.fromhex("1e780050005d00ea07051c141a284800020400")
    assert blood_pressure.decode(payload) == BloodPressure(
        120.0, 80.0, 93.0, False, DateTime(2026, 5, 28, 20, 26, 40), 72.0, 2, blood_pressure.Status.IRREGULAR_PULSE
    )


def test_blood_pressure_in_kilopascal_is_told_in_mmhg() -> None:
    assert pressures(BloodPressure(16.0, 10.7, 12.4, kilopascal=True, pulse=72.0)) == {
        Channel.SYSTOLIC: 120.0,
        Channel.DIASTOLIC: 80.3,
        Channel.MEAN_PRESSURE: 93.0,
        Channel.HEART_RATE: 72.0,
    }


def test_pain_10_mean_pressure_that_a_cuff_does_not_measure_is_missing() -> None:
    assert pressures(BloodPressure(120.0, 80.0, Special.NAN)) == {Channel.SYSTOLIC: 120.0, Channel.DIASTOLIC: 80.0}


@pytest.mark.parametrize("status", ["BODY_MOVED", "CUFF_TOO_LOOSE", "WRONG_POSITION"])
def test_pressure_that_the_cuff_calls_wrong_is_missing(status: str) -> None:
    assert pressures(BloodPressure(120.0, 80.0, 93.0, status=blood_pressure.Status[status])) == {}


def test_pressure_in_the_cuff_is_nobodys_blood_pressure() -> None:
    inflating = BloodPressure(150.0, Special.NAN, Special.NAN)
    assert pressures(inflating, blood_pressure.CUFF_PRESSURE) == {}


def test_pulse_beyond_the_limits_of_the_cuff_is_missing() -> None:
    status = blood_pressure.Status.PULSE_TOO_FAST
    assert Channel.HEART_RATE not in pressures(BloodPressure(120.0, 80.0, 93.0, pulse=199.0, status=status))


@pytest.mark.parametrize(
    ("payload", "kg"),
    [("00e02e", 60.0), ("01002d", 52.2538), ("06e02eea07051c141a2801", 60.0), ("00fffe", 326.395)],
)
def test_weight_is_told_in_kg(payload: str, kg: float) -> None:
    assert weight_scale.decode(bytes.fromhex(payload)).kg == pytest.approx(kg, abs=5e-4)


def test_pain_09_weighing_that_failed_is_no_weight() -> None:
    measurement = weight_scale.decode(bytes.fromhex("00ffff"))
    assert measurement.kg is None
    assert weight_scale.PROFILE.readings(weight_scale.MEASUREMENT, b"\x00\xff\xff", SOURCE, RECEIVED_AT) == ()
    failed = body_composition.encode(BodyComposition(None))
    assert body_composition.PROFILE.readings(body_composition.MEASUREMENT, failed, SOURCE, RECEIVED_AT) == ()


def test_body_fat_and_weight_are_told() -> None:
    payload = body_composition.encode(BodyComposition(287, muscle_mass=5000, impedance=5123, weight=12_000))
    fat, weight = body_composition.PROFILE.readings(body_composition.MEASUREMENT, payload, SOURCE, RECEIVED_AT)
    assert (fat.channel, fat.unit, fat.values) == (Channel.BODY_FAT, "%", (28.7,))
    assert (weight.channel, weight.unit, weight.values) == (Channel.WEIGHT, "kg", (60.0,))
    assert fat.quality is Quality.CONTACT_UNKNOWN


@pytest.mark.parametrize("stamp", ["ea070d1c141a28", "ea07021e141a28", "ea07051c181a28", "0a00051c141a28"])
def test_time_in_no_calendar_is_refused(stamp: str) -> None:
    with pytest.raises(DecodeError, match="time stamp"):
        thermometer.decode(bytes.fromhex("026e0100ff" + stamp))


@pytest.mark.parametrize(
    ("profile", "characteristic", "packet"),
    [
        (blood_pressure.PROFILE, blood_pressure.MEASUREMENT, lambda user: blood_pressure.encode(_cuff_of(user))),
        (weight_scale.PROFILE, weight_scale.MEASUREMENT, lambda user: weight_scale.encode(_scale_of(user))),
        (body_composition.PROFILE, body_composition.MEASUREMENT, lambda user: body_composition.encode(_fat_of(user))),
    ],
)
def test_a_shared_device_tells_whom_it_takes_the_measurement_for(
    profile: Profile, characteristic: str, packet: Callable[[int | None], bytes]
) -> None:
    assert [profile.user(characteristic, packet(user)) for user in (None, 0, 2, 0xFF)] == [None, 0, 2, None]


def _cuff_of(user: int | None) -> BloodPressure:
    return BloodPressure(128, 82, 97, user=user)


def _scale_of(user: int | None) -> WeightMeasurement:
    return WeightMeasurement(14000, user=user)


def _fat_of(user: int | None) -> BodyComposition:
    return BodyComposition(250, user=user)
