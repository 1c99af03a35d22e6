"""What wearables of every kind send goes through a person's pipeline into the store, and comes out the same."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.bluetooth.link import Packet
from edge.notices import Alert
from edge.pipeline import Pipeline
from edge.readings import CHANNELS, Assessment, Channel, Memory, Quality, Reading
from edge.settings.home import PersonSettings
from edge.store.store import Batch, Store
from edge.wearables import (
    blood_pressure,
    body_composition,
    continuous_glucose,
    pulse_oximeter,
    thermometer,
    weight_scale,
)
from edge.wearables.ieee11073 import Special
from tests.edge.wearables.strategies import RECEIVED_AT, clock
from tests.fakes.clock import ManualClock

ADDRESS = "C0:DE:00:00:00:07"
SENT = [
    (pulse_oximeter.CONTINUOUS, bytes.fromhex("0061003d00"), {Channel.SPO2: 97.0, Channel.HEART_RATE: 61.0}),
    (
        pulse_oximeter.SPOT_CHECK,
        pulse_oximeter.encode_spot_check(pulse_oximeter.SpotCheck(pulse_oximeter.Oximetry(95.0, 70.0), clock())),
        {Channel.SPO2: 95.0, Channel.HEART_RATE: 70.0},
    ),
    (
        thermometer.MEASUREMENT,
        thermometer.encode(thermometer.TemperatureMeasurement(99.14, fahrenheit=True, measured_at=clock())),
        {Channel.TEMPERATURE: 37.3},
    ),
    (
        blood_pressure.MEASUREMENT,
        blood_pressure.encode(blood_pressure.BloodPressure(121.0, 79.0, Special.NAN, False, clock(), 66.0)),
        {Channel.SYSTOLIC: 121.0, Channel.DIASTOLIC: 79.0, Channel.HEART_RATE: 66.0},
    ),
    (
        weight_scale.MEASUREMENT,
        weight_scale.encode(weight_scale.WeightMeasurement(14_243)),
        {Channel.WEIGHT: 71.215},
    ),
    (
        body_composition.MEASUREMENT,
        body_composition.encode(body_composition.BodyComposition(213, weight=14_243)),
        {Channel.BODY_FAT: 21.3, Channel.WEIGHT: 71.215},
    ),
    (
        continuous_glucose.MEASUREMENT,
        continuous_glucose.encode((continuous_glucose.CgmRecord(84.0, 15, with_crc=True),)),
        {Channel.GLUCOSE: 84.0},
    ),
]


@pytest.mark.parametrize(("characteristic", "payload", "expected"), SENT)
def test_measurement_is_stored_as_it_was_sent(
    characteristic: str, payload: bytes, expected: dict[Channel, float], tmp_path: Path
) -> None:
    kept: list[Reading] = []

    def keep(readings: Iterable[Reading], _: Iterable[Assessment], __: Iterable[Memory] = (), /) -> None:
        kept.extend(readings)

    async def say(_: Alert) -> None:
        raise AssertionError("nothing here is worth an alert")

    person = PersonSettings.model_validate({"id": "anna", "contacts": ["mum"], "wearables": [{"address": ADDRESS}]})
    with ThreadPoolExecutor(1) as inference:
        pipeline = Pipeline(person, [], clock=ManualClock(RECEIVED_AT), inference=inference, keep=keep, say=say)
        pipeline.receive(Packet(ADDRESS, characteristic, payload, RECEIVED_AT))
    assert pipeline.wearables[ADDRESS].malformed_packets == 0
    with Store(tmp_path / "store.db") as store:
        store.commit(Batch(readings=kept))
        for channel in Channel:
            series = store.signals.series("anna", channel, RECEIVED_AT - 1.0, RECEIVED_AT)
            wanted = [expected[channel]] if channel in expected else []
            assert series.values.tolist() == pytest.approx(wanted, abs=CHANNELS[channel].resolution / 2)
            assert series.times.tolist() == [RECEIVED_AT] * len(wanted)


def test_old_measurement_lands_in_the_past() -> None:
    person = PersonSettings.model_validate({"id": "anna", "contacts": ["mum"], "wearables": [{"address": ADDRESS}]})
    kept: list[Reading] = []

    async def say(_: Alert) -> None:
        raise AssertionError("nothing here is worth an alert")

    with ThreadPoolExecutor(1) as inference:
        pipeline = Pipeline(
            person,
            [],
            clock=ManualClock(RECEIVED_AT),
            inference=inference,
            keep=lambda readings, _, __=(): kept.extend(readings),
            say=say,
        )
        payload = thermometer.encode(thermometer.TemperatureMeasurement(39.5, measured_at=clock(-86_400.0)))
        pipeline.receive(Packet(ADDRESS, thermometer.MEASUREMENT, payload, RECEIVED_AT))
    (reading,) = kept
    assert reading.start == RECEIVED_AT - 86_400.0
    assert reading.quality & Quality.TIME_UNSURE
