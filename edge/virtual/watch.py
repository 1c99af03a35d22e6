"""A virtual Bangle.js watch: lines of JSON by Nordic UART."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Final, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.spot import Measured
from edge.virtual.wearable import Options, VirtualWearable
from edge.wearables.nordic_uart import NOTIFY, SERVICE, WRITE

# What a notification holds while nobody has agreed on more: Core Specification 5.4, volume 3, part G, 5.2.1, less 3.
_PIECE: Final = 20


class VirtualWatch(VirtualWearable):
    """A watch within reach of a VirtualRadio: `start` it, then `play` heart rates.

    `sent` holds the last messages that left it whole, `received` the last lines that were written to it.
    """

    default_name: ClassVar[str] = "Bangle.js 0001"
    default_address: ClassVar[str] = "C0:DE:00:00:02:6E"
    model: ClassVar[str] = "Virtual watch"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.sent: deque[Measured[dict[str, object]]] = deque(maxlen=self._remembered)
        self.received: deque[bytes] = deque(maxlen=self._remembered)
        self._text = self._tells(NOTIFY)
        self._commands = self._takes(WRITE, self.received.append)
        self._offer(SERVICE, self._commands, self._text)

    async def play(self, rates: Iterable[int], *, every_s: float = 10.0) -> None:
        """Tell heart rates (bpm, 0 while there is none) from now on."""
        for rate in rates:
            await self._time.sleep(every_s)
            await self.say({"t": "act", "hrm": self._measured("heart rate", rate), "stp": 0})

    async def tell_status(self) -> None:
        """Tell how full its battery is."""
        await self.say({"t": "status", "bat": self.battery, "chg": 0})

    async def say(self, message: dict[str, object]) -> None:
        """Send a message as a line, in pieces."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        noted = Measured(self._time.wall(), message)
        for begin in range(0, len(line), _PIECE):
            last = begin + _PIECE >= len(line)
            await self._say(self._text, line[begin : begin + _PIECE], partial(self._note, noted, last=last))

    def _note(self, message: Measured[dict[str, object]], *, last: bool) -> None:
        if last:
            self.sent.append(message)
