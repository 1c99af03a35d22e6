"""One scanner for the whole daemon, which outlives what adapters, bluetoothd and the message bus do."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final

import structlog
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge.bluetooth.backoff import Backoff
from edge.bluetooth.radio import ANSWER_TIMEOUT_S, RADIO_ERRORS, Radio, reason
from edge.clock import Clock
from edge.errors import HearthbeatError

# Our choice: a wearable that waits for us advertises at least every few seconds, so that ten without any advertisement
# from anybody mean an empty room or a scan that died without a word, as after a restart of bluetoothd. The patience
# doubles with every scan that stays silent.
SILENCE_S: Final = 10.0
LONGEST_SILENCE_S: Final = 60.0

# Our choice: starting a scan that fails costs next to nothing, and until it succeeds nobody can come back.
_LONGEST_PAUSE_S: Final = 15.0

_MEND: Final = "check that the Bluetooth adapter is plugged in and on (bluetoothctl show)"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A wearable that advertises: its address, its name, the UUIDs of its services, and its signal in dBm."""

    address: str
    name: str | None
    services: tuple[str, ...]
    rssi: int


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    address: str
    absent_for: float
    found: asyncio.Future[BLEDevice]


class Scanner:
    """Listens for advertisements while `run` runs, and starts anew, with backoff, whenever listening fails or dies.

    bleak tells nobody when BlueZ stops a scan, so a scan is started anew when somebody waits for a wearable and nothing
    at all was heard for SILENCE_S of the clock. While nobody waits, silence harms nobody. `fault` says why nothing
    can be heard, or is None.
    """

    def __init__(self, radio: Radio, clock: Clock, chance: random.Random) -> None:
        self._radio = radio
        self._clock = clock
        self._backoff = Backoff(chance, _LONGEST_PAUSE_S)
        self._patience = SILENCE_S
        self._waiters: list[_Waiter] = []
        self._awaited = asyncio.Event()
        self._heard_at = clock.monotonic()
        self._last_seen: dict[str, float] = {}
        self.fault: str | None = None

    async def run(self) -> None:
        """Scan until cancelled; a fault of the radio is logged once, and tried again for as long as it lasts."""
        while True:
            try:
                await self._scan()
            except RADIO_ERRORS as error:
                self._log_fault(reason(error))
                await self._clock.sleep(self._backoff.next())

    async def seen(self, address: str, *, absent_for: float = 0.0) -> BLEDevice:
        """Wait for the next advertisement of `address` and return its device, which is thereby fresh.

        With `absent_for` only an advertisement counts that follows as many seconds without any from this address.
        """
        address = address.upper()
        self._last_seen.setdefault(address, float("-inf"))
        waiter = _Waiter(address, absent_for, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._awaited.set()
        try:
            return await waiter.found
        finally:
            self._waiters.remove(waiter)
            if not self._waiters:
                self._awaited.clear()

    async def _scan(self) -> None:
        """One scan, until it has been silent for too long."""
        scanner = self._radio.scanner(self._on_advertisement)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await scanner.start()
            await self._listen()
        finally:
            await _stop(scanner)

    async def _listen(self) -> None:
        """Return when somebody waits and nothing was heard for as long as patience lasts."""
        since = self._clock.monotonic()
        while True:
            if not self._awaited.is_set():
                await self._awaited.wait()
                since = self._clock.monotonic()
            silent = self._clock.monotonic() - max(since, self._heard_at)
            if silent >= self._patience:
                self._patience = min(2.0 * self._patience, LONGEST_SILENCE_S)
                _log.debug("scan_restarts", why="nothing was heard", seconds=round(silent))
                return
            await self._clock.sleep(self._patience - silent)

    def _on_advertisement(self, device: BLEDevice, _data: AdvertisementData) -> None:
        now = self._clock.monotonic()
        self._heard_at = now
        self._patience = SILENCE_S
        self._backoff.reset()
        if self.fault is not None:
            self.fault = None
            _log.info("scan_works")
        address = device.address.upper()
        last = self._last_seen.get(address)
        if last is None:
            return
        self._last_seen[address] = now
        for waiter in self._waiters:
            if waiter.address == address and now - last >= waiter.absent_for and not waiter.found.done():
                waiter.found.set_result(device)

    def _log_fault(self, why: str) -> None:
        log = _log.warning if self.fault is None else _log.debug
        self.fault = why
        log("scan_failed", why=why, mend=_MEND)


async def discover(radio: Radio, seconds: float) -> tuple[Sighting, ...]:
    """All who advertise within `seconds`, the strongest signal first. Raises HearthbeatError where the radio fails."""
    try:
        async with asyncio.timeout(seconds + ANSWER_TIMEOUT_S), radio.scanner(_ignore) as scanner:
            await asyncio.sleep(seconds)
            found = list(scanner.discovered_devices_and_advertisement_data.values())
    except RADIO_ERRORS as error:
        raise HearthbeatError(reason(error), where="Bluetooth", mend=_MEND) from error
    sightings = [Sighting(device.address, device.name, tuple(data.service_uuids), data.rssi) for device, data in found]
    return tuple(sorted(sightings, key=lambda sighting: -sighting.rssi))


def _ignore(_device: BLEDevice, _data: AdvertisementData) -> None:
    """Bleak keeps what it found; nothing is to be done meanwhile."""


async def _stop(scanner: BleakScanner) -> None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await scanner.stop()
    except RADIO_ERRORS as error:
        _log.debug("scan_not_stopped", why=reason(error))
