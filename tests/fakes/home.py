"""A household's Bluetooth without a radio: a private bus, an emulated bluetoothd, and virtual straps behind it.

A daemon under test reaches them from this process or from another one that is given `VirtualHome.environment`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bleak.backends.bluezdbus import manager

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.strap import VirtualStrap
from tests.fakes.bluez import EmulatedBluez
from tests.fakes.message_bus import MessageBusDaemon


@dataclass(frozen=True, slots=True)
class VirtualHome:
    """What a test may do harm to, and who is worn."""

    bus: MessageBusDaemon
    bluez: EmulatedBluez
    radio: VirtualRadio
    straps: tuple[VirtualStrap, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to take this bus for the system's."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.bus.address}

    async def restart_bus(self) -> None:
        """Let the bus die and come back, with a bluetoothd on it."""
        await self.bus.stop()
        await self.bluez.stop()
        await self.bus.start()
        await self.bluez.start()


@asynccontextmanager
async def virtual_home(clock: Clock, straps: int = 1) -> AsyncIterator[VirtualHome]:
    """A home with `straps` straps, C0:DE:00:00:00:01 and so on, which advertise; let them `play` a heart."""
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        bus = MessageBusDaemon(Path(folder))
        await bus.start()
        try:
            async with VirtualRadio() as radio:
                bluez = EmulatedBluez(radio.central, bus.address)
                await bluez.start()
                worn = tuple(
                    VirtualStrap(radio, clock, name=f"Strap {number}", address=f"C0:DE:00:00:00:{number:02X}")
                    for number in range(1, straps + 1)
                )
                for strap in worn:
                    await strap.start()
                try:
                    yield VirtualHome(bus, bluez, radio, worn)
                finally:
                    await close_bleak()
                    await bluez.stop()
        finally:
            await bus.stop()


async def close_bleak() -> None:
    """End the bus connection that bleak keeps for as long as the event loop lives, and never closes itself."""
    instance = manager._global_instances.pop(asyncio.get_running_loop(), None)
    if instance is not None and instance._bus is not None:
        instance._bus.disconnect()
        await instance._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast left it untyped
