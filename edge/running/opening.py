"""Opening the store, for as long as it takes; whoever looks after the house is told when that is too long.

While the store cannot be opened nobody is watched, and no fault can be kept: the phones are told directly, once by
each process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog

from edge.clock import Clock
from edge.errors import StoreError
from edge.notices import Severity
from edge.notify import phone
from edge.notify.phone import Contact, Delivery, Message
from edge.running.status import STORE_NAME
from edge.settings.home import Settings
from edge.store.store import Store

# How often a store that cannot be opened is tried again, s. Our choice.
RETRY_OPEN_S: Final = 10.0
# Our choice: a disk that is mounted late, or checked at a start, is there within minutes.
TELL_AFTER_S: Final = 600.0
# How often a phone that could not be told is tried again, in seconds of the clock. Our choice.
TELL_EVERY_S: Final = 300.0

_log = structlog.get_logger("daemon")


def open_store(folder: Path, settings: Settings) -> Store:
    """Open the store of a home; raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        mend = "create it and let this user write there"
        raise StoreError(error.strerror or str(error), where=str(folder), mend=mend) from error
    budget = settings.broker.outbox_budget_mb * 1024 * 1024 if settings.broker is not None else 0
    return Store(folder / STORE_NAME, budget)


class Opening:
    """Opens the store of a home. `wait` is told, once each, why it cannot be opened yet; `send` tells a phone."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        contacts: Iterable[Contact],
        *,
        wait: Callable[[str], None],
        send: Callable[[Contact, Message], Awaitable[Delivery]] = phone.tell,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._contacts: Mapping[str, Contact] = {contact.id: contact for contact in contacts}
        self._wait = wait
        self._send = send
        self._untold = list(dict.fromkeys(settings.home.contacts or (p.contacts[0] for p in settings.people)))
        self._told: list[str] = []

    async def open(self, stopping: asyncio.Event) -> Store | None:
        """The store as soon as it can be opened; None when `stopping` came first."""
        began, tell_at, known = self._clock.monotonic(), TELL_AFTER_S, ""
        while not stopping.is_set():
            try:
                store = await asyncio.to_thread(open_store, self._settings.home.state_directory, self._settings)
            except StoreError as error:
                if str(error) != known:
                    known = str(error)
                    _log.error("the store cannot be opened", error=known)
                    self._wait(known)
            else:
                await self._tell(self._told, "Hearthbeat works again", "It watches again since just now.")
                return store
            if self._clock.monotonic() - began >= tell_at:
                tell_at += TELL_EVERY_S
                body = f"Nobody is watched, since Hearthbeat cannot start: {known}."
                told = await self._tell(self._untold, "Hearthbeat cannot start", body, Severity.CRITICAL)
                self._told += told
                self._untold = [contact for contact in self._untold if contact not in told]
            await self._clock.sleep(RETRY_OPEN_S)
        return None

    async def _tell(
        self, contacts: Iterable[str], title: str, body: str, severity: Severity = Severity.INFO
    ) -> list[str]:
        """Tell the phones directly; those that took it."""
        told = []
        for contact in contacts:
            delivery = await self._send(self._contacts[contact], Message(title, body, severity))
            if delivery.accepted:
                told.append(contact)
            else:
                _log.warning("contact not told", contact=contact, reason=delivery.reason)
        return told
