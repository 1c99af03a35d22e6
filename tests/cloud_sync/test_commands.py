"""What is signed counts as it was signed, and nothing else does."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from cloud_sync.commands import (
    AHEAD_S,
    LONGEST_LIFE_S,
    Command,
    judge,
    make_command,
    read_arguments,
    read_command,
    signed_command,
)
from cloud_sync.signing import COMMAND, MOST_BYTES, PACKAGE, opened, sign
from edge.errors import RejectedError

SECRET = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(32))
KEYS = {"daughter": SECRET.verify_key, "maker": OTHER.verify_key}
NOW = 1_800_000_000.0
FIELDS: dict[str, Any] = {
    "v": 1,
    "id": "7b1f2f0e-6f5d-4a39-9f0f-0f8a0a5d1c11",
    "home": "home",
    "issued": NOW,
    "expires": NOW + 600.0,
    "do": "acknowledge",
    "arguments": {"alert": "0123abcd"},
}
PAYLOAD = sign(COMMAND, "daughter", json.dumps(FIELDS).encode(), SECRET)


def reason(payload: bytes, now: float = NOW + 1.0, may: tuple[str, ...] = ("acknowledge", "snooze")) -> str:
    """Why a payload is refused; empty where it is obeyed."""
    try:
        command = read_command(signed_command(payload, KEYS))
        judge(command, "home", may, now)
        read_arguments(command)
    except RejectedError as error:
        return error.reason
    return ""


def signed(**changes: Any) -> bytes:
    return sign(COMMAND, "daughter", json.dumps({**FIELDS, **changes}).encode(), SECRET)


def test_a_command_that_is_signed_is_obeyed() -> None:
    assert reason(PAYLOAD) == ""
    identifier, payload = make_command("home", "snooze", {"alert": "0123", "seconds": 60.0}, "daughter", SECRET)
    command = read_command(signed_command(payload, KEYS))
    assert (command.id, command.do) == (identifier, "snooze")
    judge(command, "home", ["snooze"], time.time())


def test_no_bit_may_change() -> None:
    for place in range(len(PAYLOAD)):
        for bit in range(8):
            changed = bytearray(PAYLOAD)
            changed[place] ^= 1 << bit
            assert reason(bytes(changed)) in {"forged", "unknown key", "unreadable"}


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_noise_is_refused_with_a_reason(payload: bytes) -> None:
    assert reason(payload) in {"unreadable", "unknown key"}


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3)))
def test_odd_fields_are_refused_with_a_reason(odd: Any) -> None:
    fields = json.loads(PAYLOAD)
    for name in fields:
        assert reason(json.dumps({**fields, name: odd}, separators=(",", ":")).encode()) in {
            "unreadable",
            "unknown key",
            "forged",
        }
    for name, right in FIELDS.items():
        if odd != right:
            assert reason(signed(**{name: odd})) != ""


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9), lambda inner: st.dictionaries(st.text(), inner)
)


@given(st.binary(max_size=200) | JSON.map(lambda odd: json.dumps({**FIELDS, "arguments": odd}).encode()))
def test_a_trusted_key_that_signs_noise_is_refused_with_a_reason(words: bytes) -> None:
    assert reason(sign(COMMAND, "daughter", words, SECRET)) in {"unreadable", "version", "arguments"}


def test_words_that_are_nested_without_end_are_refused() -> None:
    words = json.dumps(FIELDS).replace('"0123abcd"', "[" * 5000 + "]" * 5000).encode()
    assert reason(sign(COMMAND, "daughter", words, SECRET)) in {"unreadable", "arguments"}


def test_the_same_words_written_in_another_way_are_refused() -> None:
    fields = json.loads(PAYLOAD)
    assert reason(json.dumps(fields).encode()) == "unreadable"
    assert reason(PAYLOAD + b" ") == "unreadable"
    assert reason(json.dumps(fields, separators=(",", ":")).encode("utf-16")) == "unreadable"


def test_a_signature_counts_for_its_key_and_its_purpose_only() -> None:
    fields = json.loads(PAYLOAD)
    fields["key"] = "maker"
    assert reason(json.dumps(fields, separators=(",", ":")).encode()) == "forged"
    assert reason(sign(PACKAGE, "daughter", json.dumps(FIELDS).encode(), SECRET)) == "forged"
    with pytest.raises(RejectedError):
        opened(PACKAGE, PAYLOAD, KEYS)


def test_what_is_too_large_is_not_even_read() -> None:
    assert reason(sign(COMMAND, "daughter", bytes(MOST_BYTES), SECRET)) == "too large"
    assert reason(b"[" * MOST_BYTES) == "unreadable"


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, NOW + 600.0, "expired"),
        ({}, NOW - AHEAD_S - 1.0, "from the future"),
        ({}, NOW - AHEAD_S + 1.0, ""),
        ({}, 0.0, "clock not set"),
        ({"expires": NOW + LONGEST_LIFE_S + 1.0}, NOW, "lifetime"),
        ({"expires": NOW - 1.0}, NOW, "lifetime"),
        ({"home": "neighbour"}, NOW, "another home"),
        ({"v": 2, "new": "field"}, NOW, "version"),
        ({"do": "format"}, NOW, "unknown verb"),
        ({"do": "settings"}, NOW, "not allowed"),
        ({"arguments": {}}, NOW, "arguments"),
        ({"arguments": {"alert": "0123abcd", "force": True}}, NOW, "arguments"),
        ({"id": "one"}, NOW, "unreadable"),
        ({"issued": None}, NOW, "unreadable"),
    ],
)
def test_each_refusal_says_why(changes: dict[str, Any], now: float, expected: str) -> None:
    assert reason(signed(**changes), now) == expected


def test_infinities_are_no_times() -> None:
    for text in (b"Infinity", b"NaN", b"1e999"):
        words = json.dumps(FIELDS).encode().replace(str(NOW + 600.0).encode(), text)
        assert reason(sign(COMMAND, "daughter", words, SECRET)) == "unreadable"


def test_unused_bits_of_base64_are_zero() -> None:
    fields = json.loads(PAYLOAD)
    seal = fields["signature"]
    odd = seal[:-3] + chr(ord(seal[-3]) + 1) + "=="
    assert base64.b64decode(odd) == base64.b64decode(seal)
    assert reason(PAYLOAD.replace(seal.encode(), odd.encode())) == "unreadable"


def test_a_command_says_nothing_beyond_its_format() -> None:
    assert set(FIELDS) == set(Command.model_fields)
