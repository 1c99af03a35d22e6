"""What virtual cuffs, thermometers and scales have in common: they measure now and then, and tell it when they can."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, Unpack

from bumble.gatt import Characteristic

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.wearable import Options, VirtualWearable

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Measured(Generic[M]):
    """What was measured, and when it truly was, in seconds since 1970."""

    at: float
    measurement: M


class _Waiting(NamedTuple, Generic[M]):
    characteristic: Characteristic[bytes]
    payload: bytes
    measured: Measured[M]


class SpotWearable(VirtualWearable, Generic[M]):
    """Indicates each measurement, and keeps those of which nobody has confirmed that they came.

    `sent` holds the last that were confirmed; `waiting` are those to be told as soon as somebody listens.
    """

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.sent: deque[Measured[M]] = deque(maxlen=self._remembered)
        self._waiting: deque[_Waiting[M]] = deque()
        self._telling = asyncio.Lock()

    @property
    def waiting(self) -> list[Measured[M]]:
        """What is still to be told, oldest first."""
        return [waiting.measured for waiting in self._waiting]

    async def _take(self, characteristic: Characteristic[bytes], payload: bytes, measurement: M) -> None:
        """Take a measurement made now; returns when it is told, or nobody listens."""
        self._waiting.append(_Waiting(characteristic, payload, Measured(self._time.wall(), measurement)))
        await self._tell_waiting()

    def _on_heard(self, characteristic: Characteristic[bytes]) -> None:
        if any(waiting.characteristic is characteristic for waiting in self._waiting):
            self._spawn(self._tell_waiting())

    async def _tell_waiting(self) -> None:
        async with self._telling:
            told = 0
            while self._waiting:
                if told == self.vices.hangs_up_after:
                    await self.drop_link()
                    return
                characteristic, payload, measured = self._waiting[0]
                damaged = self._damaged(payload)
                if not await self._indicate(characteristic, damaged):
                    return
                self._waiting.popleft()
                if damaged == payload:
                    self.sent.append(measured)
                told += 1
