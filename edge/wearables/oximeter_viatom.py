"""Viatom's oximeters worn at night (Wellue O2Ring, Checkme O2): live values.

The maker has published no specification. What is here is how MackeyStingray/o2r on GitHub reads these devices (o2pkt.py
for the packets, o2state.py for the values and its examples of them). Only the live values of command 0x17 are read;
they come only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, Final, NamedTuple

from edge.errors import DecodeError
from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import Fields, sample
from edge.wearables.procedure import Pause, Procedure, Write
from edge.wearables.profile import Profile, Session, StatelessSession
from edge.wearables.wall_clock import WallClock

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
# How often the values are asked for, as o2r does.
EVERY_S: Final = 2.0
# What stands in place of SpO2 and pulse while there are none: o2r's examples.
_NONE: Final = (0, 0xFF)


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

    Of values that are 0 or 255 there are none.
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
    worn = bool(values[11]) and values[2] != _SENSOR_OFF
    spo2, pulse = (None if value in _NONE else value for value in values[:2])
    return LiveValues(spo2, pulse, worn, values[7], values[8], values[9], values[10])


def encode(live: LiveValues) -> bytes:
    """The answer that a ring would give: decode(encode(v)) == v, where worn is told by the last but one octet."""
    values = (live.spo2 or 0, live.pulse or 0, 0, 0, 0, 0, 0, *live[3:], int(live.worn), 0)
    body = bytes((_RESPONSE_HEAD, 0, 0xFF, 0, 0, _LIVE_OCTETS, 0, *values))
    return body + bytes((crc(body),))


class ViatomOximeter(Profile):
    """Live values of a Viatom ring: Readings of spo2 (%), heart_rate (bpm) and battery (%)."""

    name: ClassVar[str] = "oximeter_viatom"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (NOTIFY,)
    streams: ClassVar[tuple[str, ...]] = (NOTIFY,)
    turn: ClassVar[int] = 2

    def session(self, source: Source, _memory: Mapping[str, float], _clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return ViatomSession(self, source)


class ViatomSession(StatelessSession):
    """Asks for the live values for as long as the connection lasts, and puts the answers together."""

    def __init__(self, profile: Profile, source: Source) -> None:
        super().__init__(profile, source)
        self._assembler = Assembler()
        self._battery: int | None = None

    def opening(self, _now: float, present: Collection[str], /) -> Procedure | None:
        """See Session."""
        self._assembler, self._battery = Assembler(), None
        return _poll() if WRITE in present else None

    def readings(self, _characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. The battery is told when it has changed.

        An answer that is broken is an error only where no other one of the packet is whole.
        """
        found: list[Reading] = []
        broken: DecodeError | None = None
        for answer in self._assembler.push(payload):
            try:
                found += self._readings(decode(answer), received_at)
            except DecodeError as error:
                broken = error
        if broken is not None and not found:
            raise broken
        return tuple(found)

    def _readings(self, live: LiveValues, received_at: float) -> tuple[Reading, ...]:
        worn = Quality.GOOD if live.worn else Quality.NO_CONTACT
        changed, self._battery = None if live.battery == self._battery else live.battery, live.battery
        return (
            *sample(Channel.SPO2, live.spo2, self._source, received_at, received_at, worn),
            *sample(Channel.HEART_RATE, live.pulse, self._source, received_at, received_at, worn),
            *sample(Channel.BATTERY, changed, self._source, received_at, received_at, Quality.GOOD),
        )


def _poll() -> Procedure:
    while True:
        yield Write(WRITE, ask_for_live_values())
        yield Pause(EVERY_S)


PROFILE: Final = ViatomOximeter()
