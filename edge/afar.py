"""What this home hears from afar, put together: the inbox, the hands that obey, and the models that come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cloud_sync.inbox import Inbox
from edge.clock import Clock
from edge.commanding import Answering, Commanding, Hands, trusted_keys
from edge.errors import RejectedError
from edge.recorder import Recorder
from edge.settings import Settings
from edge.store.store import Store


class Afar:
    """The way of commands in one home: `inbox` is for the publisher, and hears nothing while no key is trusted.

    To be made in the daemon's event loop; `begin`, then `run`.
    """

    def __init__(self, settings: Settings, clock: Clock, settings_file: Path | None) -> None:
        self._settings = settings
        self._clock = clock
        self._settings_file = settings_file
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.inbox = Inbox(settings.home.id, clock, trusted_keys(settings), self._wake)
        self._commanding: Commanding | None = None

    def begin(
        self,
        store: Store,
        recorder: Recorder,
        attending: Answering,
        reload: Callable[[], Awaitable[list[str]]],
        committed: Callable[[], None],
    ) -> None:
        """Give it what it may set in motion."""
        hands = Hands(
            attending,
            _NoUpdates(),
            reload,
            lambda name: _person(name, self._settings, store),
            self._settings_file,
            committed,
        )
        self._commanding = Commanding(self._settings.home.id, self.inbox, store, recorder, self._clock, hands)
        self._commanding.take_on(self._settings)

    def take_on(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings
        if self._commanding is not None:
            self._commanding.take_on(settings)

    async def run(self) -> None:
        """Obey what comes, until cancelled."""
        if self._commanding is not None:
            await self._commanding.run(self._arrived)

    def faults(self) -> dict[str, str | None]:
        """What is wrong, by part; None where nothing is."""
        return {} if self._commanding is None else self._commanding.faults()

    def _wake(self) -> None:
        """Called from the publisher's thread; a loop that has ended needs nothing more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)


class _NoUpdates:
    """No models come yet."""

    async def order(self, package: bytes, url: str | None) -> str:  # noqa: ARG002
        """See Updating."""
        raise RejectedError("no models are taken here", reason="package")

    async def go_back(self, risk: str) -> str:  # noqa: ARG002
        """See Updating."""
        raise RejectedError("no models are taken here", reason="package")


def _person(name: str, settings: Settings, store: Store) -> str | None:
    """The id of the person who is called so here, or outside."""
    known = {person.id: person.id for person in settings.people}
    known |= {store.pseudonyms.person(person): person for person in known}
    return known.get(name)
