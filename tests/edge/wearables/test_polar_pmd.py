"""What becomes of a Polar wearable's frames.

The frames of acceleration and the pulse intervals are those of the tests of Polar BLE SDK 5 (AccDataTest, PpiDataTest).
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.wearables.polar_pmd import (
    Acceleration,
    Ecg,
    Frame,
    Ppg,
    PulseInterval,
    PulseIntervals,
    decode,
    encode,
    encode_compressed,
)
from tests.edge.wearables.strategies import UINT8, UINT16

UINT64 = st.integers(0, 2**64 - 1)
INT24 = st.integers(-(1 << 23), (1 << 23) - 1)
AXES = st.tuples(*[st.integers(-0x8000, 0x7FFF).map(float)] * 3)
FRAMES = (
    st.builds(Ecg, UINT64, st.lists(INT24, max_size=40).map(tuple))
    | st.builds(
        Acceleration, UINT64, st.lists(AXES, max_size=40).map(lambda rows: tuple(v for row in rows for v in row))
    )
    | st.builds(Ppg, UINT64, st.lists(st.tuples(INT24, INT24, INT24, INT24), max_size=20).map(tuple))
    | st.builds(
        PulseIntervals,
        UINT64,
        st.lists(st.builds(PulseInterval, UINT8, UINT16, UINT16, st.booleans(), st.none() | st.booleans())).map(tuple),
    )
)
HEAD = "020094357700000000"


def at(time: float) -> object:
    """About this time, to the microsecond."""
    return pytest.approx(time, rel=0.0, abs=1e-6)


@given(FRAMES)
def test_frame_that_is_encoded_is_decoded(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(
    UINT64,
    st.lists(st.tuples(*[st.integers(-500, 500).map(float)] * 3), min_size=1, max_size=300),
    st.integers(11, 32),
)
def test_compressed_frame_that_is_encoded_is_decoded(
    time: int, rows: list[tuple[float, float, float]], width: int
) -> None:
    frame = Acceleration(time, tuple(value for row in rows for value in row))
    assert decode(encode_compressed(frame, width)) == frame


@given(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2, 0x80, 0x81]), st.binary(max_size=64))
def test_any_bytes_are_a_frame_or_a_decode_error(kind: int, frame_type: int, content: bytes) -> None:
    payload = bytes((kind,)) + bytes(8) + bytes((frame_type,)) + content
    with suppress(DecodeError):
        decode(payload)


@given(st.binary(max_size=32))
def test_any_short_bytes_are_a_frame_or_a_decode_error(payload: bytes) -> None:
    with suppress(DecodeError):
        decode(payload)


def test_plain_acceleration_is_in_milli_g() -> None:
    frame = decode(bytes.fromhex(HEAD + "01" + "f7ffffffe703" + "f8fffeffe503"))
    assert frame == Acceleration(2_000_000_000, (-9.0, -1.0, 999.0, -8.0, -2.0, 997.0))


def test_compressed_acceleration_is_summed_up_from_its_deltas() -> None:
    frame = decode(bytes.fromhex("02650000000000000081f1ff1400f00306017b0f08"))
    assert frame == Acceleration(101, (-15.0, 20.0, 1008.0, -20.0, 17.0, 1008.0))


def test_compressed_acceleration_in_g_is_multiplied_by_the_factor() -> None:
    # 10 bits a delta: +190, -105, -85.
    content = "7107f06a9e8d0a01be5cbe3a"
    frame = decode(bytes.fromhex(HEAD + "80" + content), factor=2.44e-4)
    assert isinstance(frame, Acceleration)
    assert frame.mg == pytest.approx([0.244 * raw for raw in (1905, 27376, -29282, 2095, 27271, -29367)])


def test_pulse_intervals_carry_their_flags() -> None:
    frame = decode(bytes.fromhex("030000000000000000008080808080ff000100010000"))
    assert frame == PulseIntervals(
        0, (PulseInterval(128, 32896, 32896, True, True), PulseInterval(0, 1, 1, False, None))
    )


@pytest.mark.parametrize(("flags", "contact"), [("06", True), ("04", False), ("02", None), ("f8", None)])
def test_pulse_interval_tells_contact_only_where_the_sensor_can(flags: str, contact: bool | None) -> None:
    frame = decode(bytes.fromhex("030000000000000000003ce8030a00" + flags))
    assert frame == PulseIntervals(0, (PulseInterval(60, 1000, 10, False, contact),))


def test_ecg_is_in_microvolts() -> None:
    frame = decode(bytes.fromhex("0000943577000000000038ffffe80300000080"))
    assert frame == Ecg(2_000_000_000, (-200, 1000, -(1 << 23)))


def test_compressed_light_is_summed_up_from_its_deltas() -> None:
    frame = decode(bytes.fromhex("010094357700000000800100000200000300000400000401f1e3"))
    assert frame == Ppg(2_000_000_000, ((1, 2, 3, 4), (2, 1, 6, 2)))


@pytest.mark.parametrize(
    "content",
    [
        "05",
        "81",
        "81f1ff1400f0",
        "81f1ff1400f00306",
        "81f1ff1400f00306017b0f",
        "81f1ff1400f0030001",
        "81f1ff1400f0032101",
        "01f7ffffff",
        "81ff7fff7fff7f020115",
    ],
)
def test_frame_that_is_cut_off_or_of_an_unknown_type_is_refused(content: str) -> None:
    with pytest.raises(DecodeError, match="Polar measurement data"):
        decode(bytes.fromhex(HEAD + content))


def test_delta_that_does_not_fit_overflows() -> None:
    with pytest.raises(OverflowError):
        encode_compressed(Acceleration(5, (0.0, 0.0, 0.0, 0.0, 0.0, 32.0)), 6)
