"""Faults in, Alert transitions out: each is told once, together with its like, and its end is told once; pure.

A look says of each thing that can be at fault that it is wrong, or well; of what it does not name nothing is known, and
that neither raises nor clears anything. A fault is told when it was wrong for long enough, and is over when it was well
for long enough; between two tellings of the same there is a rest, so that nothing flaps. What is told at one look of
one kind makes one alert.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from edge.notices import Alert, AlertState, Fault, FaultKind, Severity
from edge.phrases import in_turn, phrase
from edge.readings import Explanation

# Which fault is meant: its kind and its subject.
Key = tuple[FaultKind, str]

# Our choice: a minute to find the wearables again, and some for a router and a broker that start with us after a power
# cut; until then nothing is said of what a start takes.
START_S: Final = 300.0
# Our choice: what endangers somebody is told again after this rest, however long others rest.
CRITICAL_REST_S: Final = 3600.0
GRAVITY: Final = MappingProxyType({Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2})
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:fault")
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class FaultRule:
    """When a fault of one kind is told and over, in seconds of looking.

    It is told once it was wrong for `raise_after_s` without a good look between, over once it was well for
    `clear_after_s`, and the same is told no sooner than `rest_s` after it was told. What `waits_for_day` is not told at
    night, nor its end, unless it is critical; what is `known_at_start` does not wait until START_S have passed.
    `tells_end` says whether anybody cares to hear that it is over.
    """

    raise_after_s: float
    clear_after_s: float
    rest_s: float
    waits_for_day: bool = False
    known_at_start: bool = False
    tells_end: bool = True


# Our choice throughout. What concerns a wearable comes with a limit of its own (see wearable_faults), so that it is
# told at once, but one odd battery level is no news. A restart of bluetoothd, an adapter put into another socket, or a
# disk that is busy are over within minutes. A household's network is away for an hour now and then, and what waits is
# not lost; a broker that refuses us does so until somebody mends it. Rests: what was told in the morning need not be
# told again that day; a wearable that is charged when it must be, day by day, need not be told of but once a week.
RULES: Final[Mapping[FaultKind, FaultRule]] = MappingProxyType(
    {
        FaultKind.NO_DATA: FaultRule(0.0, 10 * _MINUTE, 12 * _HOUR, waits_for_day=True),
        FaultKind.NEVER_SEEN: FaultRule(0.0, 0.0, 72 * _HOUR, waits_for_day=True, tells_end=False),
        FaultKind.BATTERY_LOW: FaultRule(2 * _MINUTE, 2 * _MINUTE, 168 * _HOUR, waits_for_day=True, tells_end=False),
        FaultKind.NOT_WORN: FaultRule(0.0, 2 * _MINUTE, 20 * _HOUR, waits_for_day=True, tells_end=False),
        FaultKind.FROZEN_VALUE: FaultRule(0.0, 10 * _MINUTE, 24 * _HOUR, waits_for_day=True),
        FaultKind.DEVICE_CLOCK: FaultRule(0.0, 0.0, 72 * _HOUR, waits_for_day=True, tells_end=False),
        FaultKind.CLOCK: FaultRule(0.0, 10 * _MINUTE, 24 * _HOUR, tells_end=False),
        FaultKind.BLUETOOTH: FaultRule(3 * _MINUTE, 2 * _MINUTE, _HOUR),
        FaultKind.MODEL: FaultRule(0.0, 0.0, 24 * _HOUR, known_at_start=True),
        FaultKind.STORE: FaultRule(2 * _MINUTE, 5 * _MINUTE, 6 * _HOUR, known_at_start=True),
        FaultKind.DISK_FULL: FaultRule(2 * _MINUTE, 10 * _MINUTE, 24 * _HOUR),
        FaultKind.CONTACT: FaultRule(30 * _MINUTE, 0.0, 12 * _HOUR),
        FaultKind.CHANNEL: FaultRule(0.0, 0.0, 72 * _HOUR, waits_for_day=True),
        FaultKind.BROKER_REFUSES: FaultRule(10 * _MINUTE, 2 * _MINUTE, 12 * _HOUR),
        FaultKind.BROKER_UNREACHABLE: FaultRule(2 * _HOUR, 10 * _MINUTE, 24 * _HOUR, tells_end=False),
        FaultKind.OUTBOX_STUCK: FaultRule(0.0, 10 * _MINUTE, 24 * _HOUR, tells_end=False),
        FaultKind.COMMANDS: FaultRule(0.0, 10 * _MINUTE, 24 * _HOUR, tells_end=False),
        FaultKind.BUTTONS: FaultRule(0.0, 2 * _MINUTE, 24 * _HOUR),
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """An alert in its new state; `is_news` where somebody is to be told, else it is only to be kept."""

    alert: Alert
    is_news: bool


@dataclass(slots=True)
class _Standing:
    """For how long a thing has been wrong, or well, as far as looks can tell; None where the last look said not so."""

    wrong_s: float | None = None
    well_s: float | None = None
    fault: Fault | None = None


class FaultEpisodes:
    """The episodes of all faults of a home.

    `past` are the stored alerts of faults, at least those that are open and those of the last days: with them a new
    process goes on where the old one stopped.
    """

    def __init__(self, past: Iterable[Alert] = (), rules: Mapping[FaultKind, FaultRule] = RULES) -> None:
        self._rules = rules
        self._open: dict[str, Alert] = {}
        self._told: dict[Key, float] = {}
        self._standings: dict[Key, _Standing] = {}
        self._looked_s = 0.0
        for alert in past:
            if alert.state is AlertState.RAISED:
                self._open[alert.id] = alert
            for key in keys_of(alert):
                self._told[key] = max(alert.opened_at, self._told.get(key, alert.opened_at))

    @property
    def open_alerts(self) -> list[Alert]:
        """What is wrong as far as it was told, oldest first."""
        return sorted(self._open.values(), key=lambda alert: (alert.opened_at, alert.id))

    def look(
        self, now: float, elapsed_s: float, wrong: Sequence[Fault], well: Collection[Key], *, is_night: bool = False
    ) -> list[Transition]:
        """What a look changes; `now` is in s since 1970, `elapsed_s` since the look before (by a monotonic clock)."""
        self._looked_s += elapsed_s
        for fault in wrong:
            standing = self._standings.setdefault((fault.kind, fault.subject), _Standing())
            standing.wrong_s = 0.0 if standing.wrong_s is None else standing.wrong_s + elapsed_s
            standing.well_s, standing.fault = None, fault
        for key in well:
            standing = self._standings.setdefault(key, _Standing())
            standing.well_s = 0.0 if standing.well_s is None else standing.well_s + elapsed_s
            standing.wrong_s, standing.fault = None, None
        ended = self._end(now, is_night=is_night)
        return [*ended, *self._grow(wrong), *self._raise(now, wrong, is_night=is_night)]

    def forget(self, now: float, gone: Collection[Key]) -> list[Transition]:
        """Close, untold, what is about things that are no longer there."""
        return self._close(now, set(gone), phrase("It is no longer in the settings."), is_news=False)

    def _end(self, now: float, *, is_night: bool) -> list[Transition]:
        over = {
            key
            for key, standing in self._standings.items()
            if standing.well_s is not None and standing.well_s >= self._rules[key[0]].clear_after_s
        }
        if is_night:  # good news of what waits for the day waits, too
            critical = [alert for alert in self._open.values() if alert.severity is Severity.CRITICAL]
            urgent = {key for alert in critical for key in keys_of(alert)}
            over = {key for key in over if key in urgent or not self._rules[key[0]].waits_for_day}
        return self._close(now, over, phrase("All is well again."), is_news=True)

    def _close(self, now: float, over: Collection[Key], why: str, *, is_news: bool) -> list[Transition]:
        transitions = []
        for alert in self.open_alerts:
            left = [key for key in keys_of(alert) if key not in over]
            if len(left) == len(keys_of(alert)):
                continue
            if left:
                self._open[alert.id] = replace(alert, subject=_subjects(left))
                transitions.append(Transition(self._open[alert.id], is_news=False))
                continue
            del self._open[alert.id]
            ended = replace(alert, state=AlertState.CLEARED, cleared_at=now, explanation=Explanation(why))
            told = is_news and self._rules[FaultKind(alert.kind)].tells_end
            transitions.append(Transition(ended, is_news=told))
        return transitions

    def _grow(self, wrong: Sequence[Fault]) -> list[Transition]:
        """Tell again what has become graver than it was told."""
        transitions = []
        for alert in self.open_alerts:
            keys = keys_of(alert)
            gravest = gravest_of([fault for fault in wrong if (fault.kind, fault.subject) in keys])
            if gravest is not None and GRAVITY[gravest.severity] > GRAVITY[alert.severity]:
                graver = replace(alert, severity=gravest.severity, explanation=Explanation(gravest.sentence))
                self._open[alert.id] = graver
                transitions.append(Transition(graver, is_news=True))
        return transitions

    def _raise(self, now: float, wrong: Sequence[Fault], *, is_night: bool) -> list[Transition]:
        opened = {key for alert in self._open.values() for key in keys_of(alert)}
        new = [fault for fault in wrong if (fault.kind, fault.subject) not in opened and self._has_rested(fault, now)]
        transitions = []
        for kind in FaultKind:
            alike = [fault for fault in new if fault.kind is kind]
            if any(self._is_due(fault, is_night=is_night) for fault in alike):
                # What will be due soon comes along: one cause seldom shows at one moment.
                joined = [fault for fault in alike if self._wrong_s(fault) >= self._rules[kind].raise_after_s / 2.0]
                alert = _alert(kind, joined, now)
                self._open[alert.id] = alert
                self._told.update((key, now) for key in keys_of(alert))
                transitions.append(Transition(alert, is_news=True))
        return transitions

    def _is_due(self, fault: Fault, *, is_night: bool) -> bool:
        rule = self._rules[fault.kind]
        if self._looked_s < START_S and not rule.known_at_start:
            return False
        if is_night and rule.waits_for_day and fault.severity is not Severity.CRITICAL:
            return False
        return self._wrong_s(fault) >= rule.raise_after_s

    def _has_rested(self, fault: Fault, now: float) -> bool:
        rest = self._rules[fault.kind].rest_s
        if fault.severity is Severity.CRITICAL:
            rest = min(rest, CRITICAL_REST_S)
        # Told at a time that lies ahead: the clock was set back meanwhile, and nobody can say how long ago that was.
        since = now - self._told.get((fault.kind, fault.subject), float("-inf"))
        return since < 0.0 or since >= rest

    def _wrong_s(self, fault: Fault) -> float:
        return self._standings[fault.kind, fault.subject].wrong_s or 0.0


def keys_of(alert: Alert) -> list[Key]:
    """What a fault's alert is about."""
    return [(FaultKind(alert.kind), subject) for subject in alert.subject.split(",")]


def is_fault(alert: Alert) -> bool:
    """Whether an alert tells a fault of the watching, not a person's risk."""
    return bool(alert.subject)


def gravest_of(faults: Iterable[Fault]) -> Fault | None:
    """The gravest of `faults`, the first of several; None where there is none."""
    return max(faults, key=lambda fault: GRAVITY[fault.severity], default=None)


def _subjects(keys: Iterable[Key]) -> str:
    return ",".join(sorted(subject for _, subject in keys))


def _alert(kind: FaultKind, faults: Sequence[Fault], now: float) -> Alert:
    """One alert for several faults of one kind; `faults` is not empty."""
    subject = _subjects((fault.kind, fault.subject) for fault in faults)
    gravest = gravest_of(faults)
    assert gravest is not None  # noqa: S101 -- not empty
    # The gravest first; each different sentence once.
    sentences = dict.fromkeys([gravest.sentence, *(fault.sentence for fault in faults)])
    people = {fault.person or "" for fault in faults}
    return Alert(
        id=str(uuid.uuid5(_NAMESPACE, f"{kind}/{subject}/{now!r}")),
        person=people.pop() if len(people) == 1 else "",
        kind=kind.value,
        severity=gravest.severity,
        state=AlertState.RAISED,
        since=min(fault.since for fault in faults),
        opened_at=now,
        cleared_at=None,
        explanation=Explanation(in_turn(list(sentences))),
        subject=subject,
    )
