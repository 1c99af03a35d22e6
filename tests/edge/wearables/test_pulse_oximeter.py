"""What becomes of an oximeter's packets.

The packet 00 62 00 3C 00 (98 %, 60 bpm) is laid out by Pulse Oximeter Service 1.0, 3.2.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel, Quality, Reading
from edge.wearables.ieee11073 import Special
from edge.wearables.pulse_oximeter import (
    CONTINUOUS,
    PROFILE,
    SPOT_CHECK,
    Continuous,
    Oximetry,
    SensorStatus,
    SpotCheck,
    Status,
    decode_continuous,
    decode_spot_check,
    encode_continuous,
    encode_spot_check,
)
from edge.wearables.wall_clock import WallClock
from tests.edge.wearables.strategies import DATE_TIMES, RECEIVED_AT, SFLOATS, SOURCE, UINT16, UINT24, clock

NORMAL = Oximetry(97.0, 61.0)
OXIMETRIES = st.builds(Oximetry, SFLOATS, SFLOATS)
STATUSES = st.none() | UINT16.map(Status)
SENSORS = st.none() | UINT24.map(SensorStatus)


def continuous(measurement: Continuous) -> tuple[Reading, ...]:
    return PROFILE.readings(CONTINUOUS, encode_continuous(measurement), SOURCE, RECEIVED_AT)


def spot(measurement: SpotCheck) -> tuple[Reading, ...]:
    return PROFILE.readings(SPOT_CHECK, encode_spot_check(measurement), SOURCE, RECEIVED_AT)


@given(
    st.builds(
        SpotCheck,
        OXIMETRIES,
        st.none() | DATE_TIMES,
        STATUSES,
        SENSORS,
        st.none() | SFLOATS,
        clock_not_set=st.booleans(),
    )
)
def test_spot_check_that_is_encoded_is_decoded(measurement: SpotCheck) -> None:
    assert decode_spot_check(encode_spot_check(measurement)) == measurement


@given(
    st.builds(
        Continuous, OXIMETRIES, st.none() | OXIMETRIES, st.none() | OXIMETRIES, STATUSES, SENSORS, st.none() | SFLOATS
    )
)
def test_continuous_measurement_that_is_encoded_is_decoded(measurement: Continuous) -> None:
    assert decode_continuous(encode_continuous(measurement)) == measurement


def test_packet_with_every_field() -> None:
    payload = "1f61003d0060003e0062003c0020012000000ff0"
    assert decode_continuous(bytes.fromhex(payload)) == Continuous(
        Oximetry(97.0, 61.0),
        Oximetry(96.0, 62.0),
        Oximetry(98.0, 60.0),
        Status.ONGOING | Status.FULLY_QUALIFIED,
        SensorStatus.LOW_PERFUSION,
        1.5,
    )


def test_stream_tells_spo2_and_pulse() -> None:
    spo2, pulse = PROFILE.readings(CONTINUOUS, bytes.fromhex("0062003c00"), SOURCE, RECEIVED_AT)
    assert (spo2.channel, spo2.unit, spo2.values) == (Channel.SPO2, "%", (98.0,))
    assert (pulse.channel, pulse.unit, pulse.values) == (Channel.HEART_RATE, "bpm", (60.0,))
    assert spo2.start == pulse.start == RECEIVED_AT
    assert spo2.quality is Quality.CONTACT_UNKNOWN


def test_oximeter_that_knows_that_it_is_worn_is_good() -> None:
    assert {r.quality for r in continuous(Continuous(NORMAL, sensor_status=SensorStatus(0)))} == {Quality.GOOD}


@pytest.mark.parametrize(
    "status", [SensorStatus.UNCONNECTED_TO_USER, SensorStatus.DISPLACED, SensorStatus.SENSOR_DISCONNECTED]
)
def test_pain_08_oximeter_off_the_finger_is_marked(status: SensorStatus) -> None:
    assert {r.quality for r in continuous(Continuous(NORMAL, sensor_status=status))} == {Quality.NO_CONTACT}


@pytest.mark.parametrize("special", list(Special))
def test_pain_10_special_value_is_no_reading(special: Special) -> None:
    (pulse,) = continuous(Continuous(Oximetry(special, 61.0)))
    assert pulse.channel is Channel.HEART_RATE
    (spo2,) = continuous(Continuous(Oximetry(97.0, special)))
    assert spo2.channel is Channel.SPO2


@pytest.mark.parametrize(
    "status",
    [Status.INVALID, Status.QUESTIONABLE, Status.UNAVAILABLE, Status.TEST, Status.DEMONSTRATION, Status.FROM_STORAGE],
)
def test_value_that_the_oximeter_does_not_vouch_for_is_missing(status: Status) -> None:
    assert continuous(Continuous(NORMAL, status=status | Status.ONGOING)) == ()
    assert spot(SpotCheck(NORMAL, status=status)) == ()


@pytest.mark.parametrize(
    "status", [SensorStatus.ERRATIC_SIGNAL, SensorStatus.POOR_SIGNAL, SensorStatus.SENSOR_MALFUNCTION]
)
def test_value_without_a_signal_is_missing(status: SensorStatus) -> None:
    assert continuous(Continuous(NORMAL, sensor_status=status)) == ()


def test_value_that_nobody_has_is_out_of_range() -> None:
    spo2, pulse = continuous(Continuous(Oximetry(0.0, 0.0)))
    assert spo2.quality & Quality.OUT_OF_RANGE
    assert pulse.quality & Quality.OUT_OF_RANGE
    assert continuous(Continuous(Oximetry(100.5, 61.0)))[0].quality & Quality.OUT_OF_RANGE


def test_number_that_the_store_could_not_keep_is_refused() -> None:
    with pytest.raises(DecodeError, match="spo2"):
        continuous(Continuous(Oximetry(2047e7, 61.0)))


def test_old_spot_check_lands_in_the_past() -> None:
    session = PROFILE.session(SOURCE, {}, WallClock(ahead_s=0.0))
    payload = encode_spot_check(SpotCheck(NORMAL, clock(-7200.0)))
    assert {r.start for r in session.readings(SPOT_CHECK, payload, RECEIVED_AT)} == {RECEIVED_AT - 7200.0}


def test_stamp_of_a_clock_that_is_not_set_says_nothing() -> None:
    payload = encode_spot_check(SpotCheck(NORMAL, clock(-1e8), clock_not_set=True))
    readings = PROFILE.session(SOURCE, {}).readings(SPOT_CHECK, payload, RECEIVED_AT)
    assert [(r.start, r.quality) for r in readings] == [(RECEIVED_AT, Quality.CONTACT_UNKNOWN)] * 2


@pytest.mark.parametrize("payload", ["", "00", "0062003c", "0062003c0000", "0162003c00", "0862003c00ff"])
def test_packet_of_a_wrong_length_says_so(payload: str) -> None:
    with pytest.raises(DecodeError, match=r"PLX Continuous Measurement \(0x2A5F\).*; check"):
        decode_continuous(bytes.fromhex(payload))
