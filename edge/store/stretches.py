"""Hours and days that wait to be told, and how often each was.

What is told of a person's minutes marks the hour and the day that hold them, a stored Assessment the hour in which its
window ends. As with minutes, a telling takes the mark away only if nothing came in between, and late data mark a told
stretch again for a further revision: nothing is forgotten whenever the process dies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.notices import OutboxMessage
from edge.readings import Assessment
from edge.store.assessments import name_ids
from edge.store.connection import Connection
from edge.store.outbox import Outbox
from edge.store.signals import SECONDS_PER_MINUTE

SECONDS_PER_HOUR: Final = 3600


class Level(StrEnum):
    """What a stretch is told of."""

    HOUR = "hour"
    DAY = "day"
    ASSESSED = "assessed"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch as such: what has start < time <= end, in s since 1970 UTC; `label` is a day's date and time zone."""

    level: Level
    start: float
    end: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class DirtyStretch:
    """A stretch of one person of which something is not told yet.

    `revision` is that of the telling to come, `touches` how often something came since the last one.
    """

    person: str
    span: Span
    revision: int
    touches: int

    @property
    def start(self) -> float:
        """Seconds since 1970 UTC."""
        return self.span.start

    @property
    def end(self) -> float:
        """Seconds since 1970 UTC."""
        return self.span.end


def hour_of(end: float, level: Level) -> Span:
    """The hour that holds the time `end`, s since 1970 UTC; its own end is in it, its start is not."""
    start = -(-end // SECONDS_PER_HOUR) * SECONDS_PER_HOUR - SECONDS_PER_HOUR
    return Span(level, start, start + SECONDS_PER_HOUR)


class Stretches:
    """The table `stretches`."""

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox

    def mark(self, touched: Iterable[tuple[str, Span]]) -> None:
        """Mark stretches of people, inside the caller's transaction."""
        pairs = set(touched)
        ids = name_ids(self._connection, (person for person, _ in pairs))
        self._connection.execute_many(
            "INSERT INTO stretches VALUES (?, ?, ?, ?, ?, 1, 0) ON CONFLICT DO UPDATE SET "
            "touches = touches + 1, end = excluded.end, label = excluded.label",
            ((ids[person], span.level, span.start, span.end, span.label) for person, span in pairs),
        )

    def mark_assessments(self, assessments: Iterable[Assessment]) -> None:
        """Mark the hours in which windows end, inside the caller's transaction."""
        self.mark((one.person, hour_of(one.end, Level.ASSESSED)) for one in assessments)

    def dirty_stretches(self, before: float, limit: int = 24) -> list[DirtyStretch]:
        """The oldest `limit` marked stretches that end no later than `before` and of which every minute was told."""
        rows = self._connection.rows(
            "SELECT n.name, s.level, s.start, s.end, s.label, s.revision + 1, s.touches FROM stretches s "
            "JOIN names n ON n.id = s.person WHERE s.touches > 0 AND s.end <= ? "
            "AND (s.level = 'assessed' OR NOT EXISTS (SELECT 1 FROM dirty_minutes d "
            "WHERE d.person = s.person AND d.minute >= s.start / ? AND "
            "d.minute < s.end / ?)) ORDER BY s.end, s.level, n.name LIMIT ?",
            (before, SECONDS_PER_MINUTE, SECONDS_PER_MINUTE, limit),
        )
        return [
            DirtyStretch(person, Span(Level(level), start, end, label), revision, touches)
            for person, level, start, end, label, revision, touches in rows
        ]

    def commit_told(self, stretch: DirtyStretch, message: OutboxMessage | None) -> None:
        """Put what tells a stretch into the outbox and take its mark away, in one transaction; None tells nothing."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE stretches SET revision = ?, touches = touches - ? WHERE level = ? AND start = ? "
                "AND person = (SELECT id FROM names WHERE name = ?)",
                (
                    stretch.revision if message is not None else stretch.revision - 1,
                    stretch.touches,
                    stretch.span.level,
                    stretch.start,
                    stretch.person,
                ),
            )
            self._outbox.insert([] if message is None else [message])

    def forget_before(self, time: float) -> None:
        """Drop what is known of stretches that end before `time`, inside the caller's transaction."""
        self._connection.execute("DELETE FROM stretches WHERE end < ?", (time,))
