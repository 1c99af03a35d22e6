"""What the collector stores: a message as a row, sealed, refused, or as word of a home's presence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

MINUTES: Final = "minute_messages"
# How much of a refused payload is kept to be looked at, bytes. Our choice: any message of ours fits.
KEPT_OF_REFUSED: Final = 16 * 1024
_KEPT_OF_TOPIC: Final = 1024


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came: `received` is seconds since 1970 UTC, `mark` what acknowledges it (None: nothing does)."""

    topic: str
    payload: bytes
    received: float
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A message for `table`; it tells of the time from `at` to `ends` (s since 1970 UTC), `body` is its JSON."""

    table: str
    home: str
    id: str
    at: float
    ends: float
    person: str | None
    received: float
    body: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message that nobody here has the key for."""

    home: str
    id: str
    kind: str
    person: str | None
    received: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a home is connected, since when (s since 1970 UTC)."""

    home: str
    online: bool
    since: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that cannot be read: `reason` is one of few words, `why` a sentence; `payload` only its beginning."""

    digest: bytes
    topic: str
    reason: str
    why: str
    payload: bytes
    size: int
    received: float


Entry = Row | Sealed | Presence | Refusal


def refuse(arrival: Arrival, reason: str, why: str) -> Refusal:
    """What is kept of an arrival that cannot be stored as what it should be."""
    topic = arrival.topic.replace("\0", "\N{REPLACEMENT CHARACTER}")
    digest = hashlib.sha256(arrival.topic.encode("utf-8", "surrogateescape") + b"\0" + arrival.payload).digest()
    return Refusal(
        digest,
        topic[:_KEPT_OF_TOPIC],
        reason,
        why.replace("\0", ""),
        arrival.payload[:KEPT_OF_REFUSED],
        len(arrival.payload),
        arrival.received,
    )
