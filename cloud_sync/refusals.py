"""What a broker says no with: what each reason code asks of us, and which rows are to blame when it says nothing.

All codes are those of MQTT 5.0, 2.4; which packets they come in is said in 3.2.2.2 (CONNACK), 3.4.2.1 (PUBACK) and
3.14.2.1 (DISCONNECT). A broker of MQTT 3.1.1 has codes for CONNACK only, which paho translates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# Reason codes from here on are failures (MQTT 5.0, 2.4); "no matching subscribers" is none.
FIRST_FAILURE: Final = 0x80
UNHEARD: Final = 0x10
NOT_AUTHORISED: Final = 0x87
QUOTA_EXCEEDED: Final = 0x97

_CREDENTIALS: Final = "check username and password_file under [broker]"
# Codes of CONNACK and DISCONNECT that somebody can do something about, and what.
MENDS: Final = {
    0x84: "set protocol under [broker] to one that it speaks",
    0x85: "choose another id under [home]",
    0x86: _CREDENTIALS,
    NOT_AUTHORISED: _CREDENTIALS,
    0x8A: "ask its owner why this home is banned",
    0x8C: _CREDENTIALS,
    0x8E: "let no other Hearthbeat use the same id under [home]",
    0x90: "let the broker accept the topics hearthbeat/#",
    0x9A: "let the broker accept retained messages",
    0x9B: "let the broker accept QoS 1",
    0x9D: "set host under [broker] to its new address",
}
# Codes by which a broker asks to be left in peace for a while: unavailable, busy, message rate, quota, administrative
# action, use another server (which a cluster says to have its clients spread anew), connection rate.
BUSY: Final = frozenset({0x88, 0x89, 0x96, QUOTA_EXCEEDED, 0x98, 0x9C, 0x9F})
# Codes of a DISCONNECT that are about the message sent last: not authorised, topic name, packet too large, payload
# format. Alone in flight, it is known which that was.
ABOUT_THE_MESSAGE: Final = frozenset({NOT_AUTHORISED, 0x90, 0x95, 0x99})
# Codes of a PUBACK that may be another time: unspecified, implementation specific, packet identifier in use, quota.
PERHAPS_LATER: Final = frozenset({0x80, 0x83, 0x91, QUOTA_EXCEEDED})

# How long a doubtful row stands back behind the others, s, doubling with each refusal, and how often it may be refused.
# Our choice: a quarter of an hour in all, longer than a broker's restart.
FIRST_HOLD_S: Final = 30.0
LONGEST_HOLD_S: Final = 600.0
MOST_STRIKES: Final = 5
# After how many refusals in a row a topic is taken to be closed to us, and how long until one message tries again, s.
# Our choice.
MOST_OF_A_TOPIC: Final = 3
KNOCK_S: Final = 3600.0
# Connections that are lost while one row is alone in flight, before it is that row's turn to stand back. Our choice:
# three in a row are rarely the network's.
PATIENCE: Final = 3


class Verdict(StrEnum):
    """What becomes of a row that was not taken."""

    AGAIN = "again"
    LATER = "later"
    NEVER = "never"


@dataclass(slots=True)
class _Doubt:
    losses: int = 0
    strikes: int = 0
    taken: int = 0  # how many others had been taken when it was refused last
    held_until: float = float("-inf")


@dataclass(slots=True)
class Doubts:
    """Rows that the broker did not take without saying that it never will, over all connections; times are monotonic s.

    A row is to blame only when others were taken since it was refused last: a dead network, or a broker that refuses
    everything, is no row's fault, and no alert is given up for it.
    """

    _of: dict[str, _Doubt] = field(default_factory=dict)
    _taken: int = 0
    _topics: dict[str, int] = field(default_factory=dict)
    _knock_at: dict[str, float] = field(default_factory=dict)

    def took(self, row: str, topic: str) -> None:
        """The broker has taken a row."""
        self._taken += 1
        self._of.pop(row, None)
        self._topics.pop(topic, None)
        self._knock_at.pop(topic, None)

    def shut(self, topic: str, now: float) -> None:
        """The broker does not let us write to a topic."""
        self._topics[topic] = self._topics.get(topic, 0) + 1
        self._knock_at[topic] = now + KNOCK_S

    def is_shut(self, topic: str, now: float) -> bool:
        """Whether it is of no use to send anything to a topic now."""
        return self._topics.get(topic, 0) >= MOST_OF_A_TOPIC and self._knock_at[topic] > now

    def may_knock(self, topic: str, now: float) -> bool:
        """Whether a topic that has refused messages is to be tried with one of them now; then not again for a while."""
        if self._knock_at.get(topic, now) > now:
            return False
        self._topics[topic] = MOST_OF_A_TOPIC - 1
        self._knock_at[topic] = now + KNOCK_S
        return True

    def refused(self, row: str, code: int, now: float) -> Verdict:
        """A PUBACK with a failure."""
        if code not in PERHAPS_LATER:
            self._of.pop(row, None)
            return Verdict.NEVER
        doubt = self._of.setdefault(row, _Doubt(taken=self._taken))
        # A quota may be everybody's; any other of these codes is about this row.
        return self._strike(row, doubt, now, guilty=code != QUOTA_EXCEEDED or self._taken > doubt.taken)

    def lost_with(self, row: str, now: float) -> Verdict:
        """The connection ended without a reason while this row alone was in flight."""
        doubt = self._of.setdefault(row, _Doubt(taken=self._taken))
        doubt.losses += 1
        if doubt.losses < PATIENCE:
            return Verdict.AGAIN
        return self._strike(row, doubt, now, guilty=self._taken > doubt.taken)

    def held(self, now: float) -> set[str]:
        """The rows that stand back now."""
        return {row for row, doubt in self._of.items() if doubt.held_until > now}

    def next_end(self, now: float) -> float:
        """When the next row stands back no more."""
        return min((doubt.held_until for doubt in self._of.values() if doubt.held_until > now), default=float("inf"))

    def is_doubtful(self, row: str) -> bool:
        """Whether this row is to be sent alone."""
        return row in self._of

    def _strike(self, row: str, doubt: _Doubt, now: float, *, guilty: bool) -> Verdict:
        doubt.strikes += guilty
        doubt.taken = self._taken
        if doubt.strikes >= MOST_STRIKES:
            del self._of[row]
            return Verdict.NEVER
        doubt.held_until = now + min(LONGEST_HOLD_S, FIRST_HOLD_S * 2.0 ** max(doubt.strikes - 1, 0))
        return Verdict.LATER
