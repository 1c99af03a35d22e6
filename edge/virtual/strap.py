"""A virtual chest strap: heart rate with RR intervals, battery and device information, and the vices of real ones."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bumble.core import AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from edge.clock import Clock
from edge.virtual.connection import hang_up
from edge.virtual.radio import VirtualRadio
from edge.wearables.heart_rate import HeartRateMeasurement, encode

# bumble's controllers never send scan responses, so that all must fit into one advertising packet of 31 octets
# (Bluetooth Core Specification 5.4, volume 6, part B, 2.3.1): 3 for the flags, 6 for two services, 2 before the name.
_LONGEST_NAME: Final = 20
_ADVERTISING_INTERVAL_MS: Final = 100

# 1/1024 s is the unit of an RR interval, 16 bits its width: Heart Rate Service 1.0, 3.1.1.4.
_TICKS_PER_SECOND: Final = 1024
_LONGEST_TICKS: Final = 0xFFFF

# Our choice: chest straps show the mean of the last few beats, so that one early beat does not make the number jump.
_BEATS_AVERAGED: Final = 8

_READ: Final = Characteristic.Properties.READ
_NOTIFY: Final = Characteristic.Properties.NOTIFY
_READABLE: Final = Characteristic.Permissions.READABLE


@dataclass(frozen=True, slots=True)
class Vices:
    """How a strap misbehaves: `contact` is what it claims, `dropped` the share 0..1 of packets that never leave it.

    `bunched` packets are held back and then sent at once; a `silent` strap stays connected and says nothing.
    """

    contact: bool | None = True
    dropped: float = 0.0
    bunched: int = 1
    silent: bool = False


@dataclass(frozen=True, slots=True)
class SentPacket:
    """What truly left the strap for a listener: when, the times of its beats (s since 1970), and what it said."""

    at: float
    beats: tuple[float, ...]
    measurement: HeartRateMeasurement


@dataclass(frozen=True, slots=True)
class _Beat:
    at: float  # seconds since the first beat
    ticks: int  # since the beat before, in 1/1024 s


class VirtualStrap:
    """One strap within reach of a VirtualRadio: `start` it, then `play` a heart.

    Assign `vices` at any time. `subscribed` is set while somebody listens to the heart rate, `finished` when the heart
    has been played to its end. `sent` holds the last `remembered` packets that left the strap; what happens while
    nobody listens is gone, as with a real one.
    """

    def __init__(
        self,
        radio: VirtualRadio,
        clock: Clock,
        *,
        name: str = "Hearthbeat strap",
        address: str = "C0:DE:00:00:00:01",
        battery: int = 87,
        chance: random.Random | None = None,
        remembered: int = 100_000,
    ) -> None:
        if len(name.encode()) > _LONGEST_NAME:
            raise ValueError(f"the name {name!r} does not fit into an advertising packet")
        self.name = name
        self.address = address
        self.vices = Vices()
        self.sent: deque[SentPacket] = deque(maxlen=remembered)
        self.subscribed = asyncio.Event()
        self.finished = asyncio.Event()
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 vices need no cryptography
        self._held: list[SentPacket] = []
        self._recent: deque[int] = deque(maxlen=_BEATS_AVERAGED)
        self._listener: Connection | None = None
        self._measurement = Characteristic("2A37", _NOTIFY, Characteristic.Permissions(0), b"")
        self._battery = Characteristic("2A19", _READ | _NOTIFY, _READABLE, bytes((battery,)))
        self._device = radio.add(name, address)
        self._device.add_services(self._services())
        self._device.on("connection", self._on_connection)
        self._measurement.on("subscription", self._on_subscription)

    async def start(self) -> None:
        """Switch the strap on and advertise, now and after every lost connection."""
        await self._device.power_on()
        await self._advertise()

    async def play(self, rr_ms: Iterable[float]) -> None:
        """Beat with these intervals (ms) from now on, on the clock; every second sends a packet with 0..n of them.

        Intervals are rounded as beats are, to 1/1024 s, so that no error adds up. One of 64 s or more is not sent.
        """
        self.finished.clear()
        began, epoch = self._clock.monotonic(), self._clock.wall()
        beats = _beats(rr_ms)
        beat = next(beats, None)
        second = 0
        while beat is not None:
            second += 1
            await self._clock.sleep(max(0.0, began + second - self._clock.monotonic()))
            due: list[_Beat] = []
            while beat is not None and beat.at <= second:
                due.append(beat)
                beat = next(beats, None)
            await self._tell(due, epoch)
        self.finished.set()

    async def set_battery(self, percent: int) -> None:
        """Let the battery have this level, 0..100 %, and say so to who listens."""
        self._battery.value = bytes((percent,))
        await self._device.notify_subscribers(self._battery, self._battery.value)

    async def drop_link(self) -> None:
        """Break every connection from the strap's side; it advertises again at once."""
        for connection in list(self._device.connections.values()):
            await hang_up(connection)

    async def leave(self) -> None:
        """Go out of range: no connection and no advertisement until `come_back`."""
        await self.drop_link()
        await self._device.stop_advertising()

    async def come_back(self) -> None:
        """Come into range again."""
        await self._advertise()

    async def _advertise(self) -> None:
        data = AdvertisingData(
            [
                (AdvertisingData.FLAGS, bytes((0x06,))),
                (AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes.fromhex("0d180f18")),
                (AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()),
            ]
        )
        await self._device.start_advertising(
            advertising_data=bytes(data),
            auto_restart=True,
            advertising_interval_min=_ADVERTISING_INTERVAL_MS,
            advertising_interval_max=_ADVERTISING_INTERVAL_MS,
        )

    def _services(self) -> list[Service]:
        texts = {"2A29": "Hearthbeat", "2A24": "Virtual strap", "2A25": self.address[-5:], "2A26": "1.0"}
        information = [Characteristic(uuid, _READ, _READABLE, text.encode()) for uuid, text in texts.items()]
        return [
            Service("180D", [self._measurement]),
            Service("180F", [self._battery]),
            Service("180A", information),
        ]

    def _on_connection(self, connection: Connection) -> None:
        connection.on("disconnection", self._on_disconnection)

    def _on_disconnection(self, _reason: int) -> None:
        self._listener = None
        self.subscribed.clear()

    def _on_subscription(self, connection: Connection, notify: bool, _indicate: bool) -> None:  # noqa: FBT001 bumble's call
        self._listener = connection if notify else None
        if notify:
            self.subscribed.set()
        else:
            self.subscribed.clear()

    async def _tell(self, due: list[_Beat], epoch: float) -> None:
        self._recent.extend(beat.ticks for beat in due)
        mean = sum(self._recent) / len(self._recent) if self._recent else 0.0
        told = [beat for beat in due if beat.ticks <= _LONGEST_TICKS]
        measurement = HeartRateMeasurement(
            heart_rate=round(60 * _TICKS_PER_SECOND / mean) if mean else 0,
            contact=self.vices.contact,
            rr_ticks=tuple(beat.ticks for beat in told),
        )
        if self.vices.silent or self._chance.random() < self.vices.dropped:
            return
        self._held.append(SentPacket(self._clock.wall(), tuple(epoch + beat.at for beat in told), measurement))
        if len(self._held) >= self.vices.bunched:
            held, self._held = self._held, []
            for packet in held:
                await self._send(packet)

    async def _send(self, packet: SentPacket) -> None:
        if self._listener is None:
            return
        self.sent.append(packet)
        await self._device.notify_subscriber(self._listener, self._measurement, encode(packet.measurement))


def _beats(rr_ms: Iterable[float]) -> Iterator[_Beat]:
    at, last = 0.0, 0
    for interval in rr_ms:
        at += interval / 1000.0
        ticks = round(at * _TICKS_PER_SECOND)
        yield _Beat(at, ticks - last)
        last = ticks
