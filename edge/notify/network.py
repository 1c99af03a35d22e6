"""Notices that the network is back, for those who could not be told: their hosts are asked every few seconds.

A connection is asked for, and not the kernel what its links and routes do, because the network that mostly fails is
not the house's own: the router stays, and what lies behind it is gone. A host that answers proves name server, route,
provider and service at once. It costs a small connection every few seconds, and only while somebody waits to be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge.clock import Clock
from edge.notify.phone import Host

# Real seconds between two looks, since no network hurries for an accelerated clock. With the three that a look may
# take, and what sending takes, whoever waits is told within ten. Our choice.
ASK_EVERY_S: Final = 3.0
# A host that answers and yet takes no message is asked ever more rarely, down to this. Our choice, as for retries.
ASK_SELDOM_S: Final = 300.0

_log = structlog.get_logger("network")


@dataclass(slots=True)
class _Sight:
    """Who waits for a host, and when it is asked next (s of the monotonic clock)."""

    contacts: set[str] = field(default_factory=set)
    pause_s: float = ASK_EVERY_S
    next_at: float = 0.0


class NetworkWatch:
    """Asks for hosts that could not be reached, by `reach`, and tells `returned` whose host answers again.

    `clock` is the machine's own, whatever time the home lives by.
    """

    def __init__(
        self,
        reach: Callable[[Host], Awaitable[bool]],
        returned: Callable[[Collection[str]], Awaitable[None]],
        clock: Clock,
        ask_every_s: float = ASK_EVERY_S,
    ) -> None:
        self._reach = reach
        self._returned = returned
        self._clock = clock
        self._ask_every_s = ask_every_s
        self._sights: dict[Host, _Sight] = {}
        self._missed = asyncio.Event()

    def lost(self, contact: str, host: Host) -> None:
        """A contact could not be told because a host did not answer."""
        sight = self._sights.setdefault(host, _Sight(pause_s=self._ask_every_s))
        sight.contacts.add(contact)
        self._missed.set()

    def found(self, contact: str) -> None:
        """A contact was told: no host is asked for any more on its behalf."""
        for sight in self._sights.values():
            sight.contacts.discard(contact)
        self._sights = {host: sight for host, sight in self._sights.items() if sight.contacts}
        if not self._sights:
            self._missed.clear()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self._missed.wait()
            await self._clock.sleep(self._ask_every_s)
            now = self._clock.monotonic()
            due = [host for host, sight in self._sights.items() if sight.next_at <= now]
            answers = await asyncio.gather(*(self._reach(host) for host in due))
            for host, answered in zip(due, answers, strict=True):
                await self._note(host, answered=answered)

    async def _note(self, host: Host, *, answered: bool) -> None:
        sight = self._sights.get(host)
        if sight is None:  # who waited for it was told meanwhile
            return
        if not answered:
            sight.pause_s = self._ask_every_s
            return
        sight.next_at = self._clock.monotonic() + sight.pause_s
        sight.pause_s = min(2.0 * sight.pause_s, ASK_SELDOM_S)
        _log.info("the network is back", contacts=sorted(sight.contacts))
        await self._returned(frozenset(sight.contacts))
