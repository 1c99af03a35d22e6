"""Polar's control point and Bangle.js watches."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import CHANNELS, Channel, Quality
from edge.wearables import nordic_uart, polar_control
from edge.wearables.polar_control import Answer, OpCode, Setting
from edge.wearables.polar_pmd import MeasurementType
from edge.wearables.procedure import Write
from tests.edge.wearables.conversation import converse
from tests.edge.wearables.strategies import RECEIVED_AT, SOURCE, UINT8


def pieces(payload: bytes, size: int) -> list[bytes]:
    return [payload[begin : begin + size] for begin in range(0, len(payload), size)]


@given(st.binary(max_size=64))
def test_any_bytes_from_any_vendor_are_understood_or_a_decode_error(payload: bytes) -> None:
    for read in (polar_control.decode_response, polar_control.decode_settings):
        with suppress(DecodeError):
            read(payload)
    with suppress(DecodeError):
        nordic_uart.readings(b"{" + payload, SOURCE, RECEIVED_AT)


def test_polar_settings_are_those_of_the_sdks_tests() -> None:
    # Polar BLE SDK 5, PmdSettingTest.
    settings = bytes.fromhex("00013400010110000204f500f401e803d007040103")
    assert polar_control.decode_settings(settings) == {
        Setting.SAMPLE_RATE: (52,),
        Setting.RESOLUTION: (16,),
        Setting.RANGE: (245, 500, 1000, 2000),
        Setting.CHANNELS: (3,),
    }


def test_polar_stream_is_asked_for_with_its_settings() -> None:
    chosen = {Setting.SAMPLE_RATE: 50, Setting.RESOLUTION: 16, Setting.RANGE: 8}
    request = polar_control.start(MeasurementType.ACCELERATION, chosen)
    assert request == bytes.fromhex("0202000132000101100002010800")
    assert polar_control.ask_for_settings(MeasurementType.ECG) == b"\x01\x00"
    assert polar_control.stop(MeasurementType.ECG) == b"\x03\x00"


def test_polar_answer_tells_success_and_the_factor() -> None:
    started = polar_control.decode_response(bytes.fromhex("f0020200000501") + struct.pack("<f", 2.44e-4))
    assert (started.op_code, started.answer, started.more) == (OpCode.START, Answer.SUCCESS, False)
    assert started.factor == pytest.approx(2.44e-4)
    refused = polar_control.decode_response(bytes.fromhex("f0020206"))
    assert (refused.answer, refused.factor, dict(refused.settings)) == (Answer.ALREADY_IN_STATE, 1.0, {})
    assert polar_control.decode_response(bytes.fromhex("f00102000100013200")).more
    for wrong in ("", "0f020200", "f00202", "f0020200000601", "f002020000000100", "f00202000005010000c07f"):
        with pytest.raises(DecodeError, match="Polar"):
            polar_control.decode_response(bytes.fromhex(wrong))


SETTINGS = st.dictionaries(
    st.sampled_from([kind for kind in Setting if kind is not Setting.FACTOR]),
    st.lists(UINT8, max_size=4).map(tuple),
    max_size=4,
)


@given(st.sampled_from(OpCode), UINT8, st.just(Answer.SUCCESS), st.booleans(), SETTINGS)
def test_polar_answer_that_is_encoded_is_decoded(
    op_code: OpCode, kind: int, answer: Answer, more: bool, settings: dict[Setting, tuple[int, ...]]
) -> None:
    sent = polar_control.Response(op_code, kind, answer, more, settings)
    assert polar_control.decode_response(polar_control.encode_response(sent)) == sent


@given(st.sampled_from(OpCode), UINT8, st.dictionaries(st.sampled_from(Setting), UINT8, max_size=4))
def test_polar_request_that_is_encoded_is_decoded(op_code: OpCode, kind: int, chosen: dict[Setting, int]) -> None:
    found = polar_control.decode_request(polar_control.start(kind, chosen))
    assert found == (OpCode.START, kind, {setting: (number,) for setting, number in chosen.items()})
    request = {OpCode.SETTINGS: polar_control.ask_for_settings, OpCode.STOP: polar_control.stop}.get(op_code)
    if request is not None:
        assert polar_control.decode_request(request(kind)) == (op_code, kind, {})


@given(st.frozensets(st.integers(0, 7)))
def test_polar_features_that_are_encoded_are_decoded(kinds: frozenset[int]) -> None:
    assert polar_control.decode_features(polar_control.encode_features(kinds)) == kinds


@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_characters="\n\r\t\x0b\x0c\x1c\x1d\x1e\x1f "), min_size=1))
)
def test_lines_are_put_together_from_pieces(texts: list[str]) -> None:
    sent = "".join(f"{text}\r\n" for text in texts).encode()
    lines = nordic_uart.Lines()
    assert [line for piece in pieces(sent, 7) for line in lines.push(piece)] == [text.encode() for text in texts]


def test_line_without_an_end_does_not_fill_the_memory() -> None:
    lines = nordic_uart.Lines()
    for _ in range(100):
        assert lines.push(b"x" * 100) == []
    assert lines.push(b'\n{"t":"act"}\n') == [b'{"t":"act"}']


def test_watch_tells_heart_rate_and_battery() -> None:
    (rate,) = nordic_uart.readings(b'{"t":"act","stp":12,"hrm":72}', SOURCE, RECEIVED_AT)
    assert (rate.channel, rate.values, rate.quality) == (Channel.HEART_RATE, (72.0,), Quality.CONTACT_UNKNOWN)
    (battery,) = nordic_uart.readings(b'{"t":"status","bat":83,"chg":0}', SOURCE, RECEIVED_AT)
    assert (battery.channel, battery.values, battery.unit) == (Channel.BATTERY, (83.0,), CHANNELS[Channel.BATTERY].unit)


@pytest.mark.parametrize(
    "line", ['{"t":"act","stp":12,"hrm":0}', '{"t":"act","stp":12}', '{"t":"info","msg":"hrm"}', ">console", "{}"]
)
def test_pain_09_line_without_a_heart_rate_is_no_reading(line: str) -> None:
    assert nordic_uart.readings(line.encode(), SOURCE, RECEIVED_AT) == ()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"t":"act","hrm":"72"}',
        '{"t":"act","hrm":true}',
        '{"t":"act","hrm":NaN}',
        '{"t":"act","hrm":1e999}',
        '{"t":"act","hrm":' + "9" * 400 + "}",
        '{"t":"status","bat":-1}',
        "{" + '"a":[' * 180,
        '{"a":' + "[" * 900,
    ],
)
def test_line_that_is_no_message_is_refused(line: str) -> None:
    with pytest.raises(DecodeError):
        nordic_uart.readings(line.encode(), SOURCE, RECEIVED_AT)


def test_watch_is_asked_for_heart_rates_and_its_lines_are_put_together() -> None:
    session = nordic_uart.PROFILE.session(SOURCE, {})
    assert session.opening(RECEIVED_AT, [nordic_uart.NOTIFY]) is None
    procedure = session.opening(RECEIVED_AT, [nordic_uart.NOTIFY, nordic_uart.WRITE])
    assert procedure is not None
    written = b"".join(
        step.payload
        for step in converse(procedure, lambda _: b"")
        if isinstance(step, Write) and isinstance(step.payload, bytes) and len(step.payload) <= 20
    )
    assert written == b'\x10GB({"t":"act","hrm":true,"stp":false,"int":10})\n'
    sent = b'>\r\n{"t":"status","bat":83}\r\n{"t":"act","stp":1,"hrm":72,"rt":1}\r\n'
    found = [r for piece in pieces(sent, 20) for r in session.readings(nordic_uart.NOTIFY, piece, RECEIVED_AT)]
    assert [(r.channel, r.values) for r in found] == [(Channel.BATTERY, (83.0,)), (Channel.HEART_RATE, (72.0,))]


def test_history_of_a_watch_is_not_of_now() -> None:
    assert nordic_uart.readings(b'{"t":"act","ts":1700000000000,"stp":1,"hrm":72}', SOURCE, RECEIVED_AT) == ()


def test_broken_line_does_not_take_the_whole_packet_with_it() -> None:
    session = nordic_uart.PROFILE.session(SOURCE, {})
    both = b'{"t":"act","hrm":"x"}\n{"t":"act","hrm":72}\n'
    assert [r.values for r in session.readings(nordic_uart.NOTIFY, both, RECEIVED_AT)] == [(72.0,)]
    with pytest.raises(DecodeError):
        session.readings(nordic_uart.NOTIFY, b'{"t":"act","hrm":"x"}\n', RECEIVED_AT)
    session.readings(nordic_uart.NOTIFY, b'{"t":"act",', RECEIVED_AT)
    session.lost()
    assert session.readings(nordic_uart.NOTIFY, b'"hrm":72}\n', RECEIVED_AT) == ()
