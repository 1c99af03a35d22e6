"""One wearable with several profiles: no channel twice, and what one knows counts for all."""

from __future__ import annotations

import pytest

from edge.bluetooth.link import Packet
from edge.household.wearable import RIVAL_S, Wearable, wearables_of
from edge.readings import Channel, Quality, Reading
from edge.settings.home import PersonSettings
from edge.wearables import body_composition, heart_rate, polar_pmd, weight_scale
from edge.wearables.heart_rate import HeartRateMeasurement
from edge.wearables.polar_control import Answer, OpCode, Response, encode_features, encode_response
from edge.wearables.polar_pmd import MeasurementType, PulseInterval, PulseIntervals
from edge.wearables.procedure import Read, Step, Write
from tests.edge.wearables.conversation import converse

ADDRESS, NOW = "C0:DE:00:00:00:07", 1_780_000_000.0


@pytest.fixture
def band() -> Wearable:
    """An armband whose acceleration and pulse intervals stream."""
    person = PersonSettings.model_validate({"id": "anna", "contacts": ["mum"], "wearables": [{"address": ADDRESS}]})
    wearable = wearables_of(person)[ADDRESS]

    def answer(step: Step) -> bytes:
        if isinstance(step, Read):
            return encode_features([MeasurementType.PPI, MeasurementType.ACCELERATION])
        assert isinstance(step, Write)
        assert isinstance(step.payload, bytes)
        return encode_response(Response(OpCode(step.payload[0]), step.payload[1], Answer.SUCCESS))

    for procedure in wearable.openings(NOW, [polar_pmd.CONTROL_POINT, polar_pmd.DATA]):
        converse(procedure, answer)
    return wearable


def pulses(wearable: Wearable, at: float, contact: bool | None = None) -> tuple[Reading, ...]:
    frame = PulseIntervals(0, (PulseInterval(60, 1000, 5, contact=contact),))
    return wearable.hear(Packet(ADDRESS, polar_pmd.DATA, polar_pmd.encode(frame), at))


def beats(wearable: Wearable, at: float, contact: bool | None = None) -> tuple[Reading, ...]:
    payload = heart_rate.encode(HeartRateMeasurement(60, contact, rr_ticks=(1024,)))
    return wearable.hear(Packet(ADDRESS, heart_rate.MEASUREMENT, payload, at))


def channels(readings: tuple[Reading, ...]) -> list[Channel]:
    return [reading.channel for reading in readings]


def test_rr_intervals_are_told_by_one_profile_only(band: Wearable) -> None:
    assert channels(beats(band, NOW)) == [Channel.RR_INTERVAL, Channel.HEART_RATE]
    assert channels(pulses(band, NOW + 1)) == [Channel.RR_INTERVAL]
    assert channels(beats(band, NOW + 2)) == [Channel.HEART_RATE]
    assert channels(pulses(band, NOW + 6)) == [Channel.RR_INTERVAL]
    assert channels(beats(band, NOW + 6 + RIVAL_S)) == [Channel.HEART_RATE]
    assert channels(beats(band, NOW + 7 + RIVAL_S)) == [Channel.RR_INTERVAL, Channel.HEART_RATE]


def test_pain_08_what_is_not_worn_falls_without_a_person(band: Wearable) -> None:
    def dropped(at: float) -> Quality:
        frame = polar_pmd.Acceleration(round(at * 1e9), (0.0, 0.0, 0.0))
        (reading,) = band.hear(Packet(ADDRESS, polar_pmd.DATA, polar_pmd.encode(frame), at))
        return reading.quality & ~Quality.GAP_BEFORE

    assert dropped(NOW) == Quality.CONTACT_UNKNOWN
    beats(band, NOW + 1, contact=False)
    assert dropped(NOW + 2) == Quality.NO_CONTACT
    beats(band, NOW + 3, contact=True)
    assert dropped(NOW + 4) == Quality.CONTACT_UNKNOWN
    beats(band, NOW + 5, contact=False)
    assert dropped(NOW + 6 + RIVAL_S) == Quality.CONTACT_UNKNOWN


def test_weight_that_a_scale_tells_twice_is_told_once(band: Wearable) -> None:
    weight = weight_scale.encode(weight_scale.WeightMeasurement(14_000))
    body = body_composition.encode(body_composition.BodyComposition(213, weight=14_000))

    def hear(uuid: str, payload: bytes, at: float) -> list[Channel]:
        return channels(band.hear(Packet(ADDRESS, uuid, payload, at)))

    assert hear(weight_scale.MEASUREMENT, weight, NOW) == [Channel.WEIGHT]
    assert hear(body_composition.MEASUREMENT, body, NOW + 1) == [Channel.BODY_FAT]
    assert hear(body_composition.MEASUREMENT, body, NOW + 100) == [Channel.BODY_FAT, Channel.WEIGHT]
    assert hear(weight_scale.MEASUREMENT, weight, NOW + 101) == []
    assert hear(weight_scale.MEASUREMENT, weight, NOW + 200) == [Channel.WEIGHT]
