"""What comes from the broker: commands, looked at before they are kept, and parts of model packages.

Everything here but `take_on`, `want`, `refusals` and `fault` runs in the publisher's thread, with the publisher's own
connection to the store. A command is on disk, or refused, when `take` returns, and only then does the client send its
PUBACK: what a dying daemon has not kept, the broker sends again.

What no signature vouches for never reaches the disk but as a number: a flood of forgeries costs a signature's check
each, and one line of the audit an hour.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog
from nacl.signing import VerifyKey

from cloud_sync.commands import Command, command_topic, judge, read_command, result, signed_command
from cloud_sync.messages import Home
from edge.clock import Clock
from edge.errors import RejectedError
from edge.store.commands import Audit
from edge.store.store import Store

# Commands of one key within an hour, beyond which they are refused and counted only. Our choice: a family that answers
# every alert of a bad day sends a tenth of it.
MOST_AN_HOUR: Final = 120
HOUR_S: Final = 3600.0
# Of these nobody's signature vouches for anything.
UNSIGNED: Final = frozenset({"forged", "unknown key", "unreadable", "too large"})

_log = structlog.get_logger("inbox")


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, what it may ask for, and in whose name (a contact's id, or the key's own name)."""

    name: str
    key: VerifyKey
    may: frozenset[str]
    by: str


class Parts(Protocol):
    """Takes parts of model packages."""

    def take(self, topic: str, payload: bytes) -> None:
        """Keep a part that is wanted and whole, on disk; pass over any other."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A command, and the key that has signed it."""

    command: Command
    key: TrustedKey


def vouched(envelope: bytes, keys: Mapping[str, TrustedKey]) -> Admitted:
    """The command in an envelope that one of `keys` has signed; raises RejectedError."""
    signed = signed_command(envelope, {name: key.key for name, key in keys.items()})
    return Admitted(read_command(signed), keys[signed.key])


class Inbox:
    """What a home hears.

    `wake` is called from the publisher's thread when there is something to do; `teller` says who tells the results.
    """

    def __init__(
        self,
        home: str,
        clock: Clock,
        keys: Mapping[str, TrustedKey],
        wake: Callable[[], None],
        parts: Parts | None = None,
        teller: Callable[[Store], Home] | None = None,
    ) -> None:
        self._home = home
        self._clock = clock
        self._keys = dict(keys)
        self._wake = wake
        self._parts = parts
        self._teller = teller or (lambda store: Home(home, store.pseudonyms))
        self._wanted: frozenset[str] = frozenset()
        self._counting = threading.Lock()
        self._refusals: dict[tuple[str, str], int] = {}
        self._times: dict[str, list[float]] = {}
        self.fault: str | None = None

    def take_on(self, keys: Mapping[str, TrustedKey]) -> None:
        """Trust other keys from now on."""
        self._keys = dict(keys)

    def want(self, topics: frozenset[str]) -> bool:
        """Listen to these topics of parts; whether they are others, so that the publisher is to be woken."""
        changed, self._wanted = topics != self._wanted, topics
        return changed

    def refusals(self) -> list[Audit]:
        """What was refused since the last call, counted by kind."""
        with self._counting:
            counted, self._refusals = self._refusals, {}
        now = self._clock.wall()
        return [Audit(now, "refused", key=key, reason=reason, count=count) for (reason, key), count in counted.items()]

    def topics(self) -> dict[str, bool]:
        """What is to be subscribed to; True where what is retained there is wanted."""
        commands = {command_topic(self._home): False} if self._keys else {}
        return commands | dict.fromkeys(self._wanted, True)

    def subscribed(self, topic: str, refusal: str | None) -> None:
        """Take the broker's answer to a subscription."""
        if topic == command_topic(self._home):
            self.fault = refusal
        if refusal is not None:
            _log.warning("the broker refuses a subscription", reason=refusal)

    def take(self, store: Store, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take what came on a topic. Raises StoreError, and the message comes again."""
        if topic != command_topic(self._home):
            if self._parts is not None and topic in self._wanted:
                self._parts.take(topic, payload)
                self._wake()
            return
        if retained:
            self._count("retained", "")
            return
        try:
            self._take_command(store, payload)
        except RejectedError as error:
            self._count(error.reason, error.key)

    def _take_command(self, store: Store, payload: bytes) -> None:
        now = self._clock.wall()
        admitted = vouched(payload, self._keys)
        command, key = admitted.command, admitted.key
        if self._waits(store, payload):
            return  # the broker sends again what it has seen no PUBACK for
        if store.commands.is_used(str(command.id), command.expires):
            raise RejectedError("it was obeyed before", reason="replayed", key=key.name)
        self._spend(key.name)
        try:
            judge(command, self._home, key.may, now)
        except RejectedError as error:
            told = refused(admitted, error, now)
            store.commands.settle(told, [result(self._teller(store), told)])
            _log.warning("a command is refused", command=told.command, key=key.name, reason=error.reason)
            self._wake()
            return
        if not store.commands.keep(payload, now):
            raise RejectedError("too many wait", reason="too many", key=key.name)
        self._wake()

    def _waits(self, store: Store, payload: bytes) -> bool:
        return any(waiting.envelope == payload for waiting in store.commands.waiting())

    def _spend(self, key: str) -> None:
        """Count a command of a key; raises RejectedError beyond what an hour allows."""
        now = self._clock.monotonic()
        times = [time for time in self._times.get(key, []) if now - time < HOUR_S]
        self._times[key] = times
        if len(times) >= MOST_AN_HOUR:
            raise RejectedError("too many within an hour", reason="too many", key=key)
        times.append(now)

    def _count(self, reason: str, key: str) -> None:
        """Count a refusal; nobody is woken for it, lest a flood keeps the home busy."""
        with self._counting:
            first = not self._refusals
            self._refusals[reason, key] = self._refusals.get((reason, key), 0) + 1
        if first:
            _log.warning("what came as a command is refused", reason=reason, key=key or None)


def refused(admitted: Admitted, error: RejectedError, now: float) -> Audit:
    """The entry that says why a command was not obeyed at `now` (s since 1970 UTC)."""
    return replace(entry(admitted, now), outcome="refused", reason=error.reason, detail=error.what)


def entry(admitted: Admitted, now: float, detail: str = "") -> Audit:
    """The entry that says that a command was obeyed at `now` (s since 1970 UTC)."""
    command = admitted.command
    verb = command.do if command.do.isidentifier() else ""
    return Audit(now, "obeyed", str(command.id), admitted.key.name, verb, "", detail, command.expires)
