"""Measurements of shared devices that wait for somebody to say whose they are.

waiting --settle--> claimed (its readings are that person's signals) or nobody
   |
   +---expire----> unanswered --settle--> claimed or nobody
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from edge.readings import NOBODY, Channel, Claim, Quality, Reading
from edge.store.connection import Connection
from edge.store.minutes import Minutes
from edge.store.signals import Signals

_COLUMNS: Final = "SELECT id, device, measured_at, received_at, user, readings, candidates, state, person FROM claims "


class ClaimState(StrEnum):
    """Where a claim stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    NOBODY = "nobody"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A Claim, where it stands, and whose it is if somebody has said so."""

    claim: Claim
    state: ClaimState
    person: str | None


class Claims:
    """The table `claims`."""

    def __init__(self, connection: Connection, signals: Signals, minutes: Minutes) -> None:
        self._connection = connection
        self._signals = signals
        self._minutes = minutes

    def insert(self, claims: Sequence[Claim]) -> None:
        """Store `claims`, inside the caller's transaction; one that is there already stays as it is."""
        self._connection.execute_many(
            "INSERT OR IGNORE INTO claims (id, device, measured_at, received_at, user, readings, candidates) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    claim.id,
                    claim.device,
                    claim.measured_at,
                    claim.received_at,
                    claim.user,
                    json.dumps([_fields(reading) for reading in claim.readings]),
                    json.dumps(claim.candidates),
                )
                for claim in claims
            ),
        )

    def waiting(self) -> list[StoredClaim]:
        """Those that nobody has answered yet, oldest first."""
        rows = self._connection.rows(_COLUMNS + "WHERE state = 'waiting' ORDER BY measured_at, id")
        return [_stored(row) for row in rows]

    def recent(self, limit: int) -> list[StoredClaim]:
        """The newest `limit`, whatever became of them, newest first."""
        rows = self._connection.rows(_COLUMNS + "ORDER BY measured_at DESC, id LIMIT ?", (limit,))
        return [_stored(row) for row in rows]

    def found(self, prefix: str) -> list[StoredClaim]:
        """Those whose id begins so."""
        rows = self._connection.rows(_COLUMNS + "WHERE substr(id, 1, ?) = ?", (len(prefix), prefix))
        return [_stored(row) for row in rows]

    def answers(self, device: str) -> list[tuple[int, str]]:
        """The user numbers of a device's measurements with those who have said that they were theirs."""
        rows = self._connection.rows(
            "SELECT user, person FROM claims WHERE device = ? AND user IS NOT NULL AND state = 'claimed'", (device,)
        )
        return [(int(user), str(person)) for user, person in rows]

    def settle(self, identifier: str, person: str | None, now: float) -> bool:
        """Give a measurement to `person`, or to nobody for good; False where it was given before.

        In one transaction its readings become the person's, at the time when they were measured, and nobody is asked
        any more.
        """
        state = ClaimState.NOBODY if person is None else ClaimState.CLAIMED
        with self._connection.transaction(durable=True):
            row = self._connection.row(
                "UPDATE claims SET state = ?, person = ?, settled_at = ? "
                "WHERE id = ? AND state IN ('waiting', 'unanswered') RETURNING readings, device",
                (state, person, now, identifier),
            )
            if row is None:
                return False
            if person is not None:
                readings = [replace(_reading(fields, row[1]), person=person) for fields in json.loads(row[0])]
                self._minutes.mark(self._signals.append(readings))
            self._connection.execute(
                "DELETE FROM notifications WHERE alert_id = ? AND state = 'waiting'", (identifier,)
            )
        return True

    def expire_before(self, time: float, now: float) -> int:
        """Wait no longer for answers about what was received before `time`; how many there were."""
        with self._connection.transaction():
            rows = self._connection.rows(
                "UPDATE claims SET state = 'unanswered', settled_at = ? "
                "WHERE state = 'waiting' AND received_at < ? RETURNING id",
                (now, time),
            )
        return len(rows)

    def forget_before(self, time: float) -> None:
        """Drop what was measured before `time`, inside the caller's transaction; what was claimed stays a signal."""
        self._connection.execute("DELETE FROM claims WHERE measured_at < ?", (time,))


def _fields(reading: Reading) -> dict[str, Any]:
    return {
        "channel": reading.channel,
        "unit": reading.unit,
        "start": reading.start,
        "received_at": reading.received_at,
        "values": reading.values,
        "quality": int(reading.quality),
        "interval_s": reading.interval_s,
    }


def _reading(fields: dict[str, Any], device: str) -> Reading:
    return Reading(
        NOBODY,
        device,
        Channel(fields["channel"]),
        fields["unit"],
        fields["start"],
        fields["received_at"],
        tuple(fields["values"]),
        Quality(fields["quality"]),
        fields["interval_s"],
    )


def _stored(row: tuple[Any, ...]) -> StoredClaim:
    identifier, device, measured_at, received_at, user, readings, candidates, state, person = row
    claim = Claim(
        identifier,
        device,
        measured_at,
        received_at,
        tuple(_reading(fields, device) for fields in json.loads(readings)),
        user,
        tuple((who, share) for who, share in json.loads(candidates)),
    )
    return StoredClaim(claim, ClaimState(state), person)
