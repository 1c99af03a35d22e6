"""Bangle.js watches by Nordic UART: lines of JSON, as espruino.com/Gadgetbridge documents them.

"Messages from Bangle.js to Phone": a line that begins with a brace is a message; `{"t":"act","hrm":..,"stp":..}` tells
heart rate and steps since the last, `{"t":"status","bat":..}` the battery in percent. A line comes in pieces, and what
waits for its end is the caller's, so that this module offers lines and Readings but no profile.
"""

from __future__ import annotations

import json
from typing import Any, Final

from edge.errors import DecodeError
from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import sample

# Nordic UART Service (Nordic Semiconductor, nRF Connect SDK, "Nordic UART Service (NUS)").
SERVICE: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

# Our choice: no message that we know is a tenth as long; without an end a watch could fill our memory.
_LONGEST: Final = 1024


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
    if message.get("t") == "act":
        rate = _number(message, "hrm", line)
        unknown = Quality.CONTACT_UNKNOWN
        return sample(Channel.HEART_RATE, rate or None, source, received_at, received_at, unknown)
    if message.get("t") == "status":
        battery = _number(message, "bat", line)
        if battery is not None and not 0.0 <= battery <= 100.0:
            raise _malformed(line, "its battery is not 0 to 100 percent")
        return sample(Channel.BATTERY, battery, source, received_at, received_at, Quality.GOOD)
    return ()


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
