"""Whether a home hears anything from outside: one that trusts no key loads nothing of what commands need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge.afar.installed_models import InstalledModels, Loaded, load_installed
from edge.clock import Clock
from edge.settings.home import Settings
from edge.store.store import Store

if TYPE_CHECKING:
    from edge.afar.afar import Afar
    from edge.afar.commanding import Answering
    from edge.afar.model_updates import Watching
    from edge.recorder import Recorder


class Deaf:
    """A home that obeys nobody; it does what an Afar does, and that is nothing but to load the models."""

    inbox = None

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def load(self, _store: Store) -> Loaded:
        """The models that came with Hearthbeat."""
        home = self._settings.home
        return load_installed(InstalledModels(home.models_directory, models_folder(home.state_directory)), [])

    def begin(
        self,
        store: Store,
        recorder: Recorder,
        attending: Answering,
        watching: Watching,
        reload: Callable[[], Awaitable[list[str]]],
        committed: Callable[[], None],
    ) -> None:
        """Do nothing."""

    def take_on(self, settings: Settings) -> list[str]:
        """The tables whose changes need a restart: [commands], when the first key comes."""
        return ["commands"] if settings.commands.keys else []

    async def run(self) -> None:
        """Do nothing, until cancelled."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Do nothing."""

    def faults(self) -> dict[str, str | None]:
        """Nothing is wrong."""
        return {}


def hearing(settings: Settings, clock: Clock, settings_file: Path | None, store: Store) -> Afar | Deaf:
    """The way of commands, in a home that trusts a key, or has a model that came from outside. Raises StoreError."""
    if not settings.commands.keys and not store.model_updates.all():
        return Deaf(settings)
    from edge.afar.afar import Afar  # noqa: PLC0415 -- it takes 3 MB

    return Afar(settings, clock, settings_file)


def models_folder(state_directory: Path) -> Path:
    """Where models that came from outside are kept."""
    return state_directory / "models"
