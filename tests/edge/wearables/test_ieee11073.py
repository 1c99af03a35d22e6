"""The decimal numbers of health devices.

Examples: tables of SFLOAT and FLOAT words in the PCHA Personal Health Device Data Implementation Guide ("Mder FLOATs
and SFLOATs"); 0.00118 kg/L and 114 mmHg from the Bluetooth SIG's Personal Health Devices Transcoding white paper.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wearables.ieee11073 import Special, decode_float, decode_sfloat, encode_float, encode_sfloat


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (0x0002, 2.0),
        (0xF014, 2.0),
        (0xE0C8, 2.0),
        (0x1002, 20.0),
        (0x2002, 200.0),
        (0x00C8, 200.0),
        (0x0B2E, -1234.0),
        (0x04D2, 1234.0),
        (0xB076, 0.00118),
        (0x0072, 114.0),
        (0xF16E, 36.6),
        (0x0000, 0.0),
    ],
)
def test_sfloat_of_the_guides_is_the_number_that_they_say(word: int, number: float) -> None:
    assert decode_sfloat(word) == number


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (0x00000002, 2.0),
        (0xFF000014, 2.0),
        (0xFE0000C8, 2.0),
        (0x01000002, 20.0),
        (0x02000002, 200.0),
        (0x00FFFB2E, -1234.0),
        (0xFE000E4D, 36.61),
    ],
)
def test_float_of_the_guides_is_the_number_that_they_say(word: int, number: float) -> None:
    assert decode_float(word) == number


@pytest.mark.parametrize(
    ("short", "long", "special"),
    [
        (0x07FF, 0x007FFFFF, Special.NAN),
        (0x0800, 0x00800000, Special.NRES),
        (0x07FE, 0x007FFFFE, Special.POSITIVE_INFINITY),
        (0x0802, 0x00800002, Special.NEGATIVE_INFINITY),
        (0x0801, 0x00800001, Special.RESERVED),
    ],
)
def test_pain_10_special_words_are_no_numbers(short: int, long: int, special: Special) -> None:
    assert decode_sfloat(short) is special
    assert decode_float(long) is special
    assert encode_sfloat(special) == short
    assert encode_float(special) == long


def test_mantissa_of_a_special_word_is_a_number_with_another_exponent() -> None:
    assert decode_sfloat(0xF7FF) == 204.7
    assert decode_sfloat(0xF800) == -204.8
    assert decode_float(0xFF7FFFFF) == 838860.7


def test_every_sfloat_survives() -> None:
    for word in range(0x10000):
        assert decode_sfloat(encode_sfloat(decode_sfloat(word))) == decode_sfloat(word)


@given(st.integers(0, 0xFFFFFFFF))
def test_any_float_survives(word: int) -> None:
    assert decode_float(encode_float(decode_float(word))) == decode_float(word)


@given(st.floats(-1e9, 1e9))
def test_any_number_is_sent_as_precisely_as_fits(number: float) -> None:
    short, long = decode_sfloat(encode_sfloat(number)), decode_float(encode_float(number))
    assert isinstance(short, float)
    assert isinstance(long, float)
    assert math.isclose(short, number, rel_tol=0.5 / 204.0, abs_tol=0.5e-8)
    assert math.isclose(long, number, rel_tol=0.5 / 838860.0, abs_tol=1e-100)


@pytest.mark.parametrize("number", [2.048e10, -1e11, math.inf, -math.inf, math.nan])
def test_number_that_cannot_be_sent_overflows(number: float) -> None:
    with pytest.raises(OverflowError):
        encode_sfloat(number)
