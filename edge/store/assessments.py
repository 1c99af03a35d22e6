"""What the models thought: one row per Assessment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from edge.phrases import packed, unpacked
from edge.readings import Assessment, Explanation, Risk
from edge.store.connection import Connection

_RECENT: Final = (
    "SELECT p.name, r.name, a.start, a.end, a.score, a.reason, m.name, a.coverage, a.explanation, a.forecast "
    "FROM assessments a "
    "JOIN names p ON p.id = a.person JOIN names r ON r.id = a.risk JOIN names m ON m.id = a.model "
    "WHERE a.person = (SELECT id FROM names WHERE name = ?) AND a.risk = (SELECT id FROM names WHERE name = ?) "
    "ORDER BY a.end DESC LIMIT ?"
)


def write_explanation(explanation: Explanation, *, with_phrase: bool = False) -> str:
    """An Explanation as JSON; `with_phrase`, what tells it in other languages too."""
    fields = {"sentence": explanation.sentence, "numbers": dict(explanation.numbers), "part": explanation.part}
    found = packed(explanation.sentence) if with_phrase else None
    return json.dumps(fields if found is None else {**fields, "phrase": found}, ensure_ascii=False)


def read_explanation(text: str) -> Explanation:
    """What write_explanation has written."""
    fields = json.loads(text)
    part = fields.get("part")  # the first edition had none
    sentence = unpacked(fields["sentence"], fields.get("phrase"))
    return Explanation(sentence, fields["numbers"], None if part is None else (part[0], part[1]))


def name_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The number under which each of `names` is kept, inside the caller's transaction."""
    ids = {}
    for name in set(names):
        connection.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (name,))
        row = connection.row("SELECT id FROM names WHERE name = ?", (name,))
        assert row is not None  # noqa: S101 -- it was put there a line above
        ids[name] = row[0]
    return ids


class Assessments:
    """The table `assessments`: one per person, risk and end of window, so that a repeat replaces itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, assessments: Sequence[Assessment]) -> None:
        """Store `assessments`, inside the caller's transaction."""
        names = (name for item in assessments for name in (item.person, item.risk, item.model))
        ids = name_ids(self._connection, names)
        self._connection.execute_many(
            "INSERT OR REPLACE INTO assessments "
            "(person, risk, end, start, score, reason, model, coverage, explanation, forecast) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    ids[item.person],
                    ids[item.risk],
                    item.end,
                    item.start,
                    item.score,
                    item.reason,
                    ids[item.model],
                    item.coverage,
                    None if item.explanation is None else write_explanation(item.explanation),
                    json.dumps(item.forecast) if item.forecast else None,
                )
                for item in assessments
            ),
        )

    def recent_assessments(self, person: str, risk: Risk, limit: int) -> list[Assessment]:
        """The newest `limit` assessments of one risk, newest first."""
        rows = self._connection.rows(_RECENT, (person, risk, limit))
        return [_assessment(row) for row in rows]

    def between(self, person: str, start: float, end: float) -> list[Assessment]:
        """What was thought of windows with start < end of the window <= end (s since 1970 UTC), by risk and time.

        Explanations and forecasts are left out.
        """
        rows = self._connection.rows(
            "SELECT p.name, r.name, a.start, a.end, a.score, a.reason, m.name, a.coverage, NULL, NULL "
            "FROM assessments a JOIN names p ON p.id = a.person JOIN names r ON r.id = a.risk "
            "JOIN names m ON m.id = a.model "
            "WHERE p.name = ? AND a.end > ? AND a.end <= ? ORDER BY r.name, a.end",
            (person, start, end),
        )
        return [_assessment(row) for row in rows]

    def latest_assessments(self, person: str) -> list[Assessment]:
        """The newest assessment of each risk that has any."""
        return [item for risk in Risk for item in self.recent_assessments(person, risk, 1)]

    def forget_before(self, time: float) -> None:
        """Drop the assessments that end before `time`, inside the caller's transaction."""
        self._connection.execute("DELETE FROM assessments WHERE end < ?", (time,))


def _assessment(row: tuple[Any, ...]) -> Assessment:
    person, risk, start, end, score, reason, model, coverage, explanation, forecast = row
    return Assessment(
        person,
        Risk(risk),
        start,
        end,
        score,
        reason,
        model,
        coverage,
        None if explanation is None else read_explanation(explanation),
        () if forecast is None else tuple((time, value) for time, value in json.loads(forecast)),
    )
