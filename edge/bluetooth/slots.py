"""The few connections that an adapter can hold at once, shared out among the links that want one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge.bluetooth.waits import done, first_of
from edge.clock import Clock

# Our choice: with more wearables than connections each has its turn. Half an hour lets every risk that is judged by
# minutes see whole stretches, and nobody waits for half a day.
TURN_S: Final = 1800.0

# Our choice: who only waits for news keeps its connection for as long as a cuff may take to measure.
NEWS_S: Final = 60.0

# Our choice: how often one who waits looks whether a connection could be given back.
ROUND_S: Final = 10.0

# Our choice: a limit is doubted, and one connection more tried, after this long: adapters do not say how many they
# hold, and the connections of others, which we do not see, come and go. A refusal that may have been mere interference
# is doubted as soon as a link would have tried again anyway.
DOUBT_S: Final = 600.0
EARLY_DOUBT_S: Final = 60.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Slot:
    """A link's right to one connection. Whoever holds it sets `connected`, and `finished` when it only waits for news.

    `asked` is set when another is to have the connection; `waited` says how long it was waited for, in seconds.
    """

    address: str
    since: float
    waited: float = 0.0
    connected: bool = False
    finished: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Waiter:
    address: str
    since: float
    turn: asyncio.Future[Slot]


class Slots:
    """Who may connect. Any number may until the adapter refuses; then as many as it held, who waited longest first.

    A link that streams keeps its connection for TURN_S at least; one that only waits for news gives it back after
    NEWS_S when somebody else wants it. `limit` is what was learnt, None for nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self.limit: int | None = None
        self._clock = clock
        self._held: list[Slot] = []
        self._waiting: list[_Waiter] = []
        self._learnt_at = 0.0
        self._certain = False

    @property
    def connected(self) -> int:
        """How many links are connected."""
        return sum(slot.connected for slot in self._held)

    @property
    def shortage(self) -> str | None:
        """What to say of who waits, None while nobody does."""
        if not self._waiting:
            return None
        return f"the adapter holds no more than {self.limit} connections, and {len(self._waiting)} wearables wait"

    @asynccontextmanager
    async def slot(self, address: str, since: float, on_queued: Callable[[], None]) -> AsyncIterator[Slot]:
        """Hold a slot, if need be after others; `since` is when this wearable began to be without, monotonic.

        `on_queued` is called when there is none at once.
        """
        slot = await self._take(address, since, on_queued)
        try:
            yield slot
        finally:
            self._held.remove(slot)
            self._serve()

    def refused(self, slot: Slot, *, certain: bool) -> None:
        """Learn from a refusal of one connection more. Where nobody of ours is connected there is nothing to learn."""
        held = self.connected
        if held and not slot.connected:
            if held != self.limit:
                _log.warning("connections_are_few", limit=held, certain=certain)
            self.limit, self._certain, self._learnt_at = held, certain, self._clock.monotonic()

    def accepted(self, slot: Slot) -> None:
        """Take that a connection came to be; one beyond the limit proves the limit wrong."""
        slot.connected = True
        if self.limit is not None and self.connected > self.limit:
            self.limit = None
            self._serve()

    async def _take(self, address: str, since: float, on_queued: Callable[[], None]) -> Slot:
        waiter = _Waiter(address, since, asyncio.get_running_loop().create_future())
        began = self._clock.monotonic()
        self._waiting.append(waiter)
        self._waiting.sort(key=lambda waiting: waiting.since)
        self._serve()
        try:
            if not waiter.turn.done():
                on_queued()
            while not waiter.turn.done():
                self._ask(waiter)
                await self._wait_for(waiter.turn)
                self._serve()
        except asyncio.CancelledError:
            self._leave(waiter)
            raise
        slot = waiter.turn.result()
        slot.waited = self._clock.monotonic() - began
        return slot

    async def _wait_for(self, turn: asyncio.Future[Slot]) -> None:
        await first_of(done(turn), self._clock.sleep(ROUND_S))

    def _leave(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        else:
            self._held.remove(waiter.turn.result())
            self._serve()

    def _serve(self) -> None:
        """Give what is free to who waited longest."""
        now = self._clock.monotonic()
        while self._waiting and self._is_free(now):
            waiter = self._waiting.pop(0)
            slot = Slot(waiter.address, now)
            self._held.append(slot)
            waiter.turn.set_result(slot)

    def _is_free(self, now: float) -> bool:
        if self.limit is None or len(self._held) < self.limit:
            return True
        doubt = DOUBT_S if self._certain else EARLY_DOUBT_S
        return len(self._held) == self.limit and now - self._learnt_at >= doubt

    def _ask(self, waiter: _Waiter) -> None:
        """Ask for a connection back, for the first of those who wait."""
        if waiter is not self._waiting[0] or any(slot.asked.is_set() for slot in self._held):
            return
        now = self._clock.monotonic()
        spare = [slot for slot in self._held if slot.finished and now - slot.since >= NEWS_S]
        if not spare and self._certain and now - waiter.since >= TURN_S:
            spare = [slot for slot in self._held if slot.connected and now - slot.since >= TURN_S]
        if spare:
            min(spare, key=lambda slot: slot.since).asked.set()
