"""Asking a Polar wearable for its streams: the control point of Polar Measurement Data.

Polar Measurement Data Specification and the parsers of Polar BLE SDK 5 (polarofficial/polar-ble-sdk on GitHub). What is
written and what is indicated in answer; the frames that then come are in edge.wearables.polar_pmd.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from edge.wearables.fields import Fields, bytes_of


class OpCode(IntEnum):
    """What is asked for: the SDK's PmdControlPointCommand."""

    SETTINGS = 1
    START = 2
    STOP = 3


class Setting(IntEnum):
    """What a stream can be set to: the SDK's PmdSetting.

    Sample rate in Hz; resolution in bits; range in the stream's unit (g); factor is an IEEE 754 number that only
    answers hold, by which compressed samples are to be multiplied.
    """

    SAMPLE_RATE = 0
    RESOLUTION = 1
    RANGE = 2
    RANGE_MILLI = 3
    CHANNELS = 4
    FACTOR = 5


class Answer(IntEnum):
    """How a request went: the SDK's PmdControlPointResponseCode."""

    SUCCESS = 0
    INVALID_OP_CODE = 1
    INVALID_MEASUREMENT_TYPE = 2
    NOT_SUPPORTED = 3
    INVALID_LENGTH = 4
    INVALID_PARAMETER = 5
    ALREADY_IN_STATE = 6
    INVALID_RESOLUTION = 7
    INVALID_SAMPLE_RATE = 8
    INVALID_RANGE = 9
    INVALID_MTU = 10
    INVALID_NUMBER_OF_CHANNELS = 11
    INVALID_STATE = 12
    IN_CHARGER = 13
    DISK_FULL = 14


class Response(NamedTuple):
    """An answer; `answer` is an Answer or a number that is not known, `settings` what each setting may be or is.

    `more` says that the settings go on in the next answer.
    """

    op_code: int
    measurement: int
    answer: int
    more: bool = False
    settings: Mapping[Setting, tuple[int, ...]] = MappingProxyType({})

    @property
    def factor(self) -> float:
        """By what compressed samples are to be multiplied, more than 0; 1 where the wearable does not say."""
        words = self.settings.get(Setting.FACTOR, ())
        return _ieee754(words[0]) if words else 1.0


_OCTETS: Final = {
    Setting.SAMPLE_RATE: 2,
    Setting.RESOLUTION: 2,
    Setting.RANGE: 2,
    Setting.RANGE_MILLI: 4,
    Setting.CHANNELS: 1,
    Setting.FACTOR: 4,
}
# With what every answer begins.
RESPONSE: Final = 0xF0
_FEATURES: Final = 0x0F


def ask_for_settings(measurement: int) -> bytes:
    """What to write to learn how a stream can be set; `measurement` is a MeasurementType."""
    return bytes_of(OpCode.SETTINGS, measurement)


def start(measurement: int, settings: Mapping[Setting, int]) -> bytes:
    """What to write to start a stream with one number for each of the settings that the wearable offers."""
    chosen = (
        bytes_of(setting, 1) + number.to_bytes(_OCTETS[setting], "little") for setting, number in settings.items()
    )
    return bytes_of(OpCode.START, measurement) + b"".join(chosen)


def stop(measurement: int) -> bytes:
    """What to write to stop a stream."""
    return bytes_of(OpCode.STOP, measurement)


def decode_request(payload: bytes) -> tuple[OpCode, int, dict[Setting, tuple[int, ...]]]:
    """What was written: op code, measurement type and settings; for wearables that are virtual.

    Raises DecodeError for an op code that is not known, and for settings as decode_settings does.
    """
    fields = Fields(payload, "Polar measurement data control point")
    op_code, measurement = fields.uint(1, "op code"), fields.uint(1, "measurement type")
    if op_code not in set(OpCode):
        raise fields.malformed(f"its op code {op_code} is not known")
    return OpCode(op_code), measurement, decode_settings(fields.rest())


def encode_response(response: Response) -> bytes:
    """The octets that a wearable indicates: decode_response(encode_response(r)) == r."""
    head = bytes_of(RESPONSE, response.op_code, response.measurement, response.answer)
    settings = b"".join(
        bytes_of(setting, len(numbers)) + b"".join(number.to_bytes(_OCTETS[setting], "little") for number in numbers)
        for setting, numbers in response.settings.items()
    )
    return head + (bytes_of(response.more) + settings if settings or response.more else b"")


def encode_features(measurements: Iterable[int]) -> bytes:
    """The octets that the control point has when it is read: a bit for each MeasurementType that can be started."""
    return bytes_of(_FEATURES, sum(1 << measurement for measurement in measurements))


def decode_features(payload: bytes) -> frozenset[int]:
    """The measurement types that can be started. Raises DecodeError for anything else."""
    fields = Fields(payload, "Polar measurement data features")
    if fields.uint(1, "feature code") != _FEATURES:
        raise fields.malformed("it tells of no features")
    bits = int.from_bytes(fields.rest(), "little")
    return frozenset(bit for bit in range(bits.bit_length()) if bits >> bit & 1)


def has_more(piece: bytes) -> bool:
    """Whether the answer goes on in a further indication."""
    return len(piece) > 4 and piece[3] == Answer.SUCCESS and piece[4] != 0


def joined(pieces: Sequence[bytes]) -> bytes:
    """The answer that came in these pieces, at least one: a setting may be cut where one ends."""
    return b"".join((pieces[0][:5], *(piece[5:] for piece in pieces)))


def decode_response(payload: bytes) -> Response:
    """What the wearable has indicated. Raises DecodeError for anything that is no answer."""
    fields = Fields(payload, "Polar measurement data control point")
    if fields.uint(1, "response code") != RESPONSE:
        raise fields.malformed("it is no answer")
    op_code, measurement, answer = (fields.uint(1, what) for what in ("op code", "measurement type", "answer"))
    more, settings = fields.rest()[:1], payload[5:]
    if answer != Answer.SUCCESS or not settings:
        return Response(op_code, measurement, answer, any(more))
    found = decode_settings(settings)
    for word in found.get(Setting.FACTOR, ()):
        if not 0.0 < _ieee754(word) < math.inf:
            raise fields.malformed(f"its factor is {_ieee754(word)}")
    return Response(op_code, measurement, answer, any(more), MappingProxyType(found))


def decode_settings(payload: bytes) -> dict[Setting, tuple[int, ...]]:
    """The numbers that each setting may take. Raises DecodeError for settings that are not known or cut off."""
    fields, found = Fields(payload, "Polar measurement data settings"), {}
    left = len(payload)
    while left:
        kind, count = fields.uint(1, "setting"), fields.uint(1, "number of values")
        if kind not in set(Setting):
            raise fields.malformed(f"its setting {kind} is not known")
        octets = _OCTETS[Setting(kind)]
        found[Setting(kind)] = tuple(fields.uint(octets, "value of a setting") for _ in range(count))
        left -= 2 + octets * count
    return found


def _ieee754(word: int) -> float:
    return float(struct.unpack("<f", word.to_bytes(4, "little"))[0])
