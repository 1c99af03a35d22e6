"""Packets by the million: noise, and what wearables send with a few octets spoiled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from edge.bluetooth.packet import Packet
from edge.errors import HearthbeatError
from edge.household.wearable import Wearable, wearables_of
from edge.readings import CHANNELS, Channel, Quality, Reading
from edge.settings.home import PersonSettings
from edge.wearables import (
    BY_CHARACTERISTIC,
    battery,
    blood_pressure,
    body_composition,
    continuous_glucose,
    current_time,
    glucose_meter,
    glucose_session_control,
    heart_rate,
    nordic_uart,
    oximeter_viatom,
    polar_control,
    polar_pmd,
    pulse_oximeter,
    record_access,
    thermometer,
    weight_scale,
)
from edge.wearables.fields import DateTime
from edge.wearables.procedure import Read, Step
from tests.edge.wearables.conversation import converse

ADDRESS: Final = "C0:DE:00:00:00:07"
NOW: Final = 1_780_000_000.0
_TIME: Final = DateTime(2026, 5, 28, 20, 26, 40)
# Packets as wearables send them, by characteristic.
EXAMPLES: Final = (
    (battery.LEVEL, b"\x32"),
    (
        blood_pressure.MEASUREMENT,
        blood_pressure.encode(blood_pressure.BloodPressure(120.0, 80.0, 93.0, False, _TIME, 60.0)),
    ),
    (body_composition.MEASUREMENT, body_composition.encode(body_composition.BodyComposition(213, weight=14_243))),
    (continuous_glucose.MEASUREMENT, continuous_glucose.encode((continuous_glucose.CgmRecord(100.0, 5),))),
    (continuous_glucose.STATUS, bytes.fromhex("0a00000000")),
    (continuous_glucose.SESSION_START, bytes.fromhex("ea07051c141a280808")),
    (current_time.CURRENT_TIME, current_time.encode(current_time.CurrentTime(_TIME))),
    (
        glucose_meter.MEASUREMENT,
        glucose_meter.encode(
            glucose_meter.GlucoseMeasurement(7, _TIME, 5, glucose_meter.Concentration(0.001, False, 1, 1))
        ),
    ),
    (heart_rate.MEASUREMENT, bytes.fromhex("163de803f403")),
    (nordic_uart.NOTIFY, b'{"t":"act","hrm":72}\n'),
    (oximeter_viatom.NOTIFY, oximeter_viatom.encode(oximeter_viatom.LiveValues(97, 60, True, 80, 0, 0, 5))),
    (polar_pmd.DATA, polar_pmd.encode(polar_pmd.Acceleration(10**18, (1.0, 2.0, 1000.0) * 4))),
    (
        polar_pmd.DATA,
        polar_pmd.encode_compressed(polar_pmd.Acceleration(10**18, (1.0, 2.0, 1000.0, 2.0, 3.0, 990.0) * 3), 12),
    ),
    (polar_pmd.DATA, polar_pmd.encode(polar_pmd.Ecg(10**18, (1, 2, 3)))),
    (polar_pmd.DATA, polar_pmd.encode(polar_pmd.Ppg(10**18, ((1, 2, 3, 4),)))),
    (polar_pmd.DATA, polar_pmd.encode(polar_pmd.PulseIntervals(0, (polar_pmd.PulseInterval(60, 1000, 5),)))),
    (pulse_oximeter.CONTINUOUS, bytes.fromhex("0061003d00")),
    (pulse_oximeter.SPOT_CHECK, bytes.fromhex("0061003d00")),
    (thermometer.MEASUREMENT, thermometer.encode(thermometer.TemperatureMeasurement(37.0, measured_at=_TIME))),
    (weight_scale.MEASUREMENT, weight_scale.encode(weight_scale.WeightMeasurement(14_243, measured_at=_TIME))),
)
# What decodes beside the packets that become Readings.
OTHERS: Final[tuple[Callable[[bytes], object], ...]] = (
    record_access.decode_request,
    record_access.decode_response,
    polar_control.decode_response,
    polar_control.decode_settings,
    polar_control.decode_features,
    polar_control.decode_request,
    current_time.decode_local_time,
    continuous_glucose.decode_session_run_time,
    lambda octets: glucose_session_control.decode_response(octets, with_crc=False),
    lambda octets: glucose_session_control.decode_request(octets, with_crc=True),
    polar_pmd.decode,
)
_UUIDS: Final = sorted(BY_CHARACTERISTIC)
# What Polar wearables offer, turn by turn.
_OFFERED: Final = (
    (polar_pmd.MeasurementType.ECG, polar_pmd.MeasurementType.ACCELERATION),
    (polar_pmd.MeasurementType.PPI, polar_pmd.MeasurementType.ACCELERATION),
    (polar_pmd.MeasurementType.PPG,),
)


class Flood(NamedTuple):
    """What became of a flood: packets that were understood, that were refused, and the Readings."""

    understood: int
    refused: int
    readings: Counter[Channel]


def packets(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many packets: a third are noise, the others are true ones of which some octets, or the end, are spoiled."""
    chance = random.Random(seed)
    for _ in range(count):
        if chance.random() < 1 / 3:
            yield chance.choice(_UUIDS), chance.randbytes(chance.randrange(40))
            continue
        uuid, payload = chance.choice(EXAMPLES)
        spoiled = bytearray(payload)
        for _ in range(chance.randrange(4)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        cut = chance.randrange(len(spoiled) + 1) if chance.random() < 0.1 else len(spoiled)
        yield uuid, bytes(spoiled[:cut]) + chance.randbytes(chance.randrange(3) if chance.random() < 0.1 else 0)


def flood(count: int, seed: int) -> Flood:
    """Send packets through all decoders, and check every value; raises AssertionError, or whatever crashes."""
    chance, readings, refused, now = random.Random(seed), Counter[Channel](), 0, NOW
    wearable = _wearable()
    for number, (uuid, payload) in enumerate(packets(count, seed)):
        now += chance.random()
        before = wearable.malformed_packets
        found = wearable.hear(Packet(ADDRESS, uuid, payload, now))
        refused += wearable.malformed_packets - before
        for reading in found:
            check(reading, now)
            readings[reading.channel] += 1
        try:
            OTHERS[number % len(OTHERS)](payload)
        except HearthbeatError:
            refused += 1
        if number % 1000 == 0:
            wearable.lost()
            _open(wearable, now, _OFFERED[number // 1000 % len(_OFFERED)])
            wearable.changed_memories()
    return Flood(count - wearable.malformed_packets, refused, readings)


def check(reading: Reading, now: float) -> None:
    """Every value is in its range or marked, and nothing is of the future or of no time."""
    facts = CHANNELS[reading.channel]
    assert reading.values
    assert len(reading.values) % facts.axes == 0
    inside = all(facts.low <= value <= facts.high for value in reading.values)
    assert inside or reading.quality & Quality.OUT_OF_RANGE, reading
    assert all(abs(value) < 1e10 for value in reading.values), reading
    assert reading.start <= now + 1.0, reading
    assert reading.start > 0.0, reading


def _wearable() -> Wearable:
    person = PersonSettings.model_validate({"id": "anna", "contacts": ["mum"], "wearables": [{"address": ADDRESS}]})
    return wearables_of(person)[ADDRESS]


def _open(wearable: Wearable, now: float, offered: tuple[polar_pmd.MeasurementType, ...]) -> None:
    """Let the profiles ask, with answers that start these streams of Polar's and tell no records."""

    def answer(step: Step) -> bytes:
        if isinstance(step, Read):
            return polar_control.encode_features(offered)
        octets = getattr(step, "payload", b"")
        if isinstance(octets, bytes) and getattr(step, "answer", None) == polar_pmd.CONTROL_POINT:
            op_code, kind = octets[:2]
            return polar_control.encode_response(polar_control.Response(op_code, kind, 0))
        return bytes.fromhex("06000106")

    for procedure in wearable.openings(now, [*_UUIDS, polar_pmd.CONTROL_POINT, record_access.CONTROL_POINT]):
        try:
            converse(procedure, answer, 40)
        except HearthbeatError:
            continue
