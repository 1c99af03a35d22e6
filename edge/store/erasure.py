"""Everything of one person, gone: rows, free pages and write-ahead log."""

from __future__ import annotations

import json
from typing import Final

from edge.errors import StoreError
from edge.store.connection import Connection

# What is kept of a person, table by table, and which rows are theirs. `names` is the person's number in other tables.
_NAME: Final = "(SELECT id FROM names WHERE name = :person)"
_SERIES: Final = "(SELECT id FROM series WHERE person = :person)"
# What stands for an alert in the daily word is said in edge.daily.word.
_ALERTS: Final = (
    "(SELECT id FROM alerts WHERE person = :person UNION SELECT id FROM claims WHERE person = :person "
    "UNION SELECT 'daily/' || :person)"
)
_THEIRS: Final[dict[str, str]] = {
    "blocks": f"series IN {_SERIES}",
    "tail": f"series IN {_SERIES}",
    # A wearable that somebody else has worn too goes on for them.
    "memories": "device IN (SELECT device FROM series GROUP BY device HAVING min(person = :person))",
    "series": "person = :person",
    "assessments": f"person = {_NAME}",
    "notifications": f"alert_id IN {_ALERTS}",
    "deliveries": f"alert_id IN {_ALERTS}",
    "alerts": "person = :person",
    "snoozes": "person = :person",
    "claims": "person = :person",
    "dirty_minutes": f"person = {_NAME}",
    "told": f"person = {_NAME}",
    "revisions": f"person = {_NAME}",
    "stretches": f"person = {_NAME}",
    "names": "name = :person",
}
# The person's level in the topics of cloud_sync.messages: hearthbeat, version, home, person.
_TOPIC_LEVEL: Final = 3


def people(connection: Connection) -> list[str]:
    """Everybody of whom signals or alerts are kept, in the order of their ids."""
    rows = connection.rows("SELECT person FROM series UNION SELECT person FROM alerts ORDER BY person")
    return [person for (person,) in rows]


def erase(connection: Connection, person: str, pseudonym: str) -> dict[str, int]:
    """Take out all that is kept of `person`; how many rows of each table that were.

    `pseudonym` is how the person is called in the topics of what waits for the broker; by an earlier edition, by name.

    Afterwards the file holds no page that once held it. What the memory card keeps in places that it has given up is
    beyond a program's reach. Raises StoreError when something of it is left, or another program is writing for long.
    """
    with connection.transaction(durable=True):
        found = {
            "outbox": _erase_messages(connection, {person, pseudonym}),
            "candidates": _erase_candidate(connection, person),
        }
        for table, theirs in _THEIRS.items():
            cursor = connection.execute(f"DELETE FROM {table} WHERE {theirs}", {"person": person})  # noqa: S608 -- ours
            found[table] = cursor.rowcount
    connection.rewrite()
    _verify(connection, person)
    return {table: count for table, count in found.items() if count}


def _erase_messages(connection: Connection, names: set[str]) -> int:
    rows = connection.rows("SELECT position, topic FROM outbox")
    theirs = [(position,) for position, topic in rows if names & set(topic.split("/")[_TOPIC_LEVEL:][:1])]
    connection.execute_many("DELETE FROM outbox WHERE position = ?", theirs)
    return len(theirs)


def _erase_candidate(connection: Connection, person: str) -> int:
    """Take the person off the list of those to whom a measurement may belong, and the questions that name them."""
    changed = []
    for identifier, text in connection.rows("SELECT id, candidates FROM claims"):
        others = [candidate for candidate in json.loads(text) if candidate[0] != person]
        if len(others) < len(json.loads(text)):
            changed.append((json.dumps(others), identifier))
    connection.execute_many("UPDATE claims SET candidates = ? WHERE id = ?", changed)
    for table in ("notifications", "deliveries"):
        connection.execute_many(
            f"DELETE FROM {table} WHERE alert_id = ?",  # noqa: S608 -- ours
            [(identifier,) for _, identifier in changed],
        )
    return len(changed)


def _verify(connection: Connection, person: str) -> None:
    left = [
        table
        for table, theirs in _THEIRS.items()
        if connection.row(f"SELECT 1 FROM {table} WHERE {theirs} LIMIT 1", {"person": person})  # noqa: S608 -- ours
    ]
    if left:
        raise StoreError(
            f"something of {person} is left ({', '.join(left)})",
            where=str(connection.path),
            mend="stop the daemon and erase again",
        )
