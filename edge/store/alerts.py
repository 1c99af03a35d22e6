"""Episodes: one row per Alert, in its present state; and the snoozes, which outlive the episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edge.notices import Alert, AlertState, Severity, Snooze
from edge.store.assessments import read_explanation, write_explanation
from edge.store.connection import Connection

_COLUMNS: Final = (
    "SELECT id, person, kind, severity, state, since, opened_at, cleared_at, explanation, subject, "
    "told_at, acknowledged_at, acknowledged_by, snoozed_until, asked_until, help_at FROM alerts "
)


class Alerts:
    """The tables `alerts` and `snoozes`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upsert(self, alerts: Sequence[Alert]) -> None:
        """Store the state of `alerts`, inside the caller's transaction; a cleared episode stays cleared.

        An alert that is snoozed begins the snooze of its kind, which replaces the one before.
        """
        self._connection.execute_many(
            "INSERT INTO alerts "
            "(id, person, kind, severity, state, since, opened_at, cleared_at, explanation, subject, "
            "told_at, acknowledged_at, acknowledged_by, snoozed_until, asked_until, help_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, since = excluded.since, "
            "state = excluded.state, cleared_at = excluded.cleared_at, explanation = excluded.explanation, "
            "subject = excluded.subject, told_at = excluded.told_at, acknowledged_at = excluded.acknowledged_at, "
            "acknowledged_by = excluded.acknowledged_by, snoozed_until = excluded.snoozed_until, "
            "asked_until = excluded.asked_until, help_at = excluded.help_at "
            "WHERE state = 'raised'",
            (
                (
                    alert.id,
                    alert.person,
                    alert.kind,
                    alert.severity,
                    alert.state,
                    alert.since,
                    alert.opened_at,
                    alert.cleared_at,
                    write_explanation(alert.explanation, with_phrase=True),
                    alert.subject,
                    alert.told_at,
                    alert.acknowledged_at,
                    alert.acknowledged_by,
                    alert.snoozed_until,
                    alert.asked_until,
                    alert.help_at,
                )
                for alert in alerts
            ),
        )
        self._connection.execute_many(
            "INSERT OR REPLACE INTO snoozes (person, kind, subject, severity, until) VALUES (?, ?, ?, ?, ?)",
            (
                (alert.person, alert.kind, alert.subject, alert.severity, alert.snoozed_until)
                for alert in alerts
                if alert.snoozed_until is not None
            ),
        )

    def open_alerts(self, person: str | None = None) -> list[Alert]:
        """The episodes that are not over, oldest first: of one person, or of all."""
        rows = self._connection.rows(
            _COLUMNS + "WHERE state = ? AND (person = ? OR ? IS NULL) ORDER BY opened_at, id",
            (AlertState.RAISED, person, person),
        )
        return [_alert(row) for row in rows]

    def newest_alert(self, person: str, kind: str) -> Alert | None:
        """The newest episode of one kind for one person, open or over; None when there was none yet."""
        query = _COLUMNS + "WHERE person = ? AND kind = ? ORDER BY opened_at DESC, id LIMIT 1"
        row = self._connection.row(query, (person, kind))
        return None if row is None else _alert(row)

    def alerts(self, limit: int) -> list[Alert]:
        """The newest `limit` episodes, newest first."""
        rows = self._connection.rows(_COLUMNS + "ORDER BY opened_at DESC, id LIMIT ?", (limit,))
        return [_alert(row) for row in rows]

    def beginning(self, prefix: str) -> list[Alert]:
        """The episodes whose id begins with `prefix`: the newest two at most."""
        rows = self._connection.rows(
            _COLUMNS + "WHERE substr(id, 1, ?) = ? ORDER BY opened_at DESC, id LIMIT 2", (len(prefix), prefix)
        )
        return [_alert(row) for row in rows]

    def snoozes(self, now: float) -> list[Snooze]:
        """The snoozes that are not over at `now`."""
        rows = self._connection.rows(
            "SELECT person, kind, subject, severity, until FROM snoozes WHERE until > ? "
            "ORDER BY person, kind, subject, severity",
            (now,),
        )
        return [
            Snooze(person, kind, subject, Severity(severity), until) for person, kind, subject, severity, until in rows
        ]

    def forget_before(self, time: float) -> None:
        """Drop the snoozes that were over before `time`, inside the caller's transaction."""
        self._connection.execute("DELETE FROM snoozes WHERE until < ?", (time,))


def _alert(row: tuple[Any, ...]) -> Alert:
    identifier, person, kind, severity, state, since, opened_at, cleared_at, explanation, subject, *attention = row
    return Alert(
        identifier,
        person,
        kind,
        Severity(severity),
        AlertState(state),
        since,
        opened_at,
        cleared_at,
        read_explanation(explanation),
        subject,
        *attention,
    )
