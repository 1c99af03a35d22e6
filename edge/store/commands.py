"""Commands from afar that wait to be obeyed, and what became of all that ever came: the audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edge.notices import OutboxMessage
from edge.store.connection import Connection
from edge.store.outbox import Outbox

# Commands that may wait, 16 kB each at most. Our choice: one is done in milliseconds, a change of settings in a second.
MOST_WAITING: Final = 64
# Within this time, in seconds, refusals of one kind are one entry that counts them. Our choice.
TOGETHER_S: Final = 3600.0
# Entries that are kept, some 300 bytes each. Our choice: 10 a day for 365 days would be fewer.
MOST_ENTRIES: Final = 10_000
KEEP_S: Final = 365 * 86_400.0

Outcome = Literal["obeyed", "refused"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command as it came; `received_at` is in seconds since 1970 UTC."""

    position: int
    envelope: bytes
    received_at: float


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of a command, or of `count` of a kind; times are seconds since 1970 UTC.

    `command` is its id and `expires` its end, both None where no signature vouches for them; `key` is the name of the
    key, empty where it is not known; `reason` says why it was refused, `detail` in plain words what was done.
    """

    at: float
    outcome: Outcome
    command: str | None = None
    key: str = ""
    verb: str = ""
    reason: str = ""
    detail: str = ""
    expires: float | None = None
    count: int = 1
    last: float | None = None


class Commands:
    """The tables `commands` and `audit`.

    An id is used up with the entry that tells what became of its command. Entries are kept for a year; that a command
    was valid before the newest of those that were let go is remembered in `audit_floor`, so that none can come again,
    even where the clock is set back.
    """

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox

    def keep(self, envelope: bytes, received_at: float) -> bool:
        """Store a command until it is settled, on disk when this returns; False where too many wait."""
        with self._connection.transaction(durable=True):
            row = self._connection.row("SELECT count(*) FROM commands")
            if row is not None and row[0] >= MOST_WAITING:
                return False
            self._connection.execute(
                "INSERT INTO commands (envelope, received_at) VALUES (?, ?)", (envelope, received_at)
            )
        return True

    def waiting(self) -> list[Waiting]:
        """What is to be obeyed, in the order in which it came."""
        rows = self._connection.rows("SELECT position, envelope, received_at FROM commands ORDER BY position")
        return [Waiting(*row) for row in rows]

    def is_used(self, command: str, expires: float) -> bool:
        """Whether a command has been settled, or may have been so long ago that nobody knows."""
        row = self._connection.row("SELECT 1 FROM audit WHERE command = ?", (command,))
        floor = self._connection.row("SELECT expires FROM audit_floor")
        return row is not None or (floor is not None and expires <= floor[0])

    def settle(self, audit: Audit, messages: Sequence[OutboxMessage], position: int | None = None) -> bool:
        """Use an id up: its entry, what is told of it, and the end of its waiting are one transaction.

        False, and nothing is told, where the id was used up before.
        """
        with self._connection.transaction(durable=True):
            is_new = self._insert(audit)
            if is_new:
                self._outbox.insert(messages)
            if position is not None:
                self._connection.execute("DELETE FROM commands WHERE position = ?", (position,))
        return is_new

    def drop(self, position: int) -> None:
        """End the waiting of a command that nobody vouches for any more."""
        with self._connection.transaction(durable=True):
            self._connection.execute("DELETE FROM commands WHERE position = ?", (position,))

    def count(self, refusals: Iterable[Audit]) -> None:
        """Take refusals into the entries that count their kind."""
        with self._connection.transaction():
            for audit in refusals:
                row = self._connection.row(
                    "SELECT id FROM audit WHERE command IS NULL AND reason = ? AND key = ? AND at > ? AND at <= ?",
                    (audit.reason, audit.key, audit.at - TOGETHER_S, audit.at),
                )
                if row is None:
                    self._insert(audit)
                else:
                    self._connection.execute(
                        "UPDATE audit SET count = count + ?, last = ? WHERE id = ?", (audit.count, audit.at, row[0])
                    )

    def entries(self, limit: int) -> list[Audit]:
        """The newest `limit` entries, newest first."""
        rows = self._connection.rows(
            "SELECT at, outcome, command, key, verb, reason, detail, expires, count, last FROM audit "
            "ORDER BY at DESC, id DESC LIMIT ?",
            (limit,),
        )
        return [Audit(*row) for row in rows]

    def _insert(self, audit: Audit) -> bool:
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO audit (at, outcome, command, key, verb, reason, detail, expires, count, last) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                audit.at,
                audit.outcome,
                audit.command,
                audit.key,
                audit.verb,
                audit.reason,
                audit.detail,
                audit.expires,
                audit.count,
                audit.at if audit.last is None else audit.last,
            ),
        )
        self._drop("id <= (SELECT max(id) FROM audit) - ?", MOST_ENTRIES)
        self._drop("at < ?", audit.at - KEEP_S)
        return cursor.rowcount == 1

    def _drop(self, which: str, value: float) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO audit_floor (one, expires) SELECT 1, max(expires, "  # noqa: S608 -- ours
            "coalesce((SELECT expires FROM audit_floor), 0)) FROM (SELECT max(expires) AS expires FROM audit "
            f"WHERE {which}) WHERE expires IS NOT NULL",
            (value,),
        )
        self._connection.execute(f"DELETE FROM audit WHERE {which}", (value,))  # noqa: S608 -- ours
