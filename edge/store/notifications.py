"""What the contacts are to be told, until it was sent.

waiting --mark_sending--> sending --mark_sent--> sent
   ^                         |
   +------mark_failed--------+

A row that is still `sending` although nobody sends it was cut off by a crash: it is due again, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.readings import Button, DueNotification, Notification, Severity
from edge.store.connection import Connection

# Nothing sends longer than this: a row that is `sending` since then was forgotten, even by a process that still lives.
# Our choice, far above the minutes that a slow mail server may take.
FORGOTTEN_AFTER_S: Final = 600.0
# No attempt is put off by longer than this, in seconds: one that is due later was put off before the clock was set
# back, and is due now. Our choice, twice the courier's longest delay.
PUT_OFF_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one contact was, or is still to be, told; `sent_at` is when the channel took it, None while it has not."""

    contact: str
    title: str
    created: float
    state: str
    sent_at: float | None
    attempts: int
    reason: str | None


class Notifications:
    """The table `notifications`; one courier per process may take them out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending: set[str] = set()

    def insert(self, notifications: Sequence[Notification]) -> None:
        """Store `notifications`, inside the caller's transaction; those that are there already stay as they are."""
        self._connection.execute_many(
            "INSERT OR IGNORE INTO notifications "
            "(id, alert_id, contact, title, body, severity, created, since, buttons, turn) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (*(n.id, n.alert_id, n.contact, n.title, n.body), n.severity, n.created, n.created, _buttons(n), n.turn)
                for n in notifications
            ),
        )

    def due_notifications(self, now: float) -> list[DueNotification]:
        """Those whose next attempt has come, oldest first, and those that a crash has cut off."""
        rows = self._connection.rows(
            "SELECT id, alert_id, contact, title, body, severity, created, buttons, turn, attempts, perhaps_repeated, "
            "state, since FROM notifications "
            "WHERE state = 'sending' OR (state = 'waiting' AND (since <= ? OR since > ?)) ORDER BY created, id",
            (now, now + PUT_OFF_S),
        )
        due = []
        for *stored, attempts, repeated, state, since in rows:
            notification = _notification(stored)
            cut_off = state == "sending"
            if cut_off and notification.id in self._sending and abs(now - since) < FORGOTTEN_AFTER_S:
                continue
            due.append(DueNotification(notification, attempts, perhaps_repeated=bool(repeated) or cut_off))
        return due

    def mark_sending(self, identifier: str, now: float) -> None:
        """Note that an attempt begins; on disk before the attempt, so that a crash in it is seen."""
        with self._connection.transaction(durable=True):
            self._connection.execute(
                "UPDATE notifications SET perhaps_repeated = max(perhaps_repeated, state = 'sending'), "
                "state = 'sending', since = ?, attempts = attempts + 1 WHERE id = ?",
                (now, identifier),
            )
        self._sending.add(identifier)

    def mark_sent(self, identifier: str, now: float) -> None:
        """Note that the channel has taken it."""
        with self._connection.transaction(durable=True):
            self._connection.execute(
                "UPDATE notifications SET state = 'sent', since = ?, reason = NULL WHERE id = ?", (now, identifier)
            )
        self._sending.discard(identifier)

    def mark_failed(self, identifier: str, next_try: float, reason: str) -> None:
        """Note that the channel has refused it, and when to try again."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE notifications SET state = 'waiting', since = ?, reason = ? WHERE id = ?",
                (next_try, reason, identifier),
            )
        self._sending.discard(identifier)

    def told_of(self, alert_id: str) -> list[Told]:
        """Who was told of an alert, and when, in the order in which it was to be told."""
        rows = self._connection.rows(
            "SELECT contact, title, created, state, since, attempts, reason FROM notifications WHERE alert_id = ? "
            "ORDER BY created, contact",
            (alert_id,),
        )
        return [
            Told(contact, title, created, state, since if state == "sent" else None, attempts, reason)
            for contact, title, created, state, since, attempts, reason in rows
        ]

    def unsent_notifications(self) -> int:
        """How many are not sent yet."""
        row = self._connection.row("SELECT count(*) FROM notifications WHERE state != 'sent'")
        return 0 if row is None else int(row[0])

    def forget_before(self, time: float) -> None:
        """Drop those that were sent before `time`, inside the caller's transaction."""
        self._connection.execute("DELETE FROM notifications WHERE state = 'sent' AND since < ?", (time,))


def _notification(row: Sequence[Any]) -> Notification:
    identifier, alert_id, contact, title, body, severity, created, buttons, turn = row
    answers = tuple(Button(button) for button in buttons.split())
    return Notification(identifier, alert_id, contact, title, body, Severity(severity), created, answers, turn)


def _buttons(notification: Notification) -> str:
    return " ".join(notification.buttons)
