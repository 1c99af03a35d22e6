"""A virtual radio: one central and any number of wearables, joined by a link inside this process."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Final, Self

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from bumble.controller import Controller
from bumble.device import Device, DeviceConfiguration
from bumble.hci import (
    Address,
    HCI_ErrorCode,
    HCI_LE_Connection_Complete_Event,
    HCI_LE_Create_Connection_Cancel_Command,
    HCI_StatusReturnParameters,
    Role,
)
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

from edge.virtual.bleak_backend import client_backend, scanner_backend

# A static random address has its two highest bits set: Bluetooth Core Specification 5.4, volume 6, part B, 1.3.2.1.
_CENTRAL_ADDRESS: Final = "C0:00:00:00:00:99"


class _Controller(Controller):
    """bumble's controller, and what it lacks: giving up a connection that is being made."""

    def on_hci_le_create_connection_cancel_command(
        self, command: HCI_LE_Create_Connection_Cancel_Command
    ) -> HCI_StatusReturnParameters:
        """Bluetooth Core Specification 5.4, volume 4, part E, 7.8.13: the connection completes as an unknown one."""
        if (pending := self.pending_le_connection) is not None:
            self.pending_le_connection = None
            given_up = HCI_LE_Connection_Complete_Event(
                status=HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
            asyncio.get_running_loop().call_soon(self.send_hci_packet, given_up)
        return super().on_hci_le_create_connection_cancel_command(command)


class VirtualRadio:
    """The air of one home: `central` is the household's adapter, `add` puts a wearable within its reach.

    Use it as an asynchronous context manager; nothing of it outlives the event loop. `scanner_backend` and
    `client_backend` are for bleak: BleakScanner(backend=…), BleakClient(…, backend=…).
    """

    def __init__(self) -> None:
        # bumble warns of every packet that meets a link which has just gone, and losing links is what the tests do.
        logging.getLogger("bumble").setLevel(logging.ERROR)
        self._link = LocalLink()  # type: ignore[no-untyped-call]  # bumble left this one untyped
        self._devices: list[Device] = []
        self.central = self._device("central", _CENTRAL_ADDRESS)

    async def __aenter__(self) -> Self:
        """Switch the central on."""
        await self.central.power_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch everything off; whoever is connected sees the link drop."""
        for device in self._devices:
            if device.is_advertising:
                await device.stop_advertising()
            for connection in list(device.connections.values()):
                await connection.disconnect()
        if self.central.scanning:
            await self.central.stop_scanning()
        for device in self._devices:
            await device.power_off()

    @property
    def scanner_backend(self) -> type[BaseBleakScanner]:
        """The scanner of bleak on this radio."""
        return scanner_backend(self.central)

    @property
    def client_backend(self) -> type[BaseBleakClient]:
        """The client of bleak on this radio."""
        return client_backend(self.central)

    def add(self, name: str, address: str) -> Device:
        """A new peripheral within reach, not yet switched on; `address` is a static random one (C0:DE:00:00:00:01)."""
        return self._device(name, address)

    def _device(self, name: str, address: str) -> Device:
        controller = _Controller(name, link=self._link, public_address=f"F0{address[2:]}")
        host = Host(controller, AsyncPipeSink(controller))
        device = Device(config=DeviceConfiguration(name=name, address=Address(address)), host=host)
        self._devices.append(device)
        return device
