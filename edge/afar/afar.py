"""What this home hears from afar, put together: the inbox, the hands that obey, and the models that come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from cloud_sync.inbox import Inbox, TrustedKey
from cloud_sync.messages import Home
from edge.afar.commanding import Answering, Commanding, Hands, trusted_keys
from edge.afar.hearing import models_folder
from edge.afar.installed_models import Loaded
from edge.afar.model_updates import ModelUpdates, Surroundings, Watching
from edge.clock import Clock
from edge.errors import StoreError
from edge.recorder import Recorder
from edge.running.maintenance import SECONDS_PER_DAY
from edge.settings.home import Settings
from edge.store.store import Store
from edge.telling.telling import home_of

# How often it is looked what was refused, and how new models do, s. Our choice.
LOOK_EVERY_S: Final = 30.0

_log = structlog.get_logger("commands")


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
        self._step = asyncio.Event()
        self._publisher_wakes: Callable[[], None] = lambda: None
        self.updates = ModelUpdates(
            settings.home.models_directory,
            models_folder(settings.home.state_directory),
            clock,
            Surroundings(
                teller=self._teller,
                makers=lambda: {key.name: key.key for key in self._keys().values() if "package" in key.may},
                shadow_s=lambda: self._settings.models.shadow_days * SECONDS_PER_DAY,
                listen=self._listen,
            ),
        )
        self.inbox = Inbox(
            settings.home.id, clock, trusted_keys(settings), self._wake, self.updates.parts, self._teller
        )
        self._commanding: Commanding | None = None

    def load(self, store: Store) -> Loaded:
        """The models that count now. Raises StoreError."""
        return self.updates.load(store)

    def begin(
        self,
        store: Store,
        recorder: Recorder,
        attending: Answering,
        watching: Watching,
        reload: Callable[[], Awaitable[list[str]]],
        committed: Callable[[], None],
    ) -> None:
        """Give it what it may set in motion."""
        self._publisher_wakes = committed
        self.updates.begin(recorder, watching)
        hands = Hands(
            attending,
            self.updates,
            reload,
            lambda name: _person(name, self._settings, store),
            self._settings_file,
            committed,
        )
        self._commanding = Commanding(self._teller(store), self.inbox, store, recorder, self._clock, hands)
        self._commanding.take_on(self._settings)

    def take_on(self, settings: Settings) -> list[str]:
        """Go on with other settings; the tables whose changes need a restart, which are none."""
        self._settings = settings
        if self._commanding is not None:
            self._commanding.take_on(settings)
        return []

    async def run(self) -> None:
        """Obey what comes, and take models on their way, until cancelled."""
        assert self._commanding is not None  # noqa: S101 -- `begin` comes first
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commanding.run(self._arrived), name="obeying")
            group.create_task(self._update(), name="models")
            group.create_task(self._look_regularly(), name="ticks")

    async def _look_regularly(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._arrived.set()
            self._step.set()

    async def _update(self) -> None:
        while True:
            self._step.clear()
            try:
                await self.updates.look()
            except StoreError as error:
                _log.warning("models wait", error=str(error))
            except Exception:  # noqa: BLE001 -- whatever a package sets off must not end the watching
                _log.exception("models wait")
            self._publisher_wakes()
            await self._step.wait()

    async def close(self) -> None:
        """Write down what models have shown so far; commands that wait are obeyed at the next start."""
        try:
            await self.updates.close()
        except StoreError as error:
            _log.warning("what models have shown since the last look is lost", error=str(error))

    def faults(self) -> dict[str, str | None]:
        """What is wrong, by part; None where nothing is."""
        faults = {} if self._commanding is None else self._commanding.faults()
        return {**faults, "models": self.updates.fault()}

    def _teller(self, store: Store) -> Home:
        return home_of(self._settings, store) or Home(self._settings.home.id, store.pseudonyms)

    def _keys(self) -> dict[str, TrustedKey]:
        return trusted_keys(self._settings)

    def _listen(self, topics: frozenset[str]) -> None:
        """Have the publisher listen to other topics of parts."""
        if self.inbox.want(topics):
            self._publisher_wakes()

    def _wake(self) -> None:
        """Called from the publisher's thread; a loop that has ended needs nothing more."""
        with suppress(RuntimeError):  # asyncio's way to say that the loop is closed
            self._loop.call_soon_threadsafe(self._arrived.set)
            self._loop.call_soon_threadsafe(self._step.set)


def _person(name: str, settings: Settings, store: Store) -> str | None:
    """The id of the person who is called so here, or outside."""
    known = {person.id: person.id for person in settings.people}
    known |= {store.pseudonyms.person(person): person for person in known}
    return known.get(name)
