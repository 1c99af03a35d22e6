"""The life of one wearable's connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import structlog
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError, BleakGATTProtocolError

from edge.bluetooth.backoff import Backoff
from edge.bluetooth.radio import ANSWER_TIMEOUT_S, RADIO_ERRORS, Radio, reason
from edge.bluetooth.scanner import Scanner
from edge.clock import Clock

# Our choice: straps notify every second; thirty without a word are no interference any more but a link that is only
# said to be connected.
SILENCE_LIMIT_S: Final = 30.0

# Our choice: a wearable that was away for this long, and advertises again, has come back into range.
ABSENCE_S: Final = 10.0

# Our choice: a link that held for a minute works; one that breaks earlier keeps its growing backoff.
STEADY_S: Final = 60.0

# Our choice: how often a wearable that is searched for in vain is sought among the connections that others left open.
RELEASE_EVERY_S: Final = 30.0

# A cuff, a thermometer or a scale indicates its measurements: it waits for each to be confirmed, which BlueZ does.
_TELLS: Final = frozenset({"notify", "indicate"})

_log = structlog.get_logger(__name__)


class LinkState(StrEnum):
    """Where a link stands; see Link."""

    SEARCHING = "searching"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    LOST = "lost"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link's state, since when (s since 1970), and why, where the state is no good news."""

    state: LinkState
    since: float
    why: str | None = None


class Packet(NamedTuple):
    """One value of one characteristic as it came: `received_at` is in seconds since 1970.

    A named tuple, since a link makes one of every notification and a frozen dataclass takes twice as long.
    """

    address: str
    characteristic: str
    payload: bytes
    received_at: float


class Characteristics(Protocol):
    """What a link must know of a wearable's profile: the UUIDs of its characteristics."""

    @property
    def notify(self) -> tuple[str, ...]:
        """Subscribed where the wearable has them."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Those of `notify` whose silence is a fault."""

    @property
    def read(self) -> tuple[str, ...]:
        """Read once after every connecting."""


class Link:
    """Keeps one wearable connected for as long as `run` runs.

    ::

        SEARCHING ──advertisement──▶ CONNECTING ──services──▶ SUBSCRIBING ──subscribed──▶ STREAMING
            ▲                                                                                 │
            │                                            dropped, or silent for silence_limit_s │
            │                                                                                 ▼
            └──── the backoff is over, or the wearable came back ──── WAITING ◀───────────── LOST

    Whatever fails before STREAMING leads to LOST, too.

    Every value goes to `on_packet` straight from bleak's callback, so that it must be quick and must not raise; every
    change of state goes to `on_state`. No fault of the radio ends `run`. A wearable of which nothing streams may be
    silent. `silence_limit_s` is in the clock's seconds: in a replay many times faster than life a short stall of this
    process is a long silence, and the limit must grow accordingly.
    """

    def __init__(
        self,
        address: str,
        profiles: Sequence[Characteristics],
        scanner: Scanner,
        radio: Radio,
        clock: Clock,
        on_packet: Callable[[Packet], None],
        on_state: Callable[[LinkStatus], None],
        *,
        chance: random.Random,
        silence_limit_s: float = SILENCE_LIMIT_S,
    ) -> None:
        self.address = address
        self.status = LinkStatus(LinkState.SEARCHING, clock.wall())
        self._streams = [uuid for profile in profiles for uuid in profile.streams]
        self._reads = [uuid for profile in profiles for uuid in profile.read]
        self._events = [uuid for profile in profiles for uuid in profile.notify if uuid not in profile.streams]
        self._scanner = scanner
        self._radio = radio
        self._clock = clock
        self._on_packet = on_packet
        self._on_state = on_state
        self._silence_limit_s = silence_limit_s
        self._backoff = Backoff(chance)
        self._heard_at = clock.monotonic()
        self._log = _log.bind(wearable=address)
        self._faults = 0

    async def run(self) -> None:
        """Live until cancelled; then disconnect."""
        while True:
            try:
                why = await self._live()
            except RADIO_ERRORS as error:
                why = reason(error)
            self._note_fault(why)
            self._enter(LinkState.LOST, why)
            self._enter(LinkState.WAITING, why)
            await _first_of(
                self._clock.sleep(self._backoff.next()), self._scanner.seen(self.address, absent_for=ABSENCE_S)
            )

    async def _live(self) -> str:
        """Search, connect, stream; returns why the stream ended, or raises one of RADIO_ERRORS."""
        self._enter(LinkState.SEARCHING)
        device = await self._find()
        self._enter(LinkState.CONNECTING)
        gone = asyncio.Event()
        client = await self._radio.connect(device, lambda _: gone.set())
        try:
            self._enter(LinkState.SUBSCRIBING)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                streaming = await self._subscribe(client)
            self._enter(LinkState.STREAMING)
            return await self._stream(gone, streaming=streaming)
        finally:
            await self._disconnect(client)

    async def _find(self) -> BLEDevice:
        """Wait for an advertisement; none comes from a wearable whose connection somebody else has left open."""
        found: list[BLEDevice] = []

        async def look() -> None:
            found.append(await self._scanner.seen(self.address))

        while not found:
            await self._radio.release(self.address)
            await _first_of(look(), self._clock.sleep(RELEASE_EVERY_S))
        return found[0]

    async def _subscribe(self, client: BleakClient) -> bool:
        """Subscribe and read; returns whether anything streams. Streams come first, since every second counts.

        What notifies only now and then is read before it is subscribed to: BlueZ repeats a read value as a
        notification to whoever has subscribed by StartNotify, bleak's and our default, as some wearables mishandle the
        other way, AcquireNotify.
        """
        streams = _present(client, self._streams)
        reads = [found for found in _present(client, self._reads) if "read" in found.properties]
        events = [found for found in _present(client, self._events) if _TELLS & set(found.properties)]
        if not (streams or reads or events):
            raise BleakError("the wearable has none of the characteristics that we know")
        for characteristic in streams:
            await client.start_notify(characteristic, self._stream_listener(characteristic.uuid))
        for characteristic in reads:
            await self._read(client, characteristic)
        for characteristic in events:
            await client.start_notify(characteristic, self._on_event)
        return bool(streams)

    async def _read(self, client: BleakClient, characteristic: BleakGATTCharacteristic) -> None:
        try:
            payload = await client.read_gatt_char(characteristic)
        except BleakGATTProtocolError as error:
            self._log.warning("read_refused", characteristic=characteristic.uuid, why=reason(error))
        else:
            self._on_event(characteristic, payload)

    async def _stream(self, gone: asyncio.Event, *, streaming: bool) -> str:
        """Wait until the connection is gone or silent for too long, and say which."""
        began = self._heard_at = self._clock.monotonic()
        self._log.info("link_streams", after_faults=self._faults)
        self._faults = 0
        try:
            while not gone.is_set():
                silent = self._clock.monotonic() - self._heard_at if streaming else 0.0
                if silent >= self._silence_limit_s:
                    return f"connected, but silent for {silent:.0f} s"
                await _first_of(gone.wait(), self._clock.sleep(self._silence_limit_s - silent))
        finally:
            if self._clock.monotonic() - began >= STEADY_S:
                self._backoff.reset()
        return "the connection was lost"

    def _stream_listener(self, uuid: str) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        """What bleak calls for every value of a stream; all lookups are made before, as every notification pays."""
        address, on_packet, wall, monotonic = self.address, self._on_packet, self._clock.wall, self._clock.monotonic

        def on_value(_characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
            self._heard_at = monotonic()
            on_packet(Packet(address, uuid, bytes(payload), wall()))

        return on_value

    def _on_event(self, characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
        self._on_packet(Packet(self.address, characteristic.uuid, bytes(payload), self._clock.wall()))

    async def _disconnect(self, client: BleakClient) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await client.disconnect()
        except RADIO_ERRORS as error:
            self._log.debug("not_disconnected", why=reason(error))

    def _note_fault(self, why: str) -> None:
        log = self._log.debug if self._faults else self._log.warning
        self._faults += 1
        log("link_lost", state=self.status.state.value, why=why)

    def _enter(self, state: LinkState, why: str | None = None) -> None:
        self.status = LinkStatus(state, self._clock.wall(), why)
        self._on_state(self.status)


def _present(client: BleakClient, uuids: Sequence[str]) -> list[BleakGATTCharacteristic]:
    found = (client.services.get_characteristic(uuid) for uuid in uuids)
    return [characteristic for characteristic in found if characteristic is not None]


async def _first_of(*waits: Coroutine[object, object, object]) -> None:
    """Wait until one of `waits` is done, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
