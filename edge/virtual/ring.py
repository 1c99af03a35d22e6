"""A virtual Viatom ring, which tells its live values whenever it is asked."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, Final, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.spot import Measured
from edge.virtual.wearable import Options, VirtualWearable
from edge.wearables.oximeter_viatom import NOTIFY, SERVICE, WRITE, LiveValues, ask_for_live_values, encode

# What a notification holds while nobody has agreed on more: Core Specification 5.4, volume 3, part G, 5.2.1, less 3.
_PIECE: Final = 20


class VirtualRing(VirtualWearable):
    """A ring within reach of a VirtualRadio: `start` it; it measures `spo2` (percent) and `pulse` (bpm), or None.

    `sent` holds the last values that left it.
    """

    default_name: ClassVar[str] = "O2Ring 0001"
    default_address: ClassVar[str] = "C0:DE:00:00:02:02"
    model: ClassVar[str] = "Virtual ring"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.spo2: int | None = 97
        self.pulse: int | None = 62
        self.sent: deque[Measured[LiveValues]] = deque(maxlen=self._remembered)
        self._text = self._tells(NOTIFY)
        self._commands = self._takes(WRITE, self._on_command)
        self._offer(SERVICE, self._commands, self._text)

    def _on_command(self, written: bytes) -> None:
        if written == ask_for_live_values():
            self._spawn(self._tell())

    async def _tell(self) -> None:
        worn = bool(self.vices.contact)
        spo2, pulse = self._measured("values", (self.spo2, self.pulse) if worn else (None, None))
        live = LiveValues(spo2, pulse, worn, self.battery, 0, 0, 12)
        answer, noted = encode(live), Measured(self._time.wall(), live)
        await self._say(self._text, answer[:_PIECE])
        await self._say(self._text, answer[_PIECE:], lambda: self.sent.append(noted))
