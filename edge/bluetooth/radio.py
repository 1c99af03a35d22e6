"""The household's Bluetooth adapter, as bleak reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback, BaseBleakScanner
from bleak_retry_connector import (
    BleakClientWithServiceCache,
    close_stale_connections,
    close_stale_connections_by_address,
    establish_connection,
)

from edge.bluetooth import adapter as power
from edge.bluetooth.slots import Slots
from edge.bluetooth.trouble import RADIO_ERRORS, reason
from edge.clock import Clock, SystemClock
from edge.errors import HearthbeatError

# Real seconds, not the injected clock's: an answer of bluetoothd is waited for, which knows no accelerated time. Our
# choice: above the 20 s that bleak-retry-connector allows one attempt, so that it ends by itself.
ANSWER_TIMEOUT_S: Final = 30.0

# Our choice: more attempts would keep the other wearables waiting; a link has a backoff of its own.
_ATTEMPTS: Final = 2

# A monitor of BlueZ wants to be told what to look for. Everything that can be connected to says by its flags, first in
# its advertisement, that it is discoverable or not, and whether it knows classic Bluetooth: Core Specification
# Supplement 11, part A, 1.3. These are all that a wearable has reason to send.
_FLAGS: Final = (0x01, 0x02, 0x04, 0x05, 0x06, 0x18, 0x19, 0x1A)
_PATTERNS: Final = [OrPattern(0, AdvertisementDataType.FLAGS, bytes((flags,))) for flags in _FLAGS]


class Radio:
    """Which adapter (as hci0) and which backends of bleak; None is bleak's choice: BlueZ, its first powered adapter.

    `slots` shares out the connections that the adapter can hold. All methods raise one of RADIO_ERRORS.
    """

    def __init__(
        self,
        adapter: str | None = None,
        scanner_backend: type[BaseBleakScanner] | None = None,
        client_backend: type[BaseBleakClient] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.slots = Slots(clock or SystemClock())
        self._adapter = adapter
        self._scanner_backend = scanner_backend
        self._client_backend = client_backend
        self._connecting = asyncio.Lock()

    def scanner(self, on_advertisement: AdvertisementDataCallback, *, passive: bool = False) -> BleakScanner:
        """A scanner of bleak, not yet started. A passive one listens and asks nobody for more, such as for a name."""
        options: BlueZScannerArgs = {"or_patterns": list(_PATTERNS)} if passive else {}
        if self._adapter:
            options["adapter"] = self._adapter
        return BleakScanner(
            on_advertisement,
            scanning_mode="passive" if passive else "active",
            bluez=options,
            backend=self._scanner_backend,
        )

    async def connect(
        self, device: BLEDevice, on_disconnected: Callable[[BleakClient], None]
    ) -> BleakClientWithServiceCache:
        """Connect and discover the services; one wearable at a time, as controllers do one attempt at a time.

        bleak's cache of services is not used: a wearable with new firmware may have others.
        """
        async with self._connecting, asyncio.timeout(ANSWER_TIMEOUT_S):
            return await establish_connection(
                BleakClientWithServiceCache,
                device,
                device.name or device.address,
                disconnected_callback=on_disconnected,
                max_attempts=_ATTEMPTS,
                use_services_cache=False,
                bluez={"adapter": self._adapter} if self._adapter else {},
                backend=self._client_backend,
            )

    async def release(self, address: str) -> None:
        """End a connection that BlueZ still holds for a process which is gone: a held wearable does not advertise.

        One that was bonded under another address is found by its lasting one only among those that are connected.
        """
        if self._client_backend is None:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                # While bleak still asks BlueZ for its objects, the next call would find nothing, and say nothing.
                adapter = await BleakAdapter.get(bluez={"adapter": self._adapter} if self._adapter else {})
                await close_stale_connections_by_address(address)
                for device in await adapter.get_connected_devices():
                    if device.address.upper() == address.upper():
                        await close_stale_connections(device)

    async def pair(self, device: BLEDevice) -> str:
        """Bond with a wearable that is not connected; its lasting address, whatever address it advertises with.

        Raises HearthbeatError where that fails, with the reason.
        """
        try:
            client = await self.connect(device, lambda _: None)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await client.pair()
                return client.address
            finally:
                await client.disconnect()
        except RADIO_ERRORS as error:
            mend = "put the wearable into its pairing mode; one that asks for a code: bluetoothctl pair"
            raise HearthbeatError(reason(error), where=f"pairing {device.address}", mend=mend) from error

    async def unpair(self, device: BLEDevice) -> None:
        """Let BlueZ forget a wearable and its bond."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await BleakClient(
                device, bluez={"adapter": self._adapter} if self._adapter else {}, backend=self._client_backend
            ).unpair()

    async def forget(self, address: str) -> None:
        """The same by its lasting address, be it in reach or not; BleakDeviceNotFoundError where BlueZ knows none."""
        if self._client_backend is not None:
            await BleakClient(address, backend=self._client_backend).unpair()
            return
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await power.remove(self._adapter, address)

    async def switch_on(self) -> None:
        """Switch on an adapter that is off. Where it isn't BlueZ's there is no switch."""
        if self._scanner_backend is None:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await power.switch(self._adapter, on=True)

    async def reset(self) -> None:
        """Switch the adapter off and on, which ends every connection, and whatever scan it is stuck in."""
        if self._scanner_backend is None:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await power.switch(self._adapter, on=False)
                await power.switch(self._adapter, on=True)
