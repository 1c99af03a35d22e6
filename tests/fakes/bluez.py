"""An emulated bluetoothd: org.bluez on a private bus, over a virtual radio, with the faults of real ones.

Objects, signals and errors follow BlueZ's own descriptions (doc/org.bluez.*.rst) as far as bleak uses them, so that
bleak's BlueZ backend runs against it unchanged.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from bumble.core import BaseBumbleError
from bumble.device import Advertisement, Connection, Device
from bumble.hci import Address
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from edge.virtual.bleak_backend import Advertised
from edge.virtual.connection import hang_up, while_connected
from tests.fakes.bluez_adapter import ADAPTER_PATH, AdapterOfBluez
from tests.fakes.bluez_gatt import GattOfDevice, Reply
from tests.fakes.bluez_objects import (
    ADAPTER,
    CHARACTERISTIC,
    DEVICE,
    MONITOR_MANAGER,
    OBJECT_MANAGER,
    PROPERTIES,
    BluezError,
    Interfaces,
    ObjectTree,
)

_NOTHING: Final[Reply] = ("", [], [])
_CONNECT_TIMEOUT_S: Final = 2.0  # BlueZ waits 20 s; tests of wearables that are not there should not

Method = Callable[[str, Message], Awaitable[Reply]]


class EmulatedBluez:
    """org.bluez with one adapter, hci0. Its public methods, but for `start` and `stop`, are faults.

    `slots` is how many connections the adapter holds, None for any number, and `no_slot` what it says to one more.
    `resolves` maps private addresses to those of the bonded wearables whose they are.
    """

    def __init__(self, central: Device, bus_address: str) -> None:
        self.calls: list[str] = []
        self.most_connecting = 0
        self.slots: int | None = None
        self.no_slot = BluezError("Failed", "le-connection-concurrent-connection-limit")
        self.resolves: dict[str, str] = {}
        self._central = central
        self._bus_address = bus_address
        self._tree = ObjectTree()
        self.adapter = AdapterOfBluez(self._tree, central)
        self._connected: dict[str, GattOfDevice] = {}
        self._addresses: dict[str, Address] = {}
        self._failures: defaultdict[str, list[BluezError]] = defaultdict(list)
        self._connecting = 0
        self._methods: dict[tuple[str, str], Method] = {
            (ADAPTER, "SetDiscoveryFilter"): self.adapter.set_discovery_filter,
            (ADAPTER, "StartDiscovery"): self.adapter.start_discovery,
            (ADAPTER, "StopDiscovery"): self.adapter.stop_discovery,
            (ADAPTER, "RemoveDevice"): self._remove_device,
            (MONITOR_MANAGER, "RegisterMonitor"): self.adapter.register_monitor,
            (MONITOR_MANAGER, "UnregisterMonitor"): self.adapter.unregister_monitor,
            (DEVICE, "Connect"): self._connect,
            (DEVICE, "Disconnect"): self._disconnect,
            (DEVICE, "Pair"): self._pair,
            (CHARACTERISTIC, "ReadValue"): lambda path, message: self._gatt(path).read_value(path, message),
            (CHARACTERISTIC, "WriteValue"): lambda path, message: self._gatt(path).write_value(path, message),
            (CHARACTERISTIC, "StartNotify"): lambda path, message: self._gatt(path).start_notify(path, message),
            (CHARACTERISTIC, "StopNotify"): lambda path, message: self._gatt(path).stop_notify(path, message),
        }
        central.on("advertisement", self._on_advertisement)

    async def start(self) -> None:
        """Come up on the bus with an adapter that is on."""
        bus = MessageBus(bus_address=self._bus_address, negotiate_unix_fd=True)
        await bus.connect()
        self._tree.bus = bus
        bus.add_message_handler(self._on_message)
        await bus.request_name("org.bluez")
        self.plug()

    async def stop(self) -> None:
        """Leave the bus without a word; connections drop, as they do when bluetoothd ends."""
        bus, self._tree.bus = self._tree.bus, None
        await self.adapter.forget_scans()
        await self._drop_all()
        await self._tree.rest()
        self._tree.objects.clear()
        if bus is not None and bus.connected:
            bus.disconnect()
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast left it untyped

    @property
    def connected(self) -> list[str]:
        """Addresses of the wearables that are connected."""
        return [_address(path) for path in self._connected]

    def fail_next(self, member: str, *errors: BluezError) -> None:
        """Answer the next calls of `member` with these errors, one each."""
        self._failures[member] += errors

    async def power(self, *, on: bool) -> None:
        """Switch the adapter on or off, as bluetoothctl or rfkill would; off frees what was stuck."""
        if not on:
            self._failures.pop("StartDiscovery", None)
            await self._drop_all()
            await self.adapter.forget_scans()
        self.adapter.show_power(on=on)

    async def unplug(self) -> None:
        """Pull the adapter out."""
        await self._drop_all()
        await self.adapter.forget_scans()
        self._tree.remove(ADAPTER_PATH)

    def plug(self) -> None:
        """Put the adapter in."""
        self.adapter.plug()

    async def restart(self, *, orderly: bool) -> None:
        """Restart bluetoothd; in an orderly way it takes leave of every object, in a crash nobody is told anything."""
        if orderly:
            await self.unplug()
        await self.stop()
        await self.start()

    async def hold(self, address: str) -> None:
        """Be connected to a wearable for nobody, as long after a crash of the process that had asked for it."""
        path = _device_path(address)
        if path not in self._tree.objects:
            self._add_device(path, Address(address))
        await self._open(path)
        await self._tree.rest()

    def show_lasting_address(self, private: str, lasting: str) -> None:
        """Let a device have the address that its bond gave it, while its object keeps the path of the private one."""
        self._tree.change(_device_path(private), DEVICE, Address=Variant("s", lasting))

    async def let_go(self, address: str) -> None:
        """Let the radio lose this wearable's link."""
        await hang_up(self._connected[_device_path(address)].connection)

    async def flood(self, uuid: str, value: bytes, times: int) -> None:
        """Notify everybody who subscribed to this characteristic so often, as fast as the bus takes it."""
        paths = [path for gatt in self._connected.values() for path in gatt.subscribed(uuid)]
        for _ in range(times):
            for path in paths:
                self._tree.change(path, CHARACTERISTIC, Value=Variant("ay", value))
            await self._tree.drain()

    def _on_message(self, message: Message) -> bool | None:
        ours = message.destination in {"org.bluez", self._tree.bus and self._tree.bus.unique_name}
        if message.message_type is not MessageType.METHOD_CALL or not ours:
            return None
        self._tree.keep(asyncio.get_running_loop().create_task(self._handle(message)))
        return True

    async def _handle(self, message: Message) -> None:
        self.calls.append(message.member or "")
        try:
            failures = self._failures[message.member or ""]
            if failures:
                await self._fail(message, failures.pop(0))
            signature, body, descriptors = await self._answer(message)
            reply = Message.new_method_return(message, signature, body, descriptors)
        except BluezError as error:
            reply = Message.new_error(message, error.name, error.text)
        if self._tree.bus is not None and self._tree.bus.connected:
            self._tree.bus.send(reply)

    async def _fail(self, message: Message, error: BluezError) -> None:
        if error.text == "le-connection-abort-by-local":
            # The link was up for a moment, and BlueZ says so before it answers.
            self._tree.change(message.path or "", DEVICE, Connected=Variant("b", True))
            self._tree.change(message.path or "", DEVICE, Connected=Variant("b", False))
        raise error

    async def _answer(self, message: Message) -> Reply:
        path, interface, member = message.path or "", message.interface or "", message.member or ""
        if interface == OBJECT_MANAGER:
            return "a{oa{sa{sv}}}", [self._tree.objects], []
        interfaces = self._tree.objects.get(path)
        if interfaces is None:
            raise BluezError("org.freedesktop.DBus.Error.UnknownObject", f"there is no {path}")
        if interface == PROPERTIES and member == "GetAll":
            return "a{sv}", [interfaces.get(message.body[0], {})], []
        if interface == PROPERTIES and member == "Set":
            return await self._set(path, *message.body)
        method = self._methods.get((interface, member))
        if method is None or interface not in interfaces:
            raise BluezError("org.freedesktop.DBus.Error.UnknownMethod", member)
        return await method(path, message)

    async def _set(self, path: str, interface: str, name: str, value: Variant) -> Reply:
        if (interface, name) == (ADAPTER, "Powered"):
            if not self.adapter.may_switch:
                raise BluezError("Failed", "Blocked through rfkill")
            await self.power(on=value.value)
        else:
            self._tree.change(path, interface, **{name: value})
        return _NOTHING

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        if not self.adapter.hears(advertisement):
            return
        heard = advertisement.address.to_string(with_type_qualifier=False)
        path = self._path_of(self.resolves.get(heard, heard))
        if path not in self._tree.objects:
            self._add_device(path, Address(self.resolves.get(heard, heard)))
        self._addresses[path] = advertisement.address
        said = Advertised.of(advertisement.data)
        changed = {"RSSI": Variant("n", advertisement.rssi), "UUIDs": Variant("as", said.service_uuids)}
        if said.name is not None:
            changed |= {"Name": Variant("s", said.name), "Alias": Variant("s", said.name)}
        self._tree.change(path, DEVICE, **changed)

    def _path_of(self, address: str) -> str:
        """Where the device of this address is, which may have got it only by its bond, or will be."""
        shown = ((path, self._tree.objects[path][DEVICE]) for path in self._tree.with_interface(DEVICE))
        return next((path for path, had in shown if had["Address"].value == address), _device_path(address))

    def _add_device(self, path: str, address: Address) -> None:
        self._addresses[path] = address
        self._tree.add(path, _device_interfaces(address.to_string(with_type_qualifier=False)))

    async def _connect(self, path: str, _message: Message) -> Reply:
        if path not in self._connected:
            await self._open(path)
        return _NOTHING

    async def _open(self, path: str) -> None:
        if self.slots is not None and len(self._connected) >= self.slots:
            raise self.no_slot
        self._connecting += 1
        self.most_connecting = max(self.most_connecting, self._connecting)
        try:
            connection = await self._central.connect(self._addresses[path], timeout=_CONNECT_TIMEOUT_S)
        except BaseBumbleError as error:
            raise BluezError("Failed", "br-connection-canceled") from error
        finally:
            self._connecting -= 1
        self._on_connection(path, connection)

    def _on_connection(self, path: str, connection: Connection) -> None:
        gatt = self._connected[path] = GattOfDevice(self._tree, path, connection)
        connection.on("disconnection", lambda _reason: self._on_disconnection(path))
        self._tree.change(path, DEVICE, Connected=Variant("b", True))
        self._tree.keep(asyncio.get_running_loop().create_task(self._resume_bond(path, connection, gatt)))

    def _on_disconnection(self, path: str) -> None:
        gatt = self._connected.pop(path, None)
        if gatt is not None:
            gatt.close()
            self._tree.change(path, DEVICE, ServicesResolved=Variant("b", False))
            self._tree.change(path, DEVICE, Connected=Variant("b", False))

    async def _resume_bond(self, path: str, connection: Connection, gatt: GattOfDevice) -> None:
        """Encrypt with who is bonded, as the kernel does; who has lost the bond is heard without."""
        if self._is_paired(path) and self._central.keystore is not None:
            keys = await self._central.keystore.get(str(Address(_address(path))))
            if keys is not None:  # a private address resolves to the one that the keys belong to
                await self._central.keystore.update(str(connection.peer_address), keys)
            with suppress(BaseBumbleError, ConnectionResetError):
                await while_connected(connection, connection.encrypt())
        await gatt.resolve()

    def _is_paired(self, path: str) -> bool:
        return bool(self._tree.objects.get(path, {}).get(DEVICE, {}).get("Paired", Variant("b", False)).value)

    async def _pair(self, path: str, _message: Message) -> Reply:
        if self._is_paired(path):
            raise BluezError("AlreadyExists", "Already Exists")
        if path not in self._connected:
            await self._open(path)
        connection = self._connected[path].connection
        try:
            await while_connected(connection, connection.pair())
        except (BaseBumbleError, ConnectionResetError) as error:
            raise BluezError("AuthenticationFailed", "Authentication Failed") from error
        self._tree.change(path, DEVICE, Paired=Variant("b", True), Bonded=Variant("b", True))
        return _NOTHING

    async def _remove_device(self, _path: str, message: Message) -> Reply:
        (path,) = message.body
        if path not in self._tree.objects:
            raise BluezError("DoesNotExist", "Does Not Exist")
        if path in self._connected:
            await hang_up(self._connected[path].connection)
        if self._central.keystore is not None:
            with suppress(KeyError):
                await self._central.keystore.delete(str(self._addresses[path]))
        self._tree.remove(path)
        return _NOTHING

    async def _disconnect(self, path: str, _message: Message) -> Reply:
        if path not in self._connected:
            raise BluezError("NotConnected", "Not Connected")
        await hang_up(self._connected[path].connection)
        return _NOTHING

    async def _drop_all(self) -> None:
        for gatt in list(self._connected.values()):
            await hang_up(gatt.connection)

    def _gatt(self, path: str) -> GattOfDevice:
        for device, gatt in self._connected.items():
            if path.startswith(f"{device}/"):
                return gatt
        raise BluezError("Failed", "Not connected")


def _address(path: str) -> str:
    return path[-17:].replace("_", ":")


def _device_path(address: str) -> str:
    return f"{ADAPTER_PATH}/dev_{address.replace(':', '_')}"


def _device_interfaces(address: str) -> Interfaces:
    return {
        DEVICE: {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Adapter": Variant("o", ADAPTER_PATH),
            "Paired": Variant("b", False),
            "Bonded": Variant("b", False),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "UUIDs": Variant("as", []),
        }
    }
