"""The store: one SQLite file, and one transaction for all that belongs together."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge.errors import StoreError
from edge.notices import Alert, Notification, OutboxMessage
from edge.readings import Assessment, Claim, Memory, Reading
from edge.store import erasure
from edge.store.alerts import Alerts
from edge.store.assessments import Assessments
from edge.store.claims import Claims
from edge.store.commands import Commands
from edge.store.connection import Connection, store_error
from edge.store.links import Links
from edge.store.memories import Memories
from edge.store.minutes import Minutes
from edge.store.model_updates import ModelUpdates
from edge.store.notifications import Notifications
from edge.store.outbox import Outbox
from edge.store.pseudonyms import stored_pseudonyms
from edge.store.schema import migrate
from edge.store.signals import Signals
from edge.store.stretches import Stretches
from edge.telling.pseudonyms import Pseudonyms

DEFAULT_OUTBOX_BUDGET: Final = 64 * 1024 * 1024
# Given back in one go; our choice: so many that two goes are rare.
_MANY_PAGES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit stores: `alerts` with the `notifications` and `messages` that tell them.

    `memories` are what the wearables' profiles know once these `readings` are stored.
    """

    readings: Sequence[Reading] = ()
    assessments: Sequence[Assessment] = ()
    alerts: Sequence[Alert] = ()
    notifications: Sequence[Notification] = ()
    messages: Sequence[OutboxMessage] = ()
    memories: Sequence[Memory] = ()
    claims: Sequence[Claim] = ()


class Store:
    """The file `path`, made when it is not there; for one thread at a time, each further thread opens its own.

    What is kept is reached through `signals`, `assessments`, `alerts`, `notifications`, `minutes`, `stretches`,
    `memories`, `claims`, `commands`, `links` and `outbox`; `outbox_budget` is what unsent messages may take of the
    disk, bytes. `pseudonyms` are the names under which people and wearables are known outside. Every method raises
    StoreError when the file cannot be read or written; what was committed before is then unharmed, and the call can be
    repeated.
    """

    def __init__(self, path: Path, outbox_budget: int = DEFAULT_OUTBOX_BUDGET) -> None:
        self.path = path
        self._connection = Connection(path)
        try:
            migrate(self._connection)
            self.pseudonyms: Pseudonyms = stored_pseudonyms(self._connection)
        except BaseException:
            self._connection.close()
            raise
        self.signals = Signals(self._connection)
        self.assessments = Assessments(self._connection)
        self.alerts = Alerts(self._connection)
        self.notifications = Notifications(self._connection)
        self.memories = Memories(self._connection)
        self.outbox = Outbox(self._connection, outbox_budget)
        self.stretches = Stretches(self._connection, self.outbox)
        self.minutes = Minutes(self._connection, self.outbox, self.stretches)
        self.claims = Claims(self._connection, self.signals, self.minutes)
        self.commands = Commands(self._connection, self.outbox)
        self.model_updates = ModelUpdates(self._connection, self.outbox)
        self.links = Links(self._connection)

    def commit(self, batch: Batch) -> None:
        """Store `batch`, all or nothing.

        The call returns when the disk has it: with group commits that is one write every few seconds, and the loss
        bound holds for a power cut too. What has an id is stored once however often it comes; readings are not, so
        repeat a commit only when it has failed.
        """
        with self._connection.transaction(durable=True):
            self.minutes.mark(self.signals.append(batch.readings))
            self.assessments.insert(batch.assessments)
            self.stretches.mark_assessments(batch.assessments)
            self.alerts.upsert(batch.alerts)
            self.notifications.insert(batch.notifications)
            self.outbox.insert(batch.messages)
            self.memories.put(batch.memories)
            self.claims.insert(batch.claims)

    def forget_before(self, time: float, raw_time: float = -math.inf) -> None:
        """Drop signals (by whole blocks), assessments and sent notifications before `time` (seconds since 1970 UTC).

        Raw channels (see readings.RAW_CHANNELS) are dropped before `raw_time`, where that is later.
        """
        with self._connection.transaction():
            self.signals.forget_before(time, raw_time)
            self.assessments.forget_before(time)
            self.notifications.forget_before(time)
            self.alerts.forget_before(time)
            self.minutes.forget_before(time)
            self.stretches.forget_before(time)
            self.claims.forget_before(time)
            self.links.forget_before(time)

    def people(self) -> list[str]:
        """Everybody of whom signals or alerts are kept."""
        return erasure.people(self._connection)

    def erase(self, person: str) -> dict[str, int]:
        """Take out all that is kept of a person, without a trace in the file; how many rows of each table that were."""
        return erasure.erase(self._connection, person, self.pseudonyms.person(person))

    def maintain(self) -> None:
        """Give all free pages back to the disk; once a day is enough."""
        while self.give_back(_MANY_PAGES):
            pass

    def give_back(self, pages: int) -> bool:
        """Give as many free pages back to the disk; whether there are more."""
        return self._connection.vacuum(pages)

    def check(self) -> None:
        """Look through the whole file; raises StoreError when it is damaged."""
        problems = [row[0] for row in self._connection.rows("PRAGMA quick_check")]
        if problems != ["ok"]:
            raise StoreError(
                f"the database is damaged ({problems[0]})",
                where=str(self.path),
                mend="move it away and put the newest backup in its place",
            )

    def backup(self, path: Path) -> None:
        """Write a copy of the store to `path` while others go on writing; an older copy stays until it is done."""
        partial = path.with_name(path.name + ".partial")
        try:
            partial.unlink(missing_ok=True)
            self._connection.execute("VACUUM INTO ?", (str(partial),))
            with partial.open("rb") as copy:
                os.fsync(copy.fileno())  # SQLite leaves that to us
            partial.replace(path)
        except OSError as error:
            raise store_error(error, path) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
