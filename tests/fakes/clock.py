"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class ManualClock:
    """See edge.clock.Clock. `advance` wakes who sleeps, in order, each at the time it asked for."""

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._now = 0.0
        self._wall_ahead = wall
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall(self) -> float:
        return self._now + self._wall_ahead

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; whoever wakes meanwhile runs, and may sleep and wake again, before time goes on."""
        end = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._now = end
        await settle()

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as NTP does; the monotonic clock knows nothing of it."""
        self._wall_ahead += seconds


async def settle() -> None:
    """Let everything run that needs nothing but the event loop."""
    for _ in range(20):
        await asyncio.sleep(0)
