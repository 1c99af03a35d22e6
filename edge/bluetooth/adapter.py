"""The adapter's power switch and its memory: what bleak leaves to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

# Names of BlueZ's D-Bus interface: its doc/org.bluez.Adapter.rst.
_BLUEZ: Final = "org.bluez"
_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OBJECT_MANAGER: Final = "org.freedesktop.DBus.ObjectManager"


async def switch(adapter: str | None, *, on: bool) -> None:
    """Switch an adapter (as hci0; None: the first) on or off, as `bluetoothctl power` does.

    BlueZ lets root and whoever its D-Bus policy names do so; a switch that rfkill holds cannot be moved. Raises
    BleakError with BlueZ's own reason, OSError or EOFError where the bus is gone.
    """
    async with _system_bus() as bus:
        path = f"/org/bluez/{adapter}" if adapter else await _first_adapter(bus)
        await _call(bus, path, _PROPERTIES, "Set", "ssv", [_ADAPTER, "Powered", Variant("b", on)])


async def remove(adapter: str | None, address: str) -> None:
    """Let BlueZ forget a device by its lasting address, with its bond; that of its object may be an older one.

    Raises BleakDeviceNotFoundError where there is none, and as `switch`.
    """
    async with _system_bus() as bus:
        (objects,) = await _call(bus, "/", _OBJECT_MANAGER, "GetManagedObjects", "", [])
        devices = {path: interfaces[_DEVICE] for path, interfaces in objects.items() if _DEVICE in interfaces}
        found = [
            (str(properties["Adapter"].value), path)
            for path, properties in devices.items()
            if properties["Address"].value == address and (adapter is None or f"/{adapter}/" in path)
        ]
        if not found:
            raise BleakDeviceNotFoundError(address, f"BlueZ knows no {address}")
        for owner, path in found:
            await _call(bus, owner, _ADAPTER, "RemoveDevice", "o", [path])


async def _first_adapter(bus: MessageBus) -> str:
    (objects,) = await _call(bus, "/", _OBJECT_MANAGER, "GetManagedObjects", "", [])
    adapters = sorted(path for path, interfaces in objects.items() if _ADAPTER in interfaces)
    if not adapters:
        raise BleakError("no Bluetooth adapter was found")
    return str(adapters[0])


async def _call(bus: MessageBus, path: str, interface: str, member: str, signature: str, body: list[Any]) -> list[Any]:
    reply = await bus.call(Message(_BLUEZ, path, interface, member, signature=signature, body=body))
    if reply is None:
        raise BleakError(f"{member} was not answered")
    if reply.message_type is MessageType.ERROR:
        raise BleakDBusError(str(reply.error_name), reply.body)
    return list(reply.body)


@asynccontextmanager
async def _system_bus() -> AsyncIterator[MessageBus]:
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        yield await bus.connect()
    finally:
        bus.disconnect()  # also after a failed connection: it holds the socket since it was made
