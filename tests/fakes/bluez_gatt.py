"""What an emulated bluetoothd does with the services of one connected wearable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bumble.att import ATT_Error
from bumble.core import UUID
from bumble.device import Connection, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy
from dbus_fast import Message, Variant

from edge.virtual.bleak_backend import subscribe, uuid_string
from edge.virtual.connection import while_connected
from tests.fakes.bluez_objects import CHARACTERISTIC, DESCRIPTOR, DEVICE, SERVICE, BluezError, ObjectTree

Reply = tuple[str, list[Any], list[int]]

_PROPERTY = Characteristic.Properties
_FLAGS: Final = {
    _PROPERTY.READ: "read",
    _PROPERTY.WRITE_WITHOUT_RESPONSE: "write-without-response",
    _PROPERTY.WRITE: "write",
    _PROPERTY.NOTIFY: "notify",
    _PROPERTY.INDICATE: "indicate",
}
# How BlueZ names ATT errors, where it doesn't give the number: create_gatt_dbus_error in its src/gatt-client.c.
_NOT_PAIRED: Final = ("NotPermitted", "Not paired")
_NAMED: Final = {
    0x02: ("NotPermitted", "Read not permitted"),
    0x03: ("NotPermitted", "Write not permitted"),
    0x05: _NOT_PAIRED,
    0x0C: _NOT_PAIRED,
    0x0F: _NOT_PAIRED,
    0x06: ("NotSupported", "Operation is not supported"),
    0x08: ("NotAuthorized", "Operation Not Authorized"),
}
_NOTIFYING: Final = _PROPERTY.NOTIFY | _PROPERTY.INDICATE


class GattOfDevice:
    """The GATT objects below one device's path, from its connection to its end."""

    def __init__(self, tree: ObjectTree, path: str, connection: Connection) -> None:
        self.connection = connection
        self._tree = tree
        self._path = path
        self._peer = Peer(connection)
        self._proxies: dict[str, CharacteristicProxy[bytes]] = {}
        self._subscribers: dict[str, Callable[[bytes], None]] = {}

    async def resolve(self) -> None:
        """Discover everything, show it on the bus, and say so; a link that drops meanwhile ends it."""
        try:
            await while_connected(self.connection, self._discover())
        except ConnectionResetError:
            return
        found = Variant("as", [uuid_string(service.uuid) for service in self._peer.services])
        self._tree.change(self._path, DEVICE, ServicesResolved=Variant("b", True), UUIDs=found)

    async def _discover(self) -> None:
        await self._peer.request_mtu(517)
        for service in await self._peer.discover_services():
            if service.uuid == UUID("1800"):  # BlueZ keeps the Generic Access service to itself
                continue
            path = f"{self._path}/service{service.handle:04x}"
            properties = {
                "UUID": Variant("s", uuid_string(service.uuid)),
                "Device": Variant("o", self._path),
                "Primary": Variant("b", True),
                "Includes": Variant("ao", []),
            }
            self._tree.add(path, {SERVICE: properties})
            for proxy in await service.discover_characteristics():
                await self._show_characteristic(path, proxy)

    async def _show_characteristic(self, service_path: str, proxy: CharacteristicProxy[bytes]) -> None:
        path = f"{service_path}/char{proxy.handle - 1:04x}"  # BlueZ names it by its declaration
        properties = {
            "UUID": Variant("s", uuid_string(proxy.uuid)),
            "Service": Variant("o", service_path),
            "Value": Variant("ay", b""),
            "Flags": Variant("as", [name for bit, name in _FLAGS.items() if proxy.properties & bit]),
            "MTU": Variant("q", self.connection.att_mtu),
        }
        if proxy.properties & _NOTIFYING:
            properties |= {"Notifying": Variant("b", False)}
        self._proxies[path] = proxy
        self._tree.add(path, {CHARACTERISTIC: properties})
        for descriptor in await proxy.discover_descriptors():
            shown = {
                "UUID": Variant("s", uuid_string(descriptor.type)),
                "Characteristic": Variant("o", path),
                "Value": Variant("ay", b""),
            }
            self._tree.add(f"{path}/desc{descriptor.handle:04x}", {DESCRIPTOR: shown})

    def close(self) -> None:
        """The link is gone: take the objects away."""
        self._subscribers.clear()
        for path in self._tree.with_interface(SERVICE):
            if path.startswith(f"{self._path}/"):
                self._tree.remove(path)

    def subscribed(self, uuid: str) -> list[str]:
        """Paths of the characteristics of this UUID to which somebody has subscribed."""
        return [path for path in self._subscribers if uuid_string(self._proxies[path].uuid) == uuid]

    async def read_value(self, path: str, _message: Message) -> Reply:
        value = bytes(await self._answer(self._peer.gatt_client.read_value(self._proxy(path).handle)))
        self._tree.change(
            path, CHARACTERISTIC, Value=Variant("ay", value)
        )  # as BlueZ does: who subscribed hears it too
        return "ay", [value], []

    async def write_value(self, path: str, message: Message) -> Reply:
        value, options = message.body
        request = options["type"].value == "request"
        await self._answer(self._peer.gatt_client.write_value(self._proxy(path).handle, bytes(value), request))
        return "", [], []

    async def start_notify(self, path: str, _message: Message) -> Reply:
        def show(value: bytes) -> None:
            # bumble keeps a subscriber whose subscription was refused, beside the one that comes after.
            if self._subscribers.get(path) is show:
                self._tree.change(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        await self._subscribe(path, show)
        self._tree.change(path, CHARACTERISTIC, Notifying=Variant("b", True))
        return "", [], []

    async def stop_notify(self, path: str, _message: Message) -> Reply:
        subscriber = self._subscribers.pop(path, None)
        if subscriber is None:
            raise BluezError("Failed", "No notify session started")
        await self._answer(self._peer.gatt_client.unsubscribe(self._proxy(path), subscriber))
        self._tree.change(path, CHARACTERISTIC, Notifying=Variant("b", False))
        return "", [], []

    async def _subscribe(self, path: str, subscriber: Callable[[bytes], None]) -> None:
        if path in self._subscribers:
            raise BluezError("InProgress", "Operation already in progress")
        self._subscribers[path] = subscriber
        try:
            await self._answer(subscribe(self._peer.gatt_client, self._proxy(path), subscriber))
        except BluezError:
            self._subscribers.pop(path, None)
            raise

    def _proxy(self, path: str) -> CharacteristicProxy[bytes]:
        if path not in self._proxies:
            raise BluezError("NotSupported", "Operation is not supported")
        return self._proxies[path]

    async def _answer(self, procedure: Any) -> Any:
        try:
            return await while_connected(self.connection, procedure)
        except ATT_Error as error:
            code = int(error.error_code)
            other = ("Failed", f"Operation failed with ATT error: 0x{code:02x}")
            raise BluezError(*_NAMED.get(code, other)) from error
        except ConnectionResetError as error:
            raise BluezError("Failed", "Not connected") from error
