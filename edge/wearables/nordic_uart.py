"""Bangle.js watches by Nordic UART: lines of JSON, as espruino.com/Gadgetbridge documents them.

"Messages from Bangle.js to Phone": a line that begins with a brace is a message; `{"t":"act","hrm":..,"stp":..}` tells
heart rate and steps since the last, `{"t":"status","bat":..}` the battery in percent. "Messages sent to Bangle.js":
`GB({"t":"act","hrm":true,"int":..})` asks for heart rates every so many seconds. The watch's Android app must be
installed; an `act` with a time stamp, `ts`, is of its history (espruino/BangleApps on GitHub, apps/android/lib.js).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from edge.errors import DecodeError
from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import sample
from edge.wearables.procedure import Procedure, Write
from edge.wearables.profile import Profile, Session, StatelessSession
from edge.wearables.wall_clock import WallClock

# Nordic UART Service (Nordic Semiconductor, nRF Connect SDK, "Nordic UART Service (NUS)").
SERVICE: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

# Our choice: no message that we know is a tenth as long; without an end a watch could fill our memory.
_LONGEST: Final = 1024
# Seconds from heart rate to heart rate. Our choice: a sensor that is on anyway costs the battery, and not the telling.
EVERY_S: Final = 10
# Without an echo (0x10), as Gadgetbridge writes it: what the watch's console is given to run.
_ASK: Final = b'\x10GB({"t":"act","hrm":true,"stp":false,"int":%d})\n' % EVERY_S
# What a write holds while nobody has agreed on more: ATT_MTU of 23 (Core Specification 5.4, volume 3, part G, 5.2.1)
# less 3 octets of the write itself.
_PIECE: Final = 20


class Lines:
    """Puts together lines that come in pieces; one that is too long is left out."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._too_long = False

    def push(self, piece: bytes) -> list[bytes]:
        """Take a notification; the lines that it completes, oldest first, without their ends and without empty ones."""
        *ends, rest = piece.split(b"\n")
        found = []
        for end in ends:
            self._append(end)
            line = bytes(self._pending).strip()
            if line and not self._too_long:
                found.append(line)
            self._pending.clear()
            self._too_long = False
        self._append(rest)
        return found

    def _append(self, piece: bytes) -> None:
        self._too_long = self._too_long or len(self._pending) + len(piece) > _LONGEST
        if not self._too_long:
            self._pending += piece


def readings(line: bytes, source: Source, received_at: float) -> tuple[Reading, ...]:
    """Readings of heart_rate (bpm) or battery (%) out of a line; none where it tells of something else.

    A heart rate of 0 is what the watch sends while it has none. Whether it is worn it does not say. Raises DecodeError
    for a line that begins like a message and is none.
    """
    message = _message(line)
    if message.get("t") == "act" and "ts" not in message:
        rate = _number(message, "hrm", line)
        unknown = Quality.CONTACT_UNKNOWN
        return sample(Channel.HEART_RATE, rate or None, source, received_at, received_at, unknown)
    if message.get("t") == "status":
        battery = _number(message, "bat", line)
        if battery is not None and not 0.0 <= battery <= 100.0:
            raise _malformed(line, "its battery is not 0 to 100 percent")
        return sample(Channel.BATTERY, battery, source, received_at, received_at, Quality.GOOD)
    return ()


class NordicUart(Profile):
    """Nordic UART of a Bangle.js: Readings of heart_rate (bpm) and battery (%)."""

    name: ClassVar[str] = "nordic_uart"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (NOTIFY,)

    def session(self, source: Source, _memory: Mapping[str, float], _clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return NordicUartSession(self, source)


class NordicUartSession(StatelessSession):
    """Asks a watch for heart rates after every connecting, and puts its lines together."""

    def __init__(self, profile: Profile, source: Source) -> None:
        super().__init__(profile, source)
        self._lines = Lines()

    def opening(self, _now: float, present: Collection[str], /) -> Procedure | None:
        """See Session."""
        return _ask() if WRITE in present else None

    def readings(self, _characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. A line that is no message is an error only where no other line of the packet is one."""
        found: list[Reading] = []
        broken: DecodeError | None = None
        for line in self._lines.push(payload):
            try:
                found += readings(line, self._source, received_at)
            except DecodeError as error:
                broken = error
        if broken is not None and not found:
            raise broken
        return tuple(found)

    def lost(self) -> tuple[Reading, ...]:
        """See Session. Half a line is forgotten."""
        self._lines = Lines()
        return ()


def _ask() -> Procedure:
    for begin in range(0, len(_ASK), _PIECE):
        yield Write(WRITE, _ASK[begin : begin + _PIECE])


def _message(line: bytes) -> dict[str, Any]:
    if not line.startswith(b"{"):
        return {}
    try:
        found = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed(line, "it is no JSON") from error
    return found if isinstance(found, dict) else {}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _number(message: dict[str, Any], name: str, line: bytes) -> float | None:
    value = message.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _malformed(line, f"its {name} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise _malformed(line, f"its {name} is too large") from error


def _malformed(line: bytes, why: str) -> DecodeError:
    return DecodeError(
        f"line {bytes(line)!r} was left out: {why}", where="Bangle.js message", mend="update the watch's Android app"
    )


PROFILE: Final = NordicUart()
