"""Models that came from afar, and where each stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from edge.notices import OutboxMessage
from edge.store.connection import Connection
from edge.store.outbox import Outbox


class UpdateState(StrEnum):
    """Where a package stands; from FETCHING down to ACTIVE in this order, and then it is over in one of three ways."""

    FETCHING = "fetching"
    TRYING = "trying"
    SHADOW = "shadow"
    PROBATION = "probation"
    ACTIVE = "active"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    REPLACED = "replaced"


# Its model is the one that counts.
COUNTING: Final = frozenset({UpdateState.PROBATION, UpdateState.ACTIVE})
# Something is still to happen.
UNDER_WAY: Final = frozenset({UpdateState.FETCHING, UpdateState.TRYING, UpdateState.SHADOW, UpdateState.PROBATION})
OVER: Final = frozenset({UpdateState.REFUSED, UpdateState.ROLLED_BACK, UpdateState.REPLACED})


@dataclass(frozen=True, slots=True)
class Update:
    """A package by its name, with its label; times are seconds since 1970 UTC.

    `since` is when its present state began, `reason` why it is over, `figures` what its trial has counted, `crashes`
    how often a daemon died while its model ran.
    """

    package: str
    risk: str
    version: str
    label: bytes
    url: str | None
    state: UpdateState
    ordered_at: float
    since: float
    reason: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    crashes: int = 0


class ModelUpdates:
    """The table `model_updates`; at most one package of a risk counts, and at most one is under way."""

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox

    def all(self) -> list[Update]:
        """Every package that ever came, the newest order first."""
        rows = self._connection.rows(
            "SELECT package, risk, version, label, url, state, ordered_at, since, reason, figures, crashes "
            "FROM model_updates ORDER BY ordered_at DESC, package"
        )
        return [
            Update(
                package, risk, version, label, url, UpdateState(state), ordered, since, why, json.loads(told), crashes
            )
            for package, risk, version, label, url, state, ordered, since, why, told, crashes in rows
        ]

    def put(self, updates: Sequence[Update], messages: Sequence[OutboxMessage] = ()) -> None:
        """Store packages as they stand now, with what is told of it, in one transaction: all or nothing."""
        with self._connection.transaction(durable=True):
            self._connection.execute_many(
                "INSERT OR REPLACE INTO model_updates (package, risk, version, label, url, state, ordered_at, since, "
                "reason, figures, crashes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        one.package,
                        one.risk,
                        one.version,
                        one.label,
                        one.url,
                        one.state,
                        one.ordered_at,
                        one.since,
                        one.reason,
                        json.dumps(dict(one.figures)),
                        one.crashes,
                    )
                    for one in updates
                ),
            )
            self._outbox.insert(messages)
