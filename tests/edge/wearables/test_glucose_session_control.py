"""The session of a continuous glucose monitor is begun and ended as its control point understands it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.wearables.glucose_session_control import (
    Answer,
    Interval,
    OpCode,
    Request,
    Response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)


def test_start_of_a_session_is_one_octet_and_its_crc_two_more() -> None:
    assert encode_request(Request(OpCode.START_SESSION), with_crc=False) == b"\x1a"
    assert len(encode_request(Request(OpCode.START_SESSION), with_crc=True)) == 3


@given(st.sampled_from([Request(OpCode.SET_INTERVAL, 5), *map(Request, list(OpCode)[3:5])]), st.booleans())
def test_requests_come_back_as_written(request: Request, with_crc: bool) -> None:
    assert decode_request(encode_request(request, with_crc=with_crc), with_crc=with_crc) == request


@given(
    st.one_of(
        st.builds(Interval, st.integers(0, 255)), st.builds(Response, st.sampled_from(OpCode), st.sampled_from(Answer))
    ),
    st.booleans(),
)
def test_answers_come_back_as_indicated(response: Interval | Response, with_crc: bool) -> None:
    assert decode_response(encode_response(response, with_crc=with_crc), with_crc=with_crc) == response


def test_answer_with_a_wrong_crc_is_none() -> None:
    payload = encode_response(Response(OpCode.START_SESSION, Answer.SUCCESS), with_crc=True)
    with pytest.raises(DecodeError, match="CRC"):
        decode_response(payload[:-1] + b"\x00", with_crc=True)


@given(st.binary(max_size=8), st.booleans())
def test_any_octets_are_read_or_refused(payload: bytes, with_crc: bool) -> None:
    for decode in (decode_request, decode_response):
        with suppress(DecodeError):
            decode(payload, with_crc=with_crc)
