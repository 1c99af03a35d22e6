"""What the contacts are to be told, until it was sent.

waiting --mark_sending--> sending --mark_sent--> sent
   ^                         |
   +------mark_failed--------+

A row that is still `sending` although nobody sends it was cut off by a crash: it is due again, and says so. Beside them
the log of deliveries: every attempt, over which channel, and what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.notices import Attempt, Button, DueNotification, Notification, Severity
from edge.store.connection import Connection

# Nothing sends longer than this: a row that is `sending` since then was forgotten, even by a process that still lives.
# Our choice, far above the minutes that a slow mail server may take.
FORGOTTEN_AFTER_S: Final = 600.0
# No attempt is put off by longer than this, in seconds: one that is due later was put off before the clock was set
# back, and is due now. Our choice, twice the courier's longest delay.
PUT_OFF_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one contact was, or is still to be, told; `sent_at` is when the channel took it, None while it has not.

    `log` is every attempt, oldest first.
    """

    contact: str
    title: str
    created: float
    state: str
    sent_at: float | None
    attempts: int
    reason: str | None
    log: tuple[Attempt, ...] = ()


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
        """All that waits, oldest first, if the next attempt of any has come; what a crash has cut off is due too."""
        rows = self._connection.rows(
            "SELECT id, alert_id, contact, title, body, severity, created, buttons, turn, attempts, perhaps_repeated, "
            "state, since FROM notifications WHERE state != 'sent' AND EXISTS (SELECT 1 FROM notifications "
            "WHERE state = 'sending' OR (state = 'waiting' AND (since <= ? OR since > ?))) ORDER BY created, id",
            (now, now + PUT_OFF_S),
        )
        waiting = []
        for *stored, attempts, repeated, state, since in rows:
            notification = _notification(stored)
            cut_off = state == "sending"
            if cut_off and notification.id in self._sending and abs(now - since) < FORGOTTEN_AFTER_S:
                continue
            is_due = cut_off or not now < since <= now + PUT_OFF_S
            waiting.append(DueNotification(notification, attempts, bool(repeated) or cut_off, is_due))
        return waiting if any(one.is_due for one in waiting) else []

    def mark_sending(self, identifiers: Sequence[str], now: float) -> None:
        """Note that an attempt begins; on disk before the attempt, so that a crash in it is seen."""
        with self._connection.transaction(durable=True):
            self._connection.execute_many(
                "UPDATE notifications SET perhaps_repeated = max(perhaps_repeated, state = 'sending'), "
                "state = 'sending', since = ?, attempts = attempts + 1 WHERE id = ?",
                [(now, identifier) for identifier in identifiers],
            )
        self._sending.update(identifiers)

    def mark_sent(self, identifiers: Sequence[str], now: float, log: Sequence[Attempt] = ()) -> None:
        """Note that a channel has taken them, and the attempts that it took."""
        with self._connection.transaction(durable=True):
            self._connection.execute_many(
                "UPDATE notifications SET state = 'sent', since = ?, reason = NULL WHERE id = ?",
                [(now, identifier) for identifier in identifiers],
            )
            self._log(identifiers, log)
        self._sending.difference_update(identifiers)

    def mark_failed(
        self,
        identifiers: Sequence[str],
        next_try: float,
        reason: str,
        log: Sequence[Attempt] = (),
        *,
        perhaps_told: bool = False,
    ) -> None:
        """Note that no channel has taken them, why, and when to try again; `perhaps_told` where nobody knows."""
        with self._connection.transaction():
            self._connection.execute_many(
                "UPDATE notifications SET state = 'waiting', since = ?, reason = ?, "
                "perhaps_repeated = max(perhaps_repeated, ?) WHERE id = ?",
                [(next_try, reason, perhaps_told, identifier) for identifier in identifiers],
            )
            self._log(identifiers, log)
        self._sending.difference_update(identifiers)

    def make_due(self, contacts: Sequence[str] | None, now: float) -> None:
        """Let all that waits for these contacts, or for everybody, be tried again at once."""
        with self._connection.transaction():
            for contact in [None] if contacts is None else contacts:
                self._connection.execute(
                    "UPDATE notifications SET since = min(since, ?1) WHERE state = 'waiting' "
                    "AND (?2 IS NULL OR contact = ?2)",
                    (now, contact),
                )

    def told_since(self, moment: float) -> dict[str, list[float]]:
        """By contact, when messages were taken since `moment`."""
        rows = self._connection.rows(
            "SELECT DISTINCT contact, message, at FROM deliveries WHERE at > ? AND accepted ORDER BY at", (moment,)
        )
        told: dict[str, list[float]] = {}
        for contact, _, at in rows:
            told.setdefault(contact, []).append(at)
        return told

    def told_of(self, alert_id: str) -> list[Told]:
        """Who was told of an alert, and when, in the order in which it was to be told."""
        log: dict[str, list[Attempt]] = {}
        for notification, *attempt in self._connection.rows(
            "SELECT notification, message, channel, at, reason FROM deliveries WHERE alert_id = ? ORDER BY id",
            (alert_id,),
        ):
            log.setdefault(notification, []).append(Attempt(*attempt))
        rows = self._connection.rows(
            "SELECT id, contact, title, created, state, since, attempts, reason FROM notifications WHERE alert_id = ? "
            "ORDER BY created, contact",
            (alert_id,),
        )
        return [
            Told(
                *(contact, title, created, state, since if state == "sent" else None, attempts, reason),
                log=tuple(log.get(identifier, ())),
            )
            for identifier, contact, title, created, state, since, attempts, reason in rows
        ]

    def has(self, identifier: str) -> bool:
        """Whether one with this id was stored, be it sent or not."""
        return self._connection.row("SELECT 1 FROM notifications WHERE id = ?", (identifier,)) is not None

    def unsent_notifications(self) -> int:
        """How many are not sent yet."""
        row = self._connection.row("SELECT count(*) FROM notifications WHERE state != 'sent'")
        return 0 if row is None else int(row[0])

    def forget_before(self, time: float) -> None:
        """Drop those that were sent, and the attempts that were made, before `time`; in the caller's transaction.

        Who was told of an alert that is still open stays known.
        """
        is_over = "alert_id NOT IN (SELECT id FROM alerts WHERE state = 'raised')"
        self._connection.execute(
            f"DELETE FROM notifications WHERE state = 'sent' AND since < ? AND {is_over}",  # noqa: S608 -- ours
            (time,),
        )
        self._connection.execute(f"DELETE FROM deliveries WHERE at < ? AND {is_over}", (time,))  # noqa: S608 -- ours

    def _log(self, identifiers: Sequence[str], log: Sequence[Attempt]) -> None:
        self._connection.execute_many(
            "INSERT INTO deliveries (notification, alert_id, contact, message, at, channel, accepted, reason) "
            "SELECT id, alert_id, contact, ?, ?, ?, ?, ? FROM notifications WHERE id = ?",
            [
                (*(one.message, one.at, one.channel, one.accepted, one.reason), identifier)
                for one in log
                for identifier in identifiers
            ],
        )


def _notification(row: Sequence[Any]) -> Notification:
    identifier, alert_id, contact, title, body, severity, created, buttons, turn = row
    answers = tuple(Button(button) for button in buttons.split())
    return Notification(identifier, alert_id, contact, title, body, Severity(severity), created, answers, turn)


def _buttons(notification: Notification) -> str:
    return " ".join(notification.buttons)
