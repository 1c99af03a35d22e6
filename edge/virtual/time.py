"""Time for replays: faster than life, and patient with the machine that has to keep up."""

from __future__ import annotations

import asyncio
import heapq
import time
from itertools import count
from typing import Final

# Real seconds between two moves of the clock. Our choice: about the shortest that an event loop sleeps reliably.
TICK_S: Final = 0.002
# Turns of the event loop that a packet takes from a virtual wearable through the virtual radio into bleak's callback,
# with room to spare (measured: 4).
TURNS: Final = 12


class VirtualClock:
    """A Clock (edge.clock) that runs at most `speed` times as fast as life, for one event loop, while `run` runs.

    Who sleeps is woken in the order and at the very moments asked for, one after the other, and what each of them sends
    has arrived before time moves on. So when the process stalls, time stalls with it: no packet is late because of the
    replay's speed. `speed` may be changed at any time.
    """

    def __init__(self, speed: float, *, start: float | None = None) -> None:
        self.speed = speed
        self._start = time.time() if start is None else start
        self._now = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall(self) -> float:
        """See Clock."""
        return self._start + self._now

    def monotonic(self) -> float:
        """See Clock."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), next(self._order), woken))
        await woken

    async def run(self) -> None:
        """Let time pass until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK_S)
            passed = min(time.monotonic() - began, 2 * TICK_S)
            await self._advance(self._now + passed * self.speed)

    async def _advance(self, end: float) -> None:
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue
            self._now = max(self._now, at)
            woken.set_result(None)
            for _ in range(TURNS):
                await asyncio.sleep(0)
        self._now = max(self._now, end)
