"""Which minutes wait for their summary, and how often each was told.

Every commit marks the minutes that its samples fall into. A summary takes the mark away only if no sample came in
between; a late sample marks a told minute again, and its next summary is a further revision. Thus no minute is
forgotten whenever the process dies, and none is told twice alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.notices import OutboxMessage
from edge.store.assessments import name_ids
from edge.store.connection import Connection
from edge.store.outbox import Outbox
from edge.store.signals import SECONDS_PER_MINUTE
from edge.store.stretches import Span, Stretches


@dataclass(frozen=True, slots=True)
class DirtyMinute:
    """A minute of one person whose samples no summary has told yet.

    It holds the samples with start < time <= start + 60 s; `minute` counts from 1970 UTC. `revision` is higher than
    that of every summary of this minute so far: 1 for a minute that was never told, however late its samples come, 2
    and on for one that is told again.
    `touches` is how many commits have brought samples since the last summary.
    """

    person: str
    minute: int
    revision: int
    touches: int

    @property
    def start(self) -> float:
        """Seconds since 1970 UTC."""
        return float(self.minute * SECONDS_PER_MINUTE)

    @property
    def end(self) -> float:
        """Seconds since 1970 UTC."""
        return self.start + SECONDS_PER_MINUTE


class Minutes:
    """The tables `dirty_minutes`, `told` and `revisions`; `asked_for` counts how often minutes were wanted again."""

    def __init__(self, connection: Connection, outbox: Outbox, stretches: Stretches) -> None:
        self._connection = connection
        self._outbox = outbox
        self._stretches = stretches
        self.asked_for = 0

    def mark(self, touched: Iterable[tuple[str, int]]) -> None:
        """Mark (person, minute) pairs, inside the caller's transaction."""
        pairs = list(touched)
        ids = name_ids(self._connection, (person for person, _ in pairs))
        self._connection.execute_many(
            "INSERT INTO dirty_minutes VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET touches = touches + 1",
            ((ids[person], minute) for person, minute in pairs),
        )

    def mark_told(self, person: str, since: float, until: float) -> int:
        """Mark the told minutes of a person between two times (s since 1970 UTC), to be told again; how many."""
        with self._connection.transaction():
            first, last = math.floor(since / SECONDS_PER_MINUTE), math.ceil(until / SECONDS_PER_MINUTE) - 1
            told = self._connection.rows(
                "SELECT max(t.first, ?), min(t.last, ?) FROM told t JOIN names n ON n.id = t.person "
                "WHERE n.name = ? AND t.first <= ? AND t.last >= ?",
                (first, last, person, last, first),
            )
            minutes = [minute for begin, end in told for minute in range(begin, end + 1)]
            self.mark((person, minute) for minute in minutes)
        self.asked_for += 1
        return len(minutes)

    def dirty_people(self, before: float) -> list[str]:
        """Who has marked minutes that end no later than `before` (seconds since 1970 UTC)."""
        rows = self._connection.rows(
            "SELECT DISTINCT n.name FROM dirty_minutes d JOIN names n ON n.id = d.person WHERE (d.minute + 1) * ? <= ? "
            "ORDER BY n.name",
            (SECONDS_PER_MINUTE, before),
        )
        return [person for (person,) in rows]

    def dirty_minutes(self, before: float, limit: int = 1440, person: str | None = None) -> list[DirtyMinute]:
        """The oldest `limit` marked minutes, of all or `person`, that end no later than `before` (s since 1970 UTC)."""
        rows = self._connection.rows(
            "SELECT n.name, d.minute, coalesce(r.revision, (SELECT t.last >= d.minute FROM told t "
            "WHERE t.person = d.person AND t.first <= d.minute ORDER BY t.first DESC LIMIT 1), 0) + 1, d.touches "
            "FROM dirty_minutes d JOIN names n ON n.id = d.person "
            "LEFT JOIN revisions r ON r.person = d.person AND r.minute = d.minute "
            "WHERE (d.minute + 1) * ? <= ? AND (? IS NULL OR n.name = ?) ORDER BY d.minute, n.name LIMIT ?",
            (SECONDS_PER_MINUTE, before, person, person, limit),
        )
        return [DirtyMinute(*row) for row in rows]

    def commit_summaries(
        self,
        minutes: Sequence[DirtyMinute],
        messages: Sequence[OutboxMessage],
        touched: Iterable[tuple[str, Span]] = (),
    ) -> None:
        """Put the messages that tell `minutes` into the outbox, note revisions and take marks away: one transaction.

        `touched` are the hours and days that are to be told again with them.
        """
        with self._connection.transaction():
            ids = name_ids(self._connection, (dirty.person for dirty in minutes))
            for dirty in minutes:
                minute = (ids[dirty.person], dirty.minute)
                self._note_told(*minute)
                if dirty.revision > 1:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO revisions VALUES (?, ?, ?)", (*minute, dirty.revision)
                    )
                self._connection.execute(
                    "DELETE FROM dirty_minutes WHERE person = ? AND minute = ? AND touches = ?",
                    (*minute, dirty.touches),
                )
            self._stretches.mark(touched)
            self._outbox.insert(messages)

    def _note_told(self, person: int, minute: int) -> None:
        """Take a minute into the stretches of told ones: it lengthens one, joins two, or begins one of its own."""
        row = self._connection.row(
            "SELECT first, last FROM told WHERE person = ? AND first <= ? ORDER BY first DESC LIMIT 1", (person, minute)
        )
        first, last = (minute, minute) if row is None or row[1] < minute - 1 else (row[0], max(row[1], minute))
        after = self._connection.row("SELECT last FROM told WHERE person = ? AND first = ?", (person, minute + 1))
        if after is not None:
            last = after[0]
            self._connection.execute("DELETE FROM told WHERE person = ? AND first = ?", (person, minute + 1))
        self._connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", (person, first, last))

    def forget_before(self, time: float) -> None:
        """Drop what is known of minutes before `time`, inside the caller's transaction."""
        minute = time // SECONDS_PER_MINUTE
        self._connection.execute("DELETE FROM dirty_minutes WHERE minute < ?", (minute,))
        self._connection.execute("DELETE FROM revisions WHERE minute < ?", (minute,))
        self._connection.execute("DELETE FROM told WHERE last < ?", (minute,))
