"""A home with a virtual radio and a clock that stands still, and somebody who listens to its wearables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.wearable import VirtualWearable
from tests.fakes.clock import ManualClock, settle


@dataclass
class Listener:
    """What came of which characteristic, and when on the clock."""

    client: BleakClient
    clock: Clock
    got: list[tuple[str, bytes]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def on_packet(self, characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
        self.got.append((characteristic.uuid, bytes(payload)))
        self.at.append(self.clock.wall())

    def of(self, uuid: str) -> list[bytes]:
        """The payloads of one characteristic."""
        return [payload for characteristic, payload in self.got if characteristic == uuid]


@dataclass
class Home:
    """Where wearables are within reach."""

    radio: VirtualRadio
    clock: ManualClock

    @asynccontextmanager
    async def connected(self, wearable: VirtualWearable) -> AsyncIterator[BleakClient]:
        device = await BleakScanner.find_device_by_address(wearable.address, backend=self.radio.scanner_backend)
        assert device is not None
        async with BleakClient(device, backend=self.radio.client_backend) as client:
            yield client

    @asynccontextmanager
    async def heard(self, wearable: VirtualWearable, *uuids: str) -> AsyncIterator[Listener]:
        async with self.connected(wearable) as client:
            listener = Listener(client, self.clock)
            for uuid in uuids:
                await client.start_notify(uuid, listener.on_packet)
            yield listener

    async def settled(self) -> None:
        """Let everything arrive that is under way."""
        for _ in range(5):
            await settle()


@asynccontextmanager
async def home() -> AsyncIterator[Home]:
    async with VirtualRadio() as radio:
        yield Home(radio, ManualClock())
