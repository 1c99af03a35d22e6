"""SFLOAT and FLOAT, the decimal numbers of health devices (IEEE 11073-20601-2008, annex F; medfloat16 and medfloat32).

A number is mantissa * 10 ** exponent, both in two's complement: SFLOAT holds 4 bits of exponent and 12 of mantissa,
FLOAT 8 and 24. Five words with the exponent 0 are no numbers but say why there is none; the Bluetooth SIG's Personal
Health Devices Transcoding white paper lists them. With another exponent the same mantissas are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from enum import Enum
from types import MappingProxyType
from typing import Final


class Special(Enum):
    """Why there is no number."""

    NAN = "not a number: the measurement failed"
    NRES = "not at this resolution"
    POSITIVE_INFINITY = "more than can be measured"
    NEGATIVE_INFINITY = "less than can be measured"
    RESERVED = "reserved for future use"


Number = float | Special

_SFLOAT_SPECIAL: Final[Mapping[int, Special]] = MappingProxyType(
    {
        0x07FF: Special.NAN,
        0x0800: Special.NRES,
        0x07FE: Special.POSITIVE_INFINITY,
        0x0802: Special.NEGATIVE_INFINITY,
        0x0801: Special.RESERVED,
    }
)
_FLOAT_SPECIAL: Final[Mapping[int, Special]] = MappingProxyType(
    {
        0x007FFFFF: Special.NAN,
        0x00800000: Special.NRES,
        0x007FFFFE: Special.POSITIVE_INFINITY,
        0x00800002: Special.NEGATIVE_INFINITY,
        0x00800001: Special.RESERVED,
    }
)
_SFLOAT_WORD: Final = {special: word for word, special in _SFLOAT_SPECIAL.items()}
_FLOAT_WORD: Final = {special: word for word, special in _FLOAT_SPECIAL.items()}


def decode_sfloat(word: int) -> Number:
    """The number in a 16-bit word, 0..0xFFFF: from -2048e7 to 2047e7 in steps down to 1e-8, or why there is none."""
    return _SFLOAT_SPECIAL.get(word) or _decoded(_signed(word & 0x0FFF, 12), _signed(word >> 12, 4))


def decode_float(word: int) -> Number:
    """The number in a 32-bit word, 0..0xFFFFFFFF, or why there is none."""
    return _FLOAT_SPECIAL.get(word) or _decoded(_signed(word & 0x00FFFFFF, 24), _signed(word >> 24, 8))


def encode_sfloat(number: Number) -> int:
    """The 16-bit word for `number`: decode_sfloat(encode_sfloat(n)) == n for all that was decoded, else the nearest.

    Raises OverflowError for a number that is too large, and for float's own infinities and NaN.
    """
    if isinstance(number, Special):
        return _SFLOAT_WORD[number]
    mantissa, exponent = _split(number, bits=12, exponent_bits=4)
    return (exponent & 0x0F) << 12 | mantissa & 0x0FFF


def encode_float(number: Number) -> int:
    """The 32-bit word for `number`, as encode_sfloat does it in 16 bits."""
    if isinstance(number, Special):
        return _FLOAT_WORD[number]
    mantissa, exponent = _split(number, bits=24, exponent_bits=8)
    return (exponent & 0xFF) << 24 | mantissa & 0x00FFFFFF


def _signed(field: int, bits: int) -> int:
    return field - (1 << bits) if field >> (bits - 1) else field


def _decoded(mantissa: int, exponent: int) -> float:
    # Whole numbers until the last step, so that 366e-1 is the same as the literal 36.6.
    return float(mantissa * 10**exponent) if exponent >= 0 else mantissa / 10**-exponent


def _split(number: float, *, bits: int, exponent_bits: int) -> tuple[int, int]:
    """Mantissa and exponent of the number, rounded to what can be sent; the largest exponent that loses nothing."""
    most, highest = 1 << (bits - 1), (1 << (exponent_bits - 1)) - 1
    digits = Decimal(repr(number)).normalize()
    if not digits.is_finite():
        raise OverflowError(f"{number} is no number that can be sent")
    written = digits.as_tuple().exponent
    exponent = min(highest, max(-highest - 1, int(written)))
    while True:
        mantissa = int(digits.scaleb(-exponent).to_integral_value(ROUND_HALF_EVEN))
        # Mantissas at the very end are special words where the exponent is 0.
        if abs(mantissa) <= most - 3 or (exponent != 0 and -most <= mantissa < most):
            return mantissa, exponent
        if exponent == highest:
            raise OverflowError(f"{number} is too large to be sent")
        exponent += 1
