"""A wearable's clock, read and set."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.wearables.current_time import (
    Adjusted,
    CurrentTime,
    LocalTime,
    clock_at,
    decode,
    decode_local_time,
    encode,
    encode_local_time,
)
from edge.wearables.fields import DateTime
from tests.edge.wearables.strategies import DATE_TIMES, UINT8


@given(st.builds(CurrentTime, DATE_TIMES, st.integers(0, 7), UINT8, UINT8.map(Adjusted)))
def test_clock_that_is_encoded_is_decoded(clock: CurrentTime) -> None:
    assert decode(encode(clock)) == clock


@given(st.builds(LocalTime, st.just(-128) | st.integers(-48, 56), st.sampled_from([0, 2, 4, 8, 255])))
def test_zone_that_is_encoded_is_decoded(local: LocalTime) -> None:
    assert decode_local_time(encode_local_time(local)) == local


@given(st.binary(max_size=12))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    for read in (decode, decode_local_time):
        with suppress(DecodeError):
            read(payload)


def test_clock_to_be_set_is_the_time_where_the_person_lives() -> None:
    clock = clock_at(datetime(2026, 5, 28, 20, 26, 40, 500_000))  # noqa: DTZ001 -- local time
    assert clock == CurrentTime(DateTime(2026, 5, 28, 20, 26, 40), 4, 128, Adjusted.BY_REFERENCE)
    assert encode(clock) == bytes.fromhex("ea07051c141a28048002")


def test_offset_from_utc_is_zone_and_summer_time_together() -> None:
    assert LocalTime(4, 4).utc_offset_s() == 7200.0
    assert LocalTime(-20, 0).utc_offset_s() == -18_000.0
    assert LocalTime(-128, 4).utc_offset_s() is None
    assert LocalTime(4, 255).utc_offset_s() is None


@pytest.mark.parametrize("payload", ["ea07051c141a28080000", "ea07051c141a2804", "ea070d1c141a28040000"])
def test_what_is_no_clock_is_refused(payload: str) -> None:
    with pytest.raises(DecodeError, match=r"Current Time \(0x2A2B\)"):
        decode(bytes.fromhex(payload))


@pytest.mark.parametrize("payload", ["0403", "3904", "04"])
def test_reserved_zone_is_refused(payload: str) -> None:
    with pytest.raises(DecodeError, match="Local Time"):
        decode_local_time(bytes.fromhex(payload))
