"""One scanner for the whole daemon, which outlives what adapters, bluetoothd and the message bus do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge.bluetooth.backoff import Backoff
from edge.bluetooth.radio import ANSWER_TIMEOUT_S, Radio
from edge.bluetooth.trouble import RADIO_ERRORS, RadioState, RadioStatus, radio_state, reason
from edge.bluetooth.waits import first_of, sleep_until_due
from edge.clock import Clock

# Our choice: a wearable that waits for us advertises at least every few seconds, so that five without any advertisement
# from anybody mean an empty room or a scan that died without a word, as after a restart of bluetoothd. The patience
# doubles with every scan that stays silent, which makes up for slower advertisers.
SILENCE_S: Final = 5.0
LONGEST_SILENCE_S: Final = 60.0

# Our choice: starting a scan that fails costs next to nothing, and until it succeeds nobody can come back.
_LONGEST_PAUSE_S: Final = 15.0

# Our choice: who is not heard passively for so long is asked for actively. A wearable whose flags no pattern matches,
# or an adapter that tells of an advertiser only once, must not keep a link from its wearable for longer.
PASSIVE_S: Final = 30.0

# Our choice: a passive scan that has never told of anybody has so long to prove that it can. BlueZ may take a monitor
# and never use it, which must not cost every search those thirty seconds.
PROOF_S: Final = 5.0

# Our choice: who was missed passively and is heard so soon after an active scan began is one that only answers.
_ANSWERS_WITHIN_S: Final = 5.0

# Our choice: after so long without anybody missing, passive listening is enough again; stopping and starting scans is
# what BlueZ stumbles over, so not at once.
CALM_S: Final = 300.0

# Our choice: so many scans in a row that fail as InProgress, or hear nobody, are more than a moment's trouble, and the
# adapter is switched off and on, as a person would; at most so often, in seconds, and never under a living connection.
STUCK_SCANS: Final = 5
RESET_EVERY_S: Final = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A wearable that advertises: its address, its name, the UUIDs of its services, and its signal in dBm.

    One that `rotates` changes its address every few minutes; paired, it is recognised by a lasting one.
    """

    address: str
    name: str | None
    services: tuple[str, ...]
    rssi: int
    rotates: bool = False


Listener = Callable[[BLEDevice, Sighting], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    address: str
    absent_for: float
    found: asyncio.Future[BLEDevice]


class Scanner:
    """Listens for advertisements while `run` runs, and starts anew, with backoff, whenever listening fails or dies.

    It listens passively, without asking advertisers for more, where BlueZ can: that spares the air and the wearables'
    batteries. It asks actively where BlueZ cannot, where somebody wants names (`hear`), and where a wearable that a
    link waits for has not been heard for PASSIVE_S, or is known to be heard only when asked.

    bleak tells nobody when BlueZ stops a scan, so a scan is started anew when somebody waits for a wearable and nothing
    at all was heard for SILENCE_S of the clock. While nobody waits, silence harms nobody. An adapter that is off is
    switched on where that is allowed; one that is stuck is switched off and on when no connection suffers. `status`
    says how the adapter is, and `fault` why nothing can be heard, or None.
    """

    def __init__(self, radio: Radio, clock: Clock, chance: random.Random) -> None:
        self._radio = radio
        self._clock = clock
        self._backoff = Backoff(chance, _LONGEST_PAUSE_S)
        self._patience = SILENCE_S
        self._waiters: list[_Waiter] = []
        self._listeners: list[Listener] = []
        self._awaited = asyncio.Event()
        self._heard_at = self._calm_since = clock.monotonic()
        self._last_seen: dict[str, float] = {}
        self._missed_since: dict[str, float] = {}
        self._can_be_passive = True
        self._passive = True
        self._passive_proven = False
        self._only_answer: set[str] = set()
        self._began = clock.monotonic()
        self._in_vain = 0
        self._reset_at = float("-inf")
        self.status = RadioStatus(RadioState.WORKS, clock.wall())

    @property
    def fault(self) -> str | None:
        """Why nothing can be heard."""
        return self.status.why

    async def run(self) -> None:
        """Scan until cancelled; a fault of the radio is logged once, and tried again for as long as it lasts."""
        while True:
            try:
                await self._scan()
            except RADIO_ERRORS as error:
                if self._passive and self._can_be_passive and radio_state(error) is RadioState.FAILED:
                    self._can_be_passive = False
                    _log.info("scan_is_active", why=reason(error))
                    continue
                await self._mend(error)
                await self._clock.sleep(self._backoff.next())

    async def seen(self, address: str, *, absent_for: float = 0.0) -> BLEDevice:
        """Wait for the next advertisement of `address` and return its device, which is thereby fresh.

        With `absent_for` only an advertisement counts that follows as many seconds without any from this address.
        """
        address = address.upper()
        self._last_seen.setdefault(address, float("-inf"))
        self._missed_since.setdefault(address, self._clock.monotonic())
        waiter = _Waiter(address, absent_for, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._awaited.set()
        try:
            return await waiter.found
        finally:
            self._waiters.remove(waiter)
            self._note_calm()

    @contextmanager
    def hear(self, listener: Listener) -> Iterator[None]:
        """Tell `listener` of every advertisement while the context lasts; names are asked for."""
        self._listeners.append(listener)
        self._awaited.set()
        try:
            yield
        finally:
            self._listeners.remove(listener)
            self._note_calm()

    def _note_calm(self) -> None:
        if not self._waiters and not self._listeners:
            self._awaited.clear()
            self._calm_since = self._clock.monotonic()

    async def _scan(self) -> None:
        """One scan, until it has been silent for too long, or the other kind is wanted."""
        self._passive = self._can_be_passive and not self._is_missed()
        scanner = self._radio.scanner(self._on_advertisement, passive=self._passive)
        self._began = self._clock.monotonic()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await scanner.start()
            self._note_works()
            await self._listen()
        finally:
            await _stop(scanner)

    async def _listen(self) -> None:
        """Return when somebody waits and nothing was heard for as long as patience lasts, or the other kind is due."""
        since = self._clock.monotonic()
        while not self._is_other_kind_due():
            if not self._awaited.is_set():
                await self._awaited_or_calm()
                since = self._clock.monotonic()
                continue
            silent = self._clock.monotonic() - max(since, self._heard_at)
            patience = PROOF_S if self._passive and not self._passive_proven else self._patience
            if silent >= patience:
                await self._give_up(silent)
                return
            await sleep_until_due(self._clock, patience - silent, PASSIVE_S)

    async def _give_up(self, silent: float) -> None:
        """Take that a scan was silent for too long; after a passive one those who are missed are asked for."""
        if self._passive:
            self._missed_since.update({waiter.address: self._began - PASSIVE_S for waiter in self._waiters})
            if not self._passive_proven:
                self._can_be_passive = False
                _log.info("scan_is_active", why="a passive scan told of nobody")
                return
        self._patience = min(2.0 * self._patience, LONGEST_SILENCE_S)
        self._in_vain += 1
        _log.debug("scan_restarts", why="nothing was heard", seconds=round(silent))
        await self._reset_if_stuck()

    async def _awaited_or_calm(self) -> None:
        if self._passive or not self._can_be_passive:
            await self._awaited.wait()
            return
        calm = self._clock.monotonic() - self._calm_since
        await first_of(self._awaited.wait(), sleep_until_due(self._clock, CALM_S - calm, CALM_S))

    def _is_missed(self) -> bool:
        """Whether somebody wants to hear more than passive listening has told."""
        now = self._clock.monotonic()
        return bool(self._listeners) or any(
            waiter.address in self._only_answer or now - self._missed_since.get(waiter.address, now) >= PASSIVE_S
            for waiter in self._waiters
        )

    def _is_other_kind_due(self) -> bool:
        if self._passive:
            return self._is_missed()
        calm = not self._awaited.is_set() and self._clock.monotonic() - self._calm_since >= CALM_S
        return calm and self._can_be_passive

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        now = self._clock.monotonic()
        self._heard_at = now
        self._patience = SILENCE_S
        self._in_vain = 0
        self._passive_proven = self._passive_proven or self._passive
        self._backoff.reset()
        for listener in self._listeners:
            listener(device, _sighting(device, data))
        address = device.address.upper()
        last = self._last_seen.get(address)
        if last is None:
            return
        self._last_seen[address] = now
        missed_since = self._missed_since.pop(address, now)
        if not self._passive and self._began - missed_since >= PASSIVE_S and now - self._began <= _ANSWERS_WITHIN_S:
            self._only_answer.add(address)
        for waiter in self._waiters:
            if waiter.address == address and now - last >= waiter.absent_for and not waiter.found.done():
                waiter.found.set_result(device)

    def _note_works(self) -> None:
        if self.status.state is not RadioState.WORKS:
            self.status = RadioStatus(RadioState.WORKS, self._clock.wall())
            _log.info("scan_works")

    async def _mend(self, error: BaseException) -> None:
        """Do what can be done about a scan that failed, and say what remains."""
        state, why = radio_state(error), reason(error)
        if state is RadioState.OFF:
            try:
                await self._radio.switch_on()
            except RADIO_ERRORS as refusal:
                why = f"the adapter is off, and may not be switched on: {reason(refusal)}"
        elif state is RadioState.STUCK:
            self._in_vain += 1
            await self._reset_if_stuck()
        self._note_fault(state, why)

    async def _reset_if_stuck(self) -> None:
        now = self._clock.monotonic()
        if self._in_vain < STUCK_SCANS or now - self._reset_at < RESET_EVERY_S or self._radio.slots.connected:
            return
        self._reset_at, self._in_vain = now, 0
        _log.warning("adapter_is_reset", why="scans are refused, or hear nobody")
        try:
            await self._radio.reset()
        except RADIO_ERRORS as error:
            _log.debug("adapter_not_reset", why=reason(error))

    def _note_fault(self, state: RadioState, why: str) -> None:
        """Keep since when the fault lasts, while its reason may change; it is logged when it begins."""
        began = self.status.state is RadioState.WORKS
        since = self._clock.wall() if state is not self.status.state else self.status.since
        self.status = RadioStatus(state, since, why)
        (_log.warning if began else _log.debug)("scan_failed", why=why, mend=self.status.mend)


def _sighting(device: BLEDevice, data: AdvertisementData) -> Sighting:
    return Sighting(device.address, device.name, tuple(data.service_uuids), data.rssi, _rotates(device))


def _rotates(device: BLEDevice) -> bool:
    """Whether an address is a private one; a static random one has its two highest bits set.

    Bluetooth Core Specification 5.4, volume 6, part B, 1.3.2. BlueZ says which addresses are random.
    """
    properties = device.details.get("props", {}) if isinstance(device.details, dict) else {}
    return properties.get("AddressType") == "random" and int(device.address[:2], 16) < 0xC0


async def _stop(scanner: BleakScanner) -> None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await scanner.stop()
    except RADIO_ERRORS as error:
        _log.debug("scan_not_stopped", why=reason(error))
