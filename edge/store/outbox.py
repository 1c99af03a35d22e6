"""The outbox: what must reach the broker waits here, on disk, until the broker has taken it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from edge.notices import OutboxMessage, Priority
from edge.store.connection import Connection

# The rank of each priority: the lowest leaves first, the highest is dropped first.
_RANKS: Final = {priority: rank for rank, priority in enumerate(Priority)}
_PRIORITIES: Final = tuple(Priority)
# What a row costs beside its texts and payload: two index entries, record headers, numbers. Our estimate, rounded up.
_ROW_OVERHEAD: Final = 100
_OVER_BUDGET: Final = "disk budget"


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message that the broker refused for good, with the broker's reason."""

    message: OutboxMessage
    reason: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How many messages wait, how many were refused for good and why the newest was, how many the budget has cost."""

    waiting: int
    parked: int
    last_refusal: str
    over_budget: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages of one priority that had to go unsent: why, how many, and when the oldest and newest were created."""

    priority: Priority
    reason: str
    messages: int
    oldest: float
    newest: float


class Outbox:
    """The tables `outbox` and `loss`; `budget` is what messages may take of the disk, bytes."""

    def __init__(self, connection: Connection, budget: int) -> None:
        self._connection = connection
        self._budget = budget

    def insert(self, messages: Sequence[OutboxMessage]) -> None:
        """Store `messages`, inside the caller's transaction; those that are there already stay as they are."""
        self._connection.execute_many(
            "INSERT OR IGNORE INTO outbox (id, topic, payload, priority, created, bytes) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    message.id,
                    message.topic,
                    message.payload,
                    _RANKS[message.priority],
                    message.created,
                    len(message.payload) + len(message.topic) + 2 * len(message.id) + _ROW_OVERHEAD,
                )
                for message in messages
            ),
        )
        if messages:
            self._keep_budget()

    def next_messages(self, limit: int, exclude: Collection[str] = ()) -> list[OutboxMessage]:
        """The next `limit` messages to send, most urgent first, then oldest first; those in `exclude` are left out."""
        rows = self._connection.rows(
            "SELECT id, topic, payload, priority, created FROM outbox WHERE (refusal IS NOT NULL) = 0 "
            "ORDER BY priority, created, position LIMIT ?",
            (limit + len(exclude),),
        )
        messages = [_message(*row) for row in rows if row[0] not in exclude]
        return messages[:limit]

    def delete_messages(self, ids: Collection[str]) -> None:
        """Take out the messages that the broker has."""
        with self._connection.transaction():
            self._connection.execute_many("DELETE FROM outbox WHERE id = ?", ((identifier,) for identifier in ids))

    def park_message(self, identifier: str, reason: str) -> None:
        """Set aside a message that the broker refused for good: it is kept to be looked at, but sent no more."""
        with self._connection.transaction():
            self._connection.execute("UPDATE outbox SET refusal = ? WHERE id = ?", (reason, identifier))

    def release(self, topic: str, reason: str, most: int = -1) -> None:
        """Let messages that were set aside for this reason be sent again: the oldest `most` of a topic, or all."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE outbox SET refusal = NULL WHERE position IN (SELECT position FROM outbox "
                "WHERE (refusal IS NOT NULL) = 1 AND refusal = ? AND topic = ? ORDER BY created, position LIMIT ?)",
                (reason, topic, most),
            )

    def send_again(self, ids: Collection[str]) -> None:
        """Let these messages, which were set aside, be sent again."""
        with self._connection.transaction():
            self._connection.execute_many(
                "UPDATE outbox SET refusal = NULL WHERE id = ?", ((identifier,) for identifier in ids)
            )

    def parked_topics(self, reason: str) -> set[str]:
        """The topics of messages that were set aside for this reason."""
        rows = self._connection.rows(
            "SELECT DISTINCT topic FROM outbox WHERE (refusal IS NOT NULL) = 1 AND refusal = ?", (reason,)
        )
        return {topic for (topic,) in rows}

    def outbox_depth(self) -> int:
        """How many messages wait to be sent."""
        row = self._connection.row("SELECT count(*) FROM outbox WHERE (refusal IS NOT NULL) = 0")
        return 0 if row is None else int(row[0])

    def figures(self) -> Figures:
        """What there is to know without reading messages."""
        parked = self._connection.row("SELECT count(*) FROM outbox WHERE (refusal IS NOT NULL) = 1")
        last = self._connection.row(
            "SELECT refusal FROM outbox WHERE (refusal IS NOT NULL) = 1 ORDER BY created DESC, position DESC LIMIT 1"
        )
        lost = self._connection.row("SELECT sum(messages) FROM loss WHERE reason = ?", (_OVER_BUDGET,))
        return Figures(
            self.outbox_depth(),
            0 if parked is None else parked[0],
            "" if last is None else last[0],
            0 if lost is None else lost[0] or 0,
        )

    def made(self, day: int) -> dict[Priority, int]:
        """How many messages there were of a UTC day, counted since 1970: what a receiver should have in the end.

        One that is told again after it was sent counts again.
        """
        rows = self._connection.rows("SELECT priority, messages FROM made WHERE day = ?", (day,))
        return {_PRIORITIES[rank]: messages for rank, messages in rows}

    def parked(self) -> list[RefusedMessage]:
        """The messages set aside, newest first."""
        rows = self._connection.rows(
            "SELECT id, topic, payload, priority, created, refusal FROM outbox WHERE (refusal IS NOT NULL) = 1 "
            "ORDER BY created DESC, position DESC"
        )
        return [RefusedMessage(_message(*row[:5]), row[5]) for row in rows]

    def losses(self) -> list[Loss]:
        """What had to go unsent since the store was made."""
        rows = self._connection.rows(
            "SELECT priority, reason, messages, oldest, newest FROM loss ORDER BY priority, reason"
        )
        return [Loss(_PRIORITIES[rank], *rest) for rank, *rest in rows]

    def _keep_budget(self) -> None:
        """Drop messages until the rest fits the budget: refused ones first, then the oldest of the least urgent."""
        row = self._connection.row("SELECT sum(bytes) FROM outbox INDEXED BY outbox_in_order")
        excess = 0 if row is None else (row[0] or 0) - self._budget
        if excess <= 0:
            return
        dropped = self._connection.rows(
            "DELETE FROM outbox WHERE position IN (SELECT position FROM (SELECT position, sum(bytes) OVER "
            "(ORDER BY refusal IS NOT NULL DESC, priority DESC, created, position) - bytes AS freed FROM outbox) "
            "WHERE freed < ?) "
            "RETURNING priority, iif(refusal IS NULL, ?, 'refused by the broker'), created",
            (excess, _OVER_BUDGET),
        )
        self._connection.execute_many(
            "INSERT INTO loss VALUES (?, ?, 1, ?, ?) ON CONFLICT (priority, reason) DO UPDATE SET "
            "messages = messages + 1, oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest)",
            ((rank, reason, created, created) for rank, reason, created in dropped),
        )


def _message(identifier: str, topic: str, payload: bytes, rank: int, created: float) -> OutboxMessage:
    return OutboxMessage(identifier, topic, payload, _PRIORITIES[rank], created)
