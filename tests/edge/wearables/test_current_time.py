"""A wearable's clock, read and set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError, RefusedError
from edge.wearables.current_time import (
    CURRENT_TIME,
    EXACT_S,
    PROFILE,
    SET_BEYOND_S,
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
from edge.wearables.procedure import Pause, Write
from edge.wearables.profile import NO_MEMORY, Session
from edge.wearables.wall_clock import WallClock
from tests.edge.wearables.strategies import DATE_TIMES, RECEIVED_AT, SOURCE, UINT8


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


def ahead(seconds: float) -> bytes:
    """What a clock tells that is so far ahead of ours at RECEIVED_AT."""
    return encode(clock_at(datetime.fromtimestamp(RECEIVED_AT + seconds, UTC).astimezone()))


def read(seconds: float, memory: Mapping[str, float] = NO_MEMORY) -> tuple[Session, WallClock]:
    """A session that has read such a clock."""
    wall = WallClock()
    session = PROFILE.session(SOURCE, memory, wall)
    assert session.readings(CURRENT_TIME, ahead(seconds), RECEIVED_AT) == ()
    return session, wall


@pytest.mark.parametrize(
    ("seconds", "fact"), [(0.0, "right"), (-3600.0, "3600 s behind"), (86_400.0, "86400 s ahead"), (3.0, "right")]
)
def test_clock_is_compared_with_ours(seconds: float, fact: str) -> None:
    session, wall = read(seconds)
    assert session.facts(CURRENT_TIME, ahead(seconds)) == {"clock": fact}
    assert wall.off_s == (seconds if abs(seconds) > EXACT_S else 0.0)


def test_clock_that_is_right_is_left_alone() -> None:
    assert read(SET_BEYOND_S - 1.0)[0].opening(RECEIVED_AT, [CURRENT_TIME]) is None
    assert read(3600.0)[0].opening(RECEIVED_AT, []) is None


def test_clock_that_is_off_is_set_to_the_time_of_writing() -> None:
    session, wall = read(-3600.0)
    procedure = session.opening(RECEIVED_AT, [CURRENT_TIME])
    assert procedure is not None
    assert isinstance(next(procedure), Pause)
    write = procedure.send(b"")
    assert isinstance(write, Write)
    assert callable(write.payload)
    assert write.payload(RECEIVED_AT + 5.0) == ahead(5.0)
    session.readings(CURRENT_TIME, ahead(0.0), RECEIVED_AT)
    with pytest.raises(StopIteration):
        procedure.send(b"")
    assert (wall.ahead_s, wall.before_s, session.memory) == (0.0, -3600.0, {"ahead_s": 0.0})
    session.lost()
    assert wall.before_s is None


@pytest.mark.parametrize(("code", "is_set"), [(0x80, True), (0x03, False), (None, False)])
def test_clock_that_may_not_be_set_stays_off(code: int | None, is_set: bool) -> None:
    session, wall = read(-3600.0)
    procedure = session.opening(RECEIVED_AT, [CURRENT_TIME])
    assert procedure is not None
    next(procedure)
    procedure.send(b"")
    with pytest.raises(StopIteration if is_set else RefusedError):
        procedure.throw(RefusedError("refused", where="watch", mend="none", code=code))
    assert wall.ahead_s == (0.0 if is_set else -3600.0)


def test_clock_without_a_day_is_not_set() -> None:
    session, wall = read(0.0)
    empty = encode(CurrentTime(DateTime(0, 0, 0, 1, 2, 3)))
    session.readings(CURRENT_TIME, empty, RECEIVED_AT)
    assert session.facts(CURRENT_TIME, empty) == {"clock": "not set"}
    assert wall.ahead_s is None
    assert session.opening(RECEIVED_AT, [CURRENT_TIME]) is not None


def test_clock_that_stays_as_it_is_places_on_the_same_second_again() -> None:
    session, _ = read(-3600.0)
    again, wall = read(-3602.5, session.memory)
    assert wall.ahead_s == -3600.0
    assert again.memory is session.memory
