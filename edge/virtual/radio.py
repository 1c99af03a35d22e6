"""A virtual radio: one central and any number of wearables, joined by a link inside this process."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final, Self

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address
from bumble.link import LocalLink
from bumble.pairing import PairingConfig
from bumble.transport.common import AsyncPipeSink

from edge.virtual.bleak_backend import client_backend, scanner_backend
from edge.virtual.connection import VirtualController, VirtualHost, hang_up

# A static random address has its two highest bits set: Bluetooth Core Specification 5.4, volume 6, part B, 1.3.2.1.
_CENTRAL_ADDRESS: Final = "C0:00:00:00:00:99"


class VirtualRadio:
    """The air of one home: `central` is the household's adapter, `add` puts a wearable within its reach.

    Use it as an asynchronous context manager; nothing of it outlives the event loop. `scanner_backend` and
    `client_backend` are for bleak: BleakScanner(backend=…), BleakClient(…, backend=…).
    """

    def __init__(self) -> None:
        # bumble logs an error for every packet that meets a link which has just gone, as links here do on purpose.
        logging.getLogger("bumble").setLevel(logging.CRITICAL)
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
                await hang_up(connection)
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
        controller = VirtualController(name, link=self._link, public_address=f"F0{address[2:]}")
        host = VirtualHost(controller, AsyncPipeSink(controller))
        device = Device(config=DeviceConfiguration(name=name, address=Address(address)), host=host)
        # Nobody has a display or a keyboard, so that pairing "just works"; known by the address that is advertised.
        pairing = PairingConfig(mitm=False, identity_address_type=PairingConfig.AddressType.RANDOM)
        device.pairing_config_factory = lambda _connection: pairing
        self._devices.append(device)
        return device
