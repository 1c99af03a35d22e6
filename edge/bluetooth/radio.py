"""The household's Bluetooth adapter, as bleak reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bleak import BleakAdapter, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback, BaseBleakScanner
from bleak.exc import BleakError
from bleak_retry_connector import (
    BleakClientWithServiceCache,
    close_stale_connections_by_address,
    establish_connection,
)

# What bleak and dbus-fast raise when an adapter, a wearable, bluetoothd or the message bus goes away in the middle of a
# call: their own errors, a dead socket's, no answer in time, and lookups in objects of BlueZ that have just vanished.
RADIO_ERRORS: Final = (BleakError, EOFError, OSError, TimeoutError, AttributeError, KeyError, AssertionError)

# Real seconds, not the injected clock's: an answer of bluetoothd is waited for, which knows no accelerated time. Our
# choice: above the 20 s that bleak-retry-connector allows one attempt, so that it ends by itself.
ANSWER_TIMEOUT_S: Final = 30.0

# Our choice: more attempts would keep the other wearables waiting; a link has a backoff of its own.
_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Radio:
    """Which adapter (as hci0) and which backends of bleak; None is bleak's choice: BlueZ, its first powered adapter."""

    adapter: str | None = None
    scanner_backend: type[BaseBleakScanner] | None = None
    client_backend: type[BaseBleakClient] | None = None
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def scanner(self, on_advertisement: AdvertisementDataCallback) -> BleakScanner:
        """A scanner of bleak, not yet started. Raises one of RADIO_ERRORS."""
        return BleakScanner(
            on_advertisement,
            bluez={"adapter": self.adapter} if self.adapter else {},
            backend=self.scanner_backend,
        )

    async def connect(
        self, device: BLEDevice, on_disconnected: Callable[[BleakClientWithServiceCache], None]
    ) -> BleakClientWithServiceCache:
        """Connect and discover the services; one wearable at a time, as controllers do one attempt at a time.

        bleak's cache of services is not used: a wearable with new firmware may have others. Raises one of RADIO_ERRORS.
        """
        async with self._connecting, asyncio.timeout(ANSWER_TIMEOUT_S):
            return await establish_connection(
                BleakClientWithServiceCache,
                device,
                device.name or device.address,
                disconnected_callback=on_disconnected,
                max_attempts=_ATTEMPTS,
                use_services_cache=False,
                bluez={"adapter": self.adapter} if self.adapter else {},
                backend=self.client_backend,
            )

    async def release(self, address: str) -> None:
        """End a connection that BlueZ still holds for a process which is gone: a held wearable does not advertise."""
        if self.client_backend is None:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                # While bleak still asks BlueZ for its objects, the next call would find nothing, and say nothing.
                await BleakAdapter.get(bluez={"adapter": self.adapter} if self.adapter else {})
                await close_stale_connections_by_address(address)


def reason(error: BaseException) -> str:
    """One line that says what went wrong on the radio; some of these errors have no text of their own."""
    return " ".join(f"{type(error).__name__}: {error}".split())
