"""The objects that an emulated bluetoothd shows on the bus, and the signals that say how they change."""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
MONITOR = "org.bluez.AdvertisementMonitor1"
MONITOR_MANAGER = "org.bluez.AdvertisementMonitorManager1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

Properties = dict[str, Variant]
Interfaces = dict[str, Properties]


class BluezError(Exception):
    """A D-Bus error reply; a name without a dot is one of org.bluez.Error."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(name, text)
        self.name = name if "." in name else f"org.bluez.Error.{name}"
        self.text = text


class ObjectTree:
    """All objects by path, as org.freedesktop.DBus.ObjectManager describes them."""

    def __init__(self) -> None:
        self.objects: dict[str, Interfaces] = {}
        self.bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def rest(self) -> None:
        """Wait until all tasks that were kept are done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, path: str, interfaces: Interfaces) -> None:
        self.objects[path] = interfaces
        self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path: str) -> None:
        """Remove the object and all below it, the lowest first."""
        below = [other for other in self.objects if other == path or other.startswith(f"{path}/")]
        for gone in sorted(below, reverse=True):
            self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", [gone, list(self.objects.pop(gone))])

    def change(self, path: str, interface: str, **changed: Variant) -> None:
        """Change properties, if the object still exists."""
        properties = self.objects.get(path, {}).get(interface)
        if properties is not None:
            properties.update(changed)
            self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, []])

    async def drain(self) -> None:
        """Wait until the bus has taken every signal, by its answer to a ping: dbus-fast fails on a full socket."""
        if self.bus is not None:
            ping = Message("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Peer", "Ping")
            await self.bus.call(ping)

    def with_interface(self, interface: str) -> list[str]:
        return [path for path, interfaces in self.objects.items() if interface in interfaces]

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self.bus is not None and self.bus.connected:
            self.bus.send(Message.new_signal(path, interface, member, signature, body))
