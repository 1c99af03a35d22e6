"""The life of one wearable's connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from edge.bluetooth.backoff import Backoff
from edge.bluetooth.conversation import Characteristics, Conversation
from edge.bluetooth.packet import Packet
from edge.bluetooth.radio import ANSWER_TIMEOUT_S, Radio
from edge.bluetooth.scanner import Scanner
from edge.bluetooth.silence import SILENCE_LIMIT_S, Silence, silence_limits
from edge.bluetooth.slots import Slot
from edge.bluetooth.trouble import RADIO_ERRORS, is_lost_bond, is_shortage, reason
from edge.bluetooth.waits import done, end, finish, first_of, sleep_until_due
from edge.clock import Clock
from edge.wearables.procedure import Procedure

__all__ = ["SILENCE_LIMIT_S", "Characteristics", "Link", "LinkState", "LinkStatus", "Packet"]

# Our choice: a wearable that was away for this long, and advertises again, has come back into range.
ABSENCE_S: Final = 10.0

# Our choice: a link that held for a minute works; one that breaks earlier keeps its growing backoff.
STEADY_S: Final = 60.0

# Our choice: how often a wearable that is searched for in vain is sought among the connections that others left open.
RELEASE_EVERY_S: Final = 30.0

# Our choice: an advertisement that is older than this is no proof any more that the wearable is there.
FRESH_S: Final = 5.0

# Real seconds, as ANSWER_TIMEOUT_S: twice what pairing may take (30 s, Core Specification 5.4, volume 3, part H, 3.4),
# since subscribing may have to wait for it.
SUBSCRIBING_TIMEOUT_S: Final = 60.0

# The longest that a link sleeps where nothing is due, in seconds; it only bounds what an event loop has to count.
_FOREVER_S: Final = 3600.0

_log = structlog.get_logger(__name__)


class LinkState(StrEnum):
    """Where a link stands; see Link."""

    SEARCHING = "searching"
    QUEUED = "queued"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    LOST = "lost"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link's state, since when (s since 1970), and why, where the state is no good news.

    A link may stream and yet have something to say, such as that the wearable refused one of its characteristics.
    """

    state: LinkState
    since: float
    why: str | None = None


class Link:
    """Keeps one wearable connected for as long as `run` runs.

    ::

        SEARCHING ──advertisement──▶ CONNECTING ──services──▶ SUBSCRIBING ──subscribed──▶ STREAMING
            ▲   │                        ▲                                                    │
            │   └──no slot──▶ QUEUED ────┘              dropped, a stream silent for too long,│
            │                                           or the slot is lent to another        │
            │                                                                                 ▼
            └──── the backoff is over, or the wearable came back ──── WAITING ◀───────────── LOST

    Whatever fails before STREAMING leads to LOST, too: no connection, no services, no bond, no slot.

    Every value goes to `on_packet` straight from bleak's callback, so that it must be quick and must not raise; none
    comes while the link does not hold a connection. Every change of state goes to `on_state`. Once subscribed,
    `openings` is asked with the UUIDs of all characteristics that the wearable has, and its procedures are carried out
    one after the other while streams flow. No fault of the radio ends `run`. A wearable of which nothing streams may be
    silent. It is known by its address alone, never guessed by its name: one that changes its address must be bonded,
    whereupon BlueZ knows it by a lasting one. `silence_limit_s` is in the clock's seconds: in a replay many times
    faster than life a short stall of this process is a long silence, and the limit must grow accordingly.
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
        openings: Callable[[Collection[str]], Iterable[Procedure]] = lambda _present: (),
        silence_limit_s: float = SILENCE_LIMIT_S,
    ) -> None:
        self.address = address
        self.status = LinkStatus(LinkState.SEARCHING, clock.wall())
        self._profiles = profiles
        self._scanner = scanner
        self._radio = radio
        self._clock = clock
        self._on_packet = on_packet
        self._on_state = on_state
        self._openings = openings
        self._silence_limit_s = silence_limit_s
        self._backoff = Backoff(chance)
        self._log = _log.bind(wearable=address)
        self._without_since = clock.monotonic()
        self._faults = 0
        self._bond_renewed = False

    async def run(self) -> None:
        """Live until cancelled; then disconnect."""
        while True:
            try:
                why = await self._live()
            except RADIO_ERRORS as error:
                why = reason(error)
            except asyncio.CancelledError as error:
                # bleak and asyncio.timeout may lose a cancellation of their own to us; that must not end a link.
                if _is_cancelled():
                    raise
                why = reason(error)
            self._note_fault(why)
            self._enter(LinkState.LOST, why)
            self._enter(LinkState.WAITING, why)
            await first_of(
                self._clock.sleep(self._backoff.next()), self._scanner.seen(self.address, absent_for=ABSENCE_S)
            )

    async def _live(self) -> str:
        """Search, connect, stream; returns why the stream ended, or raises one of RADIO_ERRORS."""
        self._enter(LinkState.SEARCHING)
        device = await self._find()
        async with self._radio.slots.slot(self.address, self._without_since, self._queue) as slot:
            if slot.waited > FRESH_S:
                device = await self._find_again()
            self._enter(LinkState.CONNECTING)
            try:
                return await self._hold(device, slot)
            except RADIO_ERRORS as error:
                if is_lost_bond(error) and not self._bond_renewed:
                    self._bond_renewed = True
                    self._log.warning("bond_lost", why=reason(error))
                    await self._radio.unpair(device)
                raise

    async def _hold(self, device: BLEDevice, slot: Slot) -> str:
        """One connection, from its beginning to its end."""
        gone = asyncio.Event()
        try:
            client = await self._radio.connect(device, lambda _: gone.set())
        except RADIO_ERRORS as error:
            if (shortage := is_shortage(error)) is not False:
                self._radio.slots.refused(slot, certain=shortage is True)
            raise
        talk: Conversation | None = None
        try:
            self._radio.slots.accepted(slot)
            self._enter(LinkState.SUBSCRIBING)
            heard: dict[str, float] = {}
            talk = self._conversation(client, heard)
            async with asyncio.timeout(SUBSCRIBING_TIMEOUT_S):
                await talk.open()
            silence = Silence(silence_limits(talk.streams, self._silence_limit_s), heard, self._clock.monotonic())
            self._enter(LinkState.STREAMING, "; ".join(talk.refusals) or None)
            return await self._stream(gone, talk, silence, slot)
        finally:
            try:
                await finish(self._disconnect(client))
            finally:
                slot.connected = False
                if talk is not None:
                    talk.close()

    def _conversation(self, client: BleakClient, heard: dict[str, float]) -> Conversation:
        return Conversation(
            client,
            self._profiles,
            self.address,
            self._clock,
            self._on_packet,
            self._log,
            heard=heard,
            renewable=not self._bond_renewed,
        )

    async def _find(self) -> BLEDevice:
        """Wait for an advertisement; none comes from a wearable whose connection somebody else has left open."""
        found: list[BLEDevice] = []

        async def look() -> None:
            found.append(await self._scanner.seen(self.address))

        while not found:
            await self._radio.release(self.address)
            await first_of(look(), self._clock.sleep(RELEASE_EVERY_S))
        return found[0]

    async def _find_again(self) -> BLEDevice:
        """Look whether a wearable that had to wait for a connection is still there."""
        found: list[BLEDevice] = []

        async def look() -> None:
            found.append(await self._scanner.seen(self.address))

        await first_of(look(), self._clock.sleep(ABSENCE_S))
        if not found:
            raise BleakError("it went away while it waited for a connection")
        return found[0]

    async def _stream(self, gone: asyncio.Event, talk: Conversation, silence: Silence, slot: Slot) -> str:
        """Carry out procedures, and wait until the connection is gone, silent or lent; says which."""
        began = self._clock.monotonic()
        self._log.info("link_streams", after_faults=self._faults)
        self._faults = 0
        talking = asyncio.ensure_future(talk.run(self._openings(talk.present.keys())))
        try:
            return await self._watch(gone, talking, silence, slot)
        finally:
            await end(talking)
            if talk.bonded:
                self._bond_renewed = False
            if self._clock.monotonic() - began >= STEADY_S:
                self._backoff.reset()
            self._without_since = self._clock.monotonic()

    async def _watch(self, gone: asyncio.Event, talking: asyncio.Future[None], silence: Silence, slot: Slot) -> str:
        while not gone.is_set():
            now = self._clock.monotonic()
            silent = silence.overdue(now)
            if silent is not None:
                return silent
            if slot.asked.is_set():
                return "its connection is lent to another wearable that waits for one"
            if talking.done():
                talking.result()
                slot.finished = not silence.streams
            waits = [gone.wait(), slot.asked.wait(), sleep_until_due(self._clock, silence.until_due(now), _FOREVER_S)]
            if not talking.done():
                waits.append(done(talking))
            await first_of(*waits)
        return "the connection was lost"

    async def _disconnect(self, client: BleakClient) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await client.disconnect()
        except RADIO_ERRORS as error:
            self._log.debug("not_disconnected", why=reason(error))

    def _queue(self) -> None:
        self._enter(LinkState.QUEUED, self._radio.slots.shortage)

    def _note_fault(self, why: str) -> None:
        log = self._log.debug if self._faults else self._log.warning
        self._faults += 1
        log("link_lost", state=self.status.state.value, why=why)

    def _enter(self, state: LinkState, why: str | None = None) -> None:
        self.status = LinkStatus(state, self._clock.wall(), why)
        self._on_state(self.status)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
