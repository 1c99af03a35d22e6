"""A ring that is asked for its values every other second."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel, Quality
from edge.wearables.oximeter_viatom import (
    EVERY_S,
    NOTIFY,
    PROFILE,
    WRITE,
    Assembler,
    LiveValues,
    ask_for_live_values,
    crc,
    decode,
    encode,
)
from edge.wearables.procedure import Pause, Write
from tests.edge.wearables.conversation import converse
from tests.edge.wearables.strategies import RECEIVED_AT, SOURCE, UINT8

VALUES = st.none() | st.integers(1, 254)


def answer(values: str) -> bytes:
    """An answer with these octets of live values."""
    body = bytes.fromhex("5500ff0000") + bytes((len(values) // 2, 0)) + bytes.fromhex(values)
    return body + bytes((crc(body),))


@given(st.builds(LiveValues, VALUES, VALUES, st.booleans(), UINT8, UINT8, UINT8, UINT8))
def test_values_that_are_encoded_are_decoded(live: LiveValues) -> None:
    assert decode(encode(live)) == live


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_pieces_are_understood_or_a_decode_error(pieces: list[bytes]) -> None:
    session = PROFILE.session(SOURCE, {})
    for piece in pieces:
        with suppress(DecodeError):
            session.readings(NOTIFY, piece, RECEIVED_AT)
    with suppress(DecodeError):
        decode(b"".join(pieces))


def test_crc_is_the_one_of_the_catalogue() -> None:
    assert crc(b"123456789") == 0xF4
    assert ask_for_live_values() == bytes.fromhex("aa17e800000000") + bytes((crc(bytes.fromhex("aa17e800000000")),))


def test_values_are_those_of_the_example() -> None:
    # o2state.py: oohh..........bbccmmaaff..
    assert decode(answer("624200000000006100920a0100")) == LiveValues(98, 66, True, 97, 0, 0x92, 10)


@pytest.mark.parametrize("values", ["ffffff00000000600005000000", "ffffff00000000620100000000"])
def test_pain_09_ring_off_the_finger_has_no_values(values: str) -> None:
    live = decode(answer(values))
    assert (live.spo2, live.pulse, live.worn) == (None, None, False)


def test_pain_08_value_of_a_ring_that_is_not_worn_is_marked() -> None:
    payload = encode(LiveValues(97, 60, False, 80, 0, 0, 5))
    spo2, pulse, battery = PROFILE.session(SOURCE, {}).readings(NOTIFY, payload, RECEIVED_AT)
    assert (spo2.channel, spo2.quality, pulse.quality) == (Channel.SPO2, Quality.NO_CONTACT, Quality.NO_CONTACT)
    assert battery.quality is Quality.GOOD


def test_answers_that_come_in_pieces_behind_noise_are_put_together() -> None:
    sent = b"\x00\x01" + encode(LiveValues(97, 60, True, 80, 0, 0, 5)) * 2
    session = PROFILE.session(SOURCE, {})
    found = [r for begin in range(0, len(sent), 7) for r in session.readings(NOTIFY, sent[begin : begin + 7], 1.0)]
    assert [r.channel for r in found] == [
        Channel.SPO2,
        Channel.HEART_RATE,
        Channel.BATTERY,
        Channel.SPO2,
        Channel.HEART_RATE,
    ]


def test_answer_with_a_wrong_crc_is_refused() -> None:
    sent = bytearray(encode(LiveValues(97, 60, True, 80, 0, 0, 5)))
    sent[8] ^= 1
    with pytest.raises(DecodeError, match="CRC"):
        PROFILE.session(SOURCE, {}).readings(NOTIFY, bytes(sent), RECEIVED_AT)
    with pytest.raises(DecodeError, match="no answer"):
        decode(b"\xaa" + bytes(sent[1:]))
    assert Assembler().push(b"\x55" * 30) == []


def test_values_are_asked_for_as_long_as_the_connection_lasts() -> None:
    session = PROFILE.session(SOURCE, {})
    assert session.opening(RECEIVED_AT, [NOTIFY]) is None
    procedure = session.opening(RECEIVED_AT, [NOTIFY, WRITE])
    assert procedure is not None
    assert converse(procedure, lambda _: b"", 5)[1:] == [
        Pause(EVERY_S),
        Write(WRITE, ask_for_live_values()),
        Pause(EVERY_S),
        Write(WRITE, ask_for_live_values()),
    ]
