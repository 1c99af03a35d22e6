"""What becomes of a chest strap's packets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.heart_rate import MEASUREMENT, PROFILE, HeartRateMeasurement, decode, encode

SOURCE = Source(person="anna", device="strap")
UINT16 = st.integers(0, 0xFFFF)

measurements = st.builds(
    HeartRateMeasurement,
    heart_rate=UINT16,
    contact=st.none() | st.booleans(),
    energy_kj=st.none() | UINT16,
    rr_ticks=st.lists(UINT16, max_size=9).map(tuple),
)


def readings(payload: bytes, received_at: float = 1000.0) -> tuple[Reading, ...]:
    return PROFILE.readings(MEASUREMENT, payload, SOURCE, received_at)


def of(channel: Channel, found: tuple[Reading, ...]) -> list[Reading]:
    return [reading for reading in found if reading.channel is channel]


@given(measurements)
def test_what_is_encoded_is_decoded(measurement: HeartRateMeasurement) -> None:
    assert decode(encode(measurement)) == measurement


@given(st.binary(max_size=32))
def test_any_bytes_are_readings_or_a_decode_error(payload: bytes) -> None:
    found: tuple[Reading, ...] = ()
    refusal = payload.hex()
    try:
        found = readings(payload)
    except DecodeError as error:
        refusal = str(error)
    assert all(reading.values for reading in found)
    assert payload.hex() in refusal
    assert "\n" not in refusal


@given(measurements, st.integers(0, 40))
def test_truncated_packet_is_an_error_or_shorter_at_the_end(measurement: HeartRateMeasurement, size: int) -> None:
    whole = encode(measurement)
    try:
        got = decode(whole[:size])
    except DecodeError:
        return
    assert got[:3] == measurement[:3], "a cut packet must never yield another heart rate"
    assert got.rr_ticks == measurement.rr_ticks[: len(got.rr_ticks)]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("0048", HeartRateMeasurement(72)),
        ("0648", HeartRateMeasurement(72, contact=True)),
        ("0448", HeartRateMeasurement(72, contact=False)),
        ("0248", HeartRateMeasurement(72, contact=None)),
        ("012c01", HeartRateMeasurement(300)),
        ("0848e803", HeartRateMeasurement(72, energy_kj=1000)),
        ("1048000440035803", HeartRateMeasurement(72, rr_ticks=(1024, 832, 856))),
        ("1f2c01e8030004", HeartRateMeasurement(300, contact=True, energy_kj=1000, rr_ticks=(1024,))),
        ("e048", HeartRateMeasurement(72)),
        ("1048", HeartRateMeasurement(72)),
    ],
)
def test_packets_as_the_specification_lays_them_out(payload: str, expected: HeartRateMeasurement) -> None:
    assert decode(bytes.fromhex(payload)) == expected


@pytest.mark.parametrize("payload", ["", "00", "0148", "0848", "0848e8", "104800", "004800"])
def test_packet_of_a_wrong_length_says_what_where_and_how_to_mend_it(payload: str) -> None:
    with pytest.raises(DecodeError, match=r"Heart Rate Measurement \(0x2A37\).*; check") as raised:
        decode(bytes.fromhex(payload))
    assert (payload or "(empty)") in str(raised.value)


def test_pain_07_last_beat_falls_at_the_arrival_and_the_others_before_it() -> None:
    (reading,) = of(Channel.RR_INTERVAL, readings(encode(HeartRateMeasurement(60, True, None, (1024, 512)))))
    assert reading.values == (1000.0, 500.0)
    assert reading.start == 998.5
    assert reading.end == 1000.0


def test_pain_07_packet_without_intervals_yields_none() -> None:
    assert not of(Channel.RR_INTERVAL, readings(encode(HeartRateMeasurement(60, True))))


def test_pain_08_strap_off_the_body_is_marked_however_plausible_its_heart_rate() -> None:
    found = readings(encode(HeartRateMeasurement(72, False, None, (850,))))
    assert {reading.quality for reading in found} == {Quality.NO_CONTACT}


def test_pain_08_strap_that_cannot_tell_whether_it_is_worn_is_marked_so() -> None:
    found = readings(encode(HeartRateMeasurement(72, None, None, (850,))))
    assert {reading.quality for reading in found} == {Quality.CONTACT_UNKNOWN}


@pytest.mark.parametrize("contact", [True, False, None])
def test_pain_09_heart_rate_of_zero_is_missing_and_no_reading(contact: bool | None) -> None:
    assert readings(encode(HeartRateMeasurement(0, contact))) == ()


def test_heart_rate_that_nobody_has_is_out_of_range() -> None:
    (reading,) = readings(encode(HeartRateMeasurement(400, True)))
    assert reading.quality is Quality.OUT_OF_RANGE


@given(st.lists(st.integers(100, 4000), min_size=1, max_size=9), st.floats(1e9, 2e9))
def test_runs_of_differing_quality_follow_one_another_without_a_gap(ticks: list[int], received_at: float) -> None:
    packet = encode(HeartRateMeasurement(60, True, None, tuple(ticks)))
    found = of(Channel.RR_INTERVAL, readings(packet, received_at))
    assert [value for reading in found for value in reading.values] == [tick * 1000.0 / 1024.0 for tick in ticks]
    assert found[-1].end == pytest.approx(received_at)
    for before, after in pairwise(found):
        assert before.end == after.start
        assert before.quality is not after.quality
    for reading in found:
        outside = [not 200.0 <= value <= 3000.0 for value in reading.values]
        assert outside == [reading.quality is Quality.OUT_OF_RANGE] * len(outside)
