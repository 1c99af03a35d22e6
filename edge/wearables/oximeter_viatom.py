"""Viatom's oximeters worn at night (Wellue O2Ring, Checkme O2): live values.

The maker has published no specification. What is here is what three independent programs agree on that read these
devices: MackeyStingray/o2r and viatom-ble on GitHub, and the Lepu/Viatom SDK's OxyBleResponse. Only the live values of
command 0x17 are read, as nothing else is understood alike by all.

A value comes only when it is asked for by a write, and may come in several notifications, so that this module offers a
request, an assembler and Readings, but no profile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import Fields, sample

SERVICE: Final = "14839ac4-7d7e-415c-9a42-167340cf2339"
NOTIFY: Final = "0734594a-a8e7-4b1a-a6b1-cd5243059a57"
WRITE: Final = "8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3"

_REQUEST_HEAD: Final = 0xAA
_RESPONSE_HEAD: Final = 0x55
_LIVE_VALUES: Final = 0x17
# Octets before the payload: head, command or status, its complement, block (2), length of the payload (2).
_HEAD_OCTETS: Final = 7
# Live values are 13 octets: SpO2, pulse rate, five not understood, battery, charging, movement, perfusion index, worn,
# one not understood. An answer of another length is another answer.
_LIVE_OCTETS: Final = 13
# Third octet of the live values of a ring that is off the finger.
_SENSOR_OFF: Final = 0xFF
# Our choice: an answer longer than any live value is noise, from which the assembler must recover.
_LONGEST: Final = 512


class LiveValues(NamedTuple):
    """SpO2 in percent and pulse in bpm, None while there is none; battery in percent; perfusion index in 0.1 %."""

    spo2: int | None
    pulse: int | None
    worn: bool
    battery: int
    charging: int
    movement: int
    perfusion_index: int


class Assembler:
    """Puts together answers that come in pieces; what is no begin of an answer is left out."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def push(self, piece: bytes) -> list[bytes]:
        """Take a notification; the answers that it completes, oldest first."""
        self._pending += piece
        found: list[bytes] = []
        while True:
            begin = self._pending.find(_RESPONSE_HEAD)
            del self._pending[: len(self._pending) if begin < 0 else begin]
            if len(self._pending) < _HEAD_OCTETS:
                return found
            size = _HEAD_OCTETS + int.from_bytes(self._pending[5:7], "little") + 1
            if size > _LONGEST:
                del self._pending[0]
            elif len(self._pending) < size:
                return found
            else:
                found.append(bytes(self._pending[:size]))
                del self._pending[:size]


def crc(octets: bytes) -> int:
    """CRC-8 of the packets: x8 + x2 + x + 1, seed 0, most significant bit first; of b"123456789" it is 0xF4."""
    register = 0
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = (register << 1 ^ (0x07 if register & 0x80 else 0)) & 0xFF
    return register


def ask_for_live_values() -> bytes:
    """What to write to be told the live values once."""
    body = bytes((_REQUEST_HEAD, _LIVE_VALUES, _LIVE_VALUES ^ 0xFF, 0, 0, 0, 0))
    return body + bytes((crc(body),))


def decode(answer: bytes) -> LiveValues:
    """Live values out of one whole answer. Raises DecodeError for any other answer or a wrong CRC.

    A zero is what the ring sends while it has no value, so it is missing.
    """
    fields = Fields(answer, "Viatom live values")
    if fields.uint(1, "head") != _RESPONSE_HEAD:
        raise fields.malformed("it is no answer")
    status, complement = fields.uint(1, "status"), fields.uint(1, "complement")
    fields.uint(2, "block")
    if status ^ complement != 0xFF or fields.uint(2, "length") != _LIVE_OCTETS:
        raise fields.malformed("it is no answer with live values")
    values = [fields.uint(1, "live values") for _ in range(_LIVE_OCTETS)]
    if fields.uint(1, "CRC") != crc(answer[:-1]):
        raise fields.malformed("its CRC is wrong")
    fields.end()
    spo2, pulse = values[:2]
    worn = bool(values[11]) and values[2] != _SENSOR_OFF
    return LiveValues(spo2 or None, pulse or None, worn, values[7], values[8], values[9], values[10])


def encode(live: LiveValues) -> bytes:
    """The answer that a ring would give: decode(encode(v)) == v, where worn is told by the last but one octet."""
    values = (live.spo2 or 0, live.pulse or 0, 0, 0, 0, 0, 0, *live[3:], int(live.worn), 0)
    body = bytes((_RESPONSE_HEAD, 0, 0xFF, 0, 0, _LIVE_OCTETS, 0, *values))
    return body + bytes((crc(body),))


def readings(live: LiveValues, source: Source, received_at: float) -> tuple[Reading, ...]:
    """Readings of spo2 (%), heart_rate (bpm) and battery (%)."""
    worn = Quality.GOOD if live.worn else Quality.NO_CONTACT
    return (
        *sample(Channel.SPO2, live.spo2, source, received_at, received_at, worn),
        *sample(Channel.HEART_RATE, live.pulse, source, received_at, received_at, worn),
        *sample(Channel.BATTERY, live.battery, source, received_at, received_at, Quality.GOOD),
    )
