"""What the broker has taken but the collector has not yet told us that it has stored (see receipts.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from edge.notices import OutboxMessage, Priority

# Summaries that the broker may hold for the collector at once. Our choice: more than a collector takes in one COPY,
# and little enough that the outbox, which is on a disk, stays the queue.
MOST_AWAITED: Final = 500
# How long a message waits for its receipt before it goes again, s, doubling: a collector that restarts is back before.
FIRST_WAIT_S: Final = 600.0
LONGEST_WAIT_S: Final = 3600.0
# The first wait where the broker said that nobody has subscribed, and so dropped it: a collector that is starting.
UNHEARD_WAIT_S: Final = 10.0
# After how long without any receipt, though messages are taken, somebody should look, s. Our choice.
SILENCE_S: Final = 1800.0


@dataclass(slots=True)
class _Wait:
    until: float
    length: float


@dataclass(slots=True)
class ReceiptsAwaited:
    """Messages by their ids, until their receipts come; times are monotonic, s."""

    _waits: dict[str, _Wait] = field(default_factory=dict)
    _lengths: dict[str, float] = field(default_factory=dict)
    _early: set[str] = field(default_factory=set)
    _look_at: float = float("-inf")
    _since: float | None = None  # when the first message was taken after the last receipt

    def ids(self) -> Collection[str]:
        """The messages that wait for their receipts, and are not to be sent meanwhile."""
        return self._waits.keys()

    def has_room(self, message: OutboxMessage) -> bool:
        """Whether this message may be sent; alerts and faults always may."""
        return message.priority is not Priority.SUMMARY or len(self._waits) < MOST_AWAITED

    def taken(self, identifier: str, now: float, *, heard: bool = True) -> bool:
        """The broker has taken a message, for somebody where it was `heard`; True when its receipt was there before."""
        if identifier in self._early:
            self._early.discard(identifier)
            self._lengths.pop(identifier, None)
            return True
        length = self._lengths.get(identifier, FIRST_WAIT_S if heard else UNHEARD_WAIT_S)
        self._waits[identifier] = _Wait(now + length, length)
        self._since = now if self._since is None else self._since
        return False

    def received(self, identifiers: Iterable[str], in_flight: Collection[str]) -> list[str]:
        """A receipt has come: the messages that need wait no more. Of others than ours nothing is believed."""
        self._since = None
        safe = []
        for identifier in identifiers:
            if self._waits.pop(identifier, None) is not None:
                self._lengths.pop(identifier, None)
                safe.append(identifier)
            elif identifier in in_flight:
                self._early.add(identifier)
        return safe

    def overdue(self, now: float) -> int:
        """Let those that have waited too long be sent again; how many. It looks once a second."""
        if now < self._look_at:
            return 0
        self._look_at = now + 1.0
        late = [identifier for identifier, wait in self._waits.items() if wait.until <= now]
        for identifier in late:
            self._lengths[identifier] = min(LONGEST_WAIT_S, 2.0 * self._waits.pop(identifier).length)
        return len(late)

    def complaint(self, now: float) -> str | None:
        """What is wrong with the receipts, if anything."""
        if self._since is None or now - self._since < SILENCE_S:
            return None
        return "it takes our messages, but no collector behind it says that it has stored them"
