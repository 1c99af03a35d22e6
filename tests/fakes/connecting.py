"""A client backend for bleak whose wearable does what a test's script says, through bleak's own callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import ClassVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError

# What a step of a script makes the next call of that method raise.
FAULTS: Mapping[str, Callable[[], BaseException]] = {
    "fails": lambda: BleakError("it failed"),
    "times out": TimeoutError,
    "bus is gone": EOFError,
    "no slot": lambda: BleakDBusError("org.bluez.Error.Failed", ["le-connection-concurrent-connection-limit"]),
    "aborted": lambda: BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]),
    "not bonded": lambda: BleakGATTProtocolError(5),
    "refused": lambda: BleakGATTProtocolError(0x80),
    "cancelled": asyncio.CancelledError,  # a cancellation that bleak has lost
    "key missing": lambda: BleakDBusError("org.bluez.Error.Failed", ["le-connection-key-missing"]),
}


class HandClient(BaseBleakClient):
    """Subclass it in a test, so that its state is that test's own.

    `wearable` gives the properties of each characteristic by the UUIDs of its service and its own. `script` holds, by
    method ("connect", "read", "write", "subscribe", "pair", "disconnect"), what befalls its next calls: a fault's name
    or "" for none; with "drops" the link goes meanwhile. `calls` is what was asked, `up` who is connected.
    """

    wearable: ClassVar[Mapping[str, Mapping[str, list[CharacteristicPropertyName]]]]
    values: ClassVar[dict[str, bytes]]
    script: ClassVar[dict[str, list[str]]]
    calls: ClassVar[list[tuple[str, str]]]
    up: ClassVar[list[HandClient]]
    ever: ClassVar[list[HandClient]]
    on_write: ClassVar[Callable[[HandClient, str, bytes], None] | None]

    def __init_subclass__(cls) -> None:
        cls.values, cls.script, cls.calls, cls.up, cls.ever, cls.on_write = {}, {}, [], [], [], None

    def __init__(
        self,
        device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_options: object,
    ) -> None:
        super().__init__(device, disconnected_callback=disconnected_callback, timeout=timeout)
        self.callbacks: dict[str, NotifyCallback] = {}

    @property
    def name(self) -> str:
        return "by hand"

    @property
    def mtu_size(self) -> int:
        return 23

    @property
    def is_connected(self) -> bool:
        return self in self.up

    async def connect(self, pair: bool, **_options: object) -> None:  # noqa: ARG002  bleak's own
        self._befall("connect", "")
        self.services = self._collection()
        self.up.append(self)
        self.ever.append(self)

    async def disconnect(self) -> None:
        try:
            self._befall("disconnect", "")
        finally:
            self.drop()

    async def pair(self, *_arguments: object, **_options: object) -> None:
        self._befall("pair", "")

    async def unpair(self) -> None:
        self._befall("unpair", "")

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_options: object) -> bytearray:
        self._befall("read", characteristic.uuid)
        return bytearray(self.values.get(characteristic.uuid, b""))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_options: object) -> bytearray:
        raise NotImplementedError(descriptor)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        self._befall("write" if response else "write without response", characteristic.uuid)
        cls = type(self)
        if cls.on_write is not None:
            cls.on_write(self, characteristic.uuid, bytes(data))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        raise NotImplementedError(descriptor)

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_options: object
    ) -> None:
        self._befall("subscribe", characteristic.uuid)
        self.callbacks[characteristic.uuid] = callback

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        self.callbacks.pop(characteristic.uuid, None)

    def speak(self, uuid: str, value: bytes = b"\x00\x3c") -> None:
        """Notify; also after the connection has ended, as a callback does that was on its way."""
        if (callback := self.callbacks.get(uuid)) is not None:
            callback(bytearray(value))

    def drop(self) -> None:
        """Lose the link."""
        if self in self.up:
            self.up.remove(self)
            if self._disconnected_callback is not None:
                self._disconnected_callback()

    def _befall(self, method: str, uuid: str) -> None:
        self.calls.append((method, uuid))
        if method in {"read", "write", "subscribe", "pair"} and self not in self.up:
            raise BleakError("not connected")
        due = self.script.get(method)
        fault = due.pop(0) if due else ""
        if fault == "drops":
            self.drop()
            raise BleakError("the link dropped")
        if fault:
            error = FAULTS[fault]()
            raise error

    def _collection(self) -> BleakGATTServiceCollection:
        collection, handles = BleakGATTServiceCollection(), count(1)
        for service_uuid, characteristics in self.wearable.items():
            service = BleakGATTService(None, next(handles), service_uuid)
            collection.add_service(service)
            for uuid, properties in characteristics.items():
                characteristic = BleakGATTCharacteristic(None, next(handles), uuid, properties, lambda: 20, service)
                collection.add_characteristic(characteristic)
        return collection
