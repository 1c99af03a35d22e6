"""Episodes: one row per Alert, in its present state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edge.readings import Alert, AlertState, Severity
from edge.store.assessments import read_explanation, write_explanation
from edge.store.connection import Connection

_COLUMNS: Final = (
    "SELECT id, person, kind, severity, state, since, opened_at, cleared_at, explanation, subject FROM alerts "
)


class Alerts:
    """The table `alerts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upsert(self, alerts: Sequence[Alert]) -> None:
        """Store the state of `alerts`, inside the caller's transaction; a cleared episode stays cleared."""
        self._connection.execute_many(
            "INSERT INTO alerts "
            "(id, person, kind, severity, state, since, opened_at, cleared_at, explanation, subject) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, "
            "state = excluded.state, cleared_at = excluded.cleared_at, explanation = excluded.explanation, "
            "subject = excluded.subject "
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
                    write_explanation(alert.explanation),
                    alert.subject,
                )
                for alert in alerts
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


def _alert(row: tuple[Any, ...]) -> Alert:
    identifier, person, kind, severity, state, since, opened_at, cleared_at, explanation, subject = row
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
    )
