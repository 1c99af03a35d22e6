"""What becomes of a continuous glucose sensor's packets.

The packets with a CRC and their checksums are those of the tests of Nordic Semiconductor's Android BLE Common Library.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.wearables.continuous_glucose import (
    CgmFeature,
    CgmRecord,
    CgmStatus,
    Feature,
    SessionStart,
    Status,
    crc,
    decode,
    decode_feature,
    decode_session_run_time,
    decode_session_start,
    decode_status,
    encode,
    encode_feature,
    encode_session_start,
    encode_status,
)
from edge.wearables.fields import DateTime
from tests.edge.wearables.strategies import DATE_TIMES, RECEIVED_AT, SFLOATS, UINT16, UINT24

RECORDS = st.builds(
    CgmRecord,
    SFLOATS,
    UINT16,
    st.none() | UINT24.map(Status),
    st.none() | SFLOATS,
    st.none() | SFLOATS,
    st.booleans(),
)
FULL = bytes.fromhex("0fe3d2e405000214ff02f0e5f38e3f")


@given(st.lists(RECORDS, min_size=1, max_size=4).map(tuple))
def test_records_that_are_encoded_are_decoded(records: tuple[CgmRecord, ...]) -> None:
    assert decode(encode(records)) == records


@given(st.builds(CgmFeature, UINT24.map(Feature), st.integers(0, 15), st.integers(0, 15)))
def test_feature_that_is_encoded_is_decoded(feature: CgmFeature) -> None:
    assert decode_feature(encode_feature(feature)) == feature


@given(st.builds(CgmStatus, UINT16, UINT24.map(Status), st.booleans()))
def test_status_that_is_encoded_is_decoded(status: CgmStatus) -> None:
    assert decode_status(encode_status(status)) == status


@given(
    st.builds(
        SessionStart,
        DATE_TIMES,
        st.just(-128) | st.integers(-48, 56),
        st.sampled_from([0, 2, 4, 8, 255]),
        st.booleans(),
    )
)
def test_session_start_that_is_encoded_is_decoded(start: SessionStart) -> None:
    assert decode_session_start(encode_session_start(start)) == start


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    for read in (decode, decode_feature, decode_status, decode_session_start, decode_session_run_time):
        with suppress(DecodeError):
            read(payload)


def test_crc_is_that_of_the_catalogue() -> None:
    assert crc(b"123456789") == 0x6F91


def test_packet_with_every_field() -> None:
    (record,) = decode(FULL)
    assert record == CgmRecord(12.34, 5, record.status, 0.2, 99.7, True)
    assert record.status == (
        Status.BATTERY_LOW
        | Status.CALIBRATION_RECOMMENDED
        | Status.TOO_HOT
        | Status.BELOW_PATIENT_LOW
        | Status.ABOVE_PATIENT_HIGH
        | Status.BELOW_HYPO
        | Status.ABOVE_HYPER
        | Status.FALLS_FAST
        | Status.RISES_FAST
        | Status.RESULT_TOO_LOW
        | Status.RESULT_TOO_HIGH
    )


@pytest.mark.parametrize(
    ("flag", "status"), [(0x80, Status.SESSION_STOPPED), (0x40, Status.TIME_SYNCHRONISATION_REQUIRED), (0x20, 1 << 16)]
)
def test_each_flag_announces_its_own_octet_of_the_status(flag: int, status: int) -> None:
    (record,) = decode(bytes((7, flag)) + bytes.fromhex("7800060001"))
    assert record.status == status


@pytest.mark.parametrize("place", range(2, 15))
def test_octet_that_was_damaged_is_noticed(place: int) -> None:
    damaged = bytearray(FULL)
    damaged[place] ^= 0x10
    with pytest.raises(DecodeError, match="CRC is wrong"):
        decode(bytes(damaged))


def test_wrong_crc_of_a_short_record_is_noticed() -> None:
    assert decode(bytes.fromhex("08000c100600596f")) == (CgmRecord(120.0, 6, with_crc=True),)
    with pytest.raises(DecodeError, match="CRC is wrong"):
        decode(bytes.fromhex("08000c100600586f"))


def test_feature_tells_what_the_sensor_can_do() -> None:
    feature = decode_feature(bytes.fromhex("6e9e01168ac1"))
    assert feature.features & Feature.CRC
    assert not feature.features & Feature.CALIBRATION
    assert (feature.sample_type, feature.location) == (6, 1)
    assert decode_feature(bytes.fromhex("6e8e0116ffff")).features & Feature.HYPO_ALERTS
    for wrong in ("6e9e0116afbe", "6e8e0116afbe", "6e9e0116"):
        with pytest.raises(DecodeError, match="CGM Feature"):
            decode_feature(bytes.fromhex(wrong))


def test_session_began_at_a_time_that_zone_and_dst_tell() -> None:
    local = DateTime(2026, 5, 28, 22, 26, 40)
    assert SessionStart(local, 4, 4).timestamp() == RECEIVED_AT
    assert SessionStart(local, -128, 0).timestamp() is None
    assert SessionStart(local, 4, 255).timestamp() is None


def test_session_run_time_is_in_hours() -> None:
    assert decode_session_run_time(bytes.fromhex("f000")) == 240


@pytest.mark.parametrize("payload", ["", "05000c1006", "06000c1006", "07000c100600", "0a010c100600", "06000c10060006"])
def test_record_whose_size_contradicts_it_is_refused(payload: str) -> None:
    with pytest.raises(DecodeError, match=r"CGM Measurement \(0x2AA7\)"):
        decode(bytes.fromhex(payload))
