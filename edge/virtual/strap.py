"""A virtual chest strap: heart rate with RR intervals."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.wearable import Options, Vices, VirtualWearable
from edge.wearables.heart_rate import HeartRateMeasurement, encode

__all__ = ["SentPacket", "Vices", "VirtualStrap"]

# 1/1024 s is the unit of an RR interval, 16 bits its width: Heart Rate Service 1.0, 3.1.1.4.
_TICKS_PER_SECOND: Final = 1024
_LONGEST_TICKS: Final = 0xFFFF

# Our choice: chest straps show the mean of the last few beats, so that one early beat does not make the number jump.
_BEATS_AVERAGED: Final = 8


@dataclass(frozen=True, slots=True)
class SentPacket:
    """What truly left the strap for a listener: when it was made, the times of its beats (s since 1970), and its words.

    A frozen strap tells of no beat that there was.
    """

    at: float
    beats: tuple[float, ...]
    measurement: HeartRateMeasurement


@dataclass(frozen=True, slots=True)
class Beat:
    at: float  # seconds since the first beat
    ticks: int  # since the beat before, in 1/1024 s


class VirtualStrap(VirtualWearable):
    """One strap within reach of a VirtualRadio: `start` it, then `play` a heart.

    `finished` is set when the heart has been played to its end. `sent` holds the last `remembered` packets that left
    the strap.
    """

    default_name: ClassVar[str] = "Hearthbeat strap"
    default_address: ClassVar[str] = "C0:DE:00:00:00:01"
    model: ClassVar[str] = "Virtual strap"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.sent: deque[SentPacket] = deque(maxlen=self._remembered)
        self.finished = asyncio.Event()
        self._recent: deque[int] = deque(maxlen=_BEATS_AVERAGED)
        self._measurement = self._tells("2A37")
        self._offer("180D", self._measurement)

    async def play(self, rr_ms: Iterable[float]) -> None:
        """Beat with these intervals (ms) from now on, on the clock; every second sends a packet with 0..n of them.

        Intervals are rounded as beats are, to 1/1024 s, so that no error adds up. One of 64 s or more is not sent.
        """
        self.finished.clear()
        began, epoch = self._time.monotonic(), self._time.wall()
        beats = _beats(rr_ms)
        beat = next(beats, None)
        second = 0
        while beat is not None:
            second += 1
            await self._time.sleep(max(0.0, began + second - self._time.monotonic()))
            due: list[Beat] = []
            while beat is not None and beat.at <= second:
                due.append(beat)
                beat = next(beats, None)
            await self._tell(due, epoch)
        self.finished.set()

    async def _tell(self, due: list[Beat], epoch: float) -> None:
        self._recent.extend(beat.ticks for beat in due)
        mean = sum(self._recent) / len(self._recent) if self._recent else 0.0
        told = [] if self.vices.frozen else [beat for beat in due if beat.ticks <= _LONGEST_TICKS]
        measured = HeartRateMeasurement(
            heart_rate=round(60 * _TICKS_PER_SECOND / mean) if mean else 0,
            contact=self.vices.contact,
            rr_ticks=tuple(beat.ticks for beat in told),
        )
        measurement = self._measured("heart rate", measured)
        packet = SentPacket(self._time.wall(), tuple(epoch + beat.at for beat in told), measurement)
        await self._say(self._measurement, encode(measurement), partial(self.sent.append, packet))


def _beats(rr_ms: Iterable[float]) -> Iterator[Beat]:
    at, last = 0.0, 0
    for interval in rr_ms:
        at += interval / 1000.0
        ticks = round(at * _TICKS_PER_SECOND)
        yield Beat(at, ticks - last)
        last = ticks
