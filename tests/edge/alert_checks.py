"""What must hold after every step of a random life of alerts (see alert_histories), by what the store holds."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import statistics
from collections import Counter
from typing import Any, Final, NamedTuple

from cloud_sync.messages import Home
from edge.alerts.faults import is_fault
from edge.attending import Attending
from edge.notices import Alert, AlertState, Severity
from edge.readings import Channel, Risk
from edge.recorder import Recorder
from edge.settings.home import Settings
from edge.store.store import Store

MINUTE: Final = 60.0
COOL_DOWN_MIN: Final = 30.0
COUNTDOWN_S: Final = 60.0
EVERYBODY: Final = ("anna", "bert", "carla", "dora")
HOME: Final = Settings.model_validate(
    {
        "home": {"contacts": ["dora"]},
        "people": [
            {
                "id": "anna",
                "contacts": ["anna", "bert"],
                "care": {"carers": ["carla", "dora"], "fall_countdown_s": COUNTDOWN_S},
                "rules": [
                    {"name": "spo2_low", "cool_down_min": COOL_DOWN_MIN},
                    {"name": "spo2_very_low", "cool_down_min": 5},
                ],
            }
        ],
        "contacts": [{"id": one, "url": "json://127.0.0.1:9"} for one in EVERYBODY],
    }
)
# What is due while nobody answers, by severity: after so many minutes each, who (see docs/alerts.md).
PLANS: Final = {
    Severity.CRITICAL: (5.0, ["first", "carla", "dora", "all", "all", "all"]),
    Severity.WARNING: (30.0, ["first", "carla", "dora"]),
    Severity.INFO: (math.inf, []),
}
GRAVITY: Final = {severity: place for place, severity in enumerate(Severity)}
_ONCE: Final = ("raised", "graver", "cleared")


class Told(NamedTuple):
    """A row of the notifications."""

    id: str
    alert: str
    contact: str
    turn: str
    created: float

    @property
    def is_step(self) -> bool:
        """Whether it was told because nobody has answered."""
        return self.turn.startswith("escalated")


def told_first(alert: Alert) -> tuple[str, ...]:
    """Who is told of an alert at first; after a fall, as soon as the question is over."""
    if is_fault(alert):
        return ("bert",)
    return EVERYBODY if alert.kind == Risk.FALL else ("anna", "bert")


def planned(alert: Alert, contact: str) -> list[float]:
    """When a contact is to be told once more while nobody answers, s since 1970 UTC."""
    minutes, plan = PLANS[alert.severity]
    if alert.told_at is None or (is_fault(alert) and alert.severity is not Severity.CRITICAL):
        return []
    first = told_first(alert)
    rounds = [who for who in plan if who in {"first", "all"} or who not in first]
    return [
        alert.told_at + number * minutes * MINUTE
        for number, who in enumerate(rounds, start=1)
        if who == contact or contact in {"first": {*first}, "all": {*first, "carla", "dora"}}.get(who, set())
    ]


class Checks:
    """The household as a history finds it."""

    loop: asyncio.AbstractEventLoop
    reader: sqlite3.Connection
    store: Store
    recorder: Recorder
    attending: Attending
    now: float
    reminded_at: float
    last_look: float
    snoozes: Counter[str]
    put_off: list[Alert]
    fine: set[str]
    falls_again: Counter[str]
    seen: set[Told]

    def is_fresh(self, alert: Alert) -> bool:
        """Whether an open alert rests on what is known now."""
        raise NotImplementedError

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the store answers."""
        return self.reader.execute(query).fetchall()

    def told(self) -> set[Told]:
        """All that was ever told."""
        return {Told(*row) for row in self.rows("SELECT id, alert_id, contact, turn, created FROM notifications")}

    def check(self) -> None:
        """Raise AssertionError where something does not hold."""
        self.stored = self.loop.run_until_complete(self.recorder.call(self.store.alerts.alerts, 1000))
        self.heard = self.samples(13 * MINUTE)
        self.rows_told = self.told()
        self.every_turn_is_stored_once()
        self.nobody_is_told_twice_nor_left_out()
        self.news_rest_on_fresh_data_and_keep_to_the_answers()
        self.while_nobody_answers_the_next_ones_are_told_once()
        self.the_person_is_asked_first()
        self.no_alert_is_lost()
        self.a_fault_is_told_as_grave_as_it_is()
        self.the_ledger_knows_what_is_stored()

    def every_turn_is_stored_once(self) -> None:
        opened = Counter((alert.person, alert.kind) for alert in self.stored if alert.state is AlertState.RAISED)
        assert max(opened.values(), default=0) <= 1, opened
        topics = Counter(
            self.rows(
                "SELECT coalesce(json_extract(payload, '$.alert'), json_extract(payload, '$.fault')), "
                "json_extract(payload, '$.state') FROM outbox"
            )
        )
        home = Home("home", self.store.pseudonyms)
        for alert in self.stored:
            assert topics[home.episode(alert.id), "raised"] >= 1
            assert topics[home.episode(alert.id), "cleared"] == (alert.state is AlertState.CLEARED)

    def nobody_is_told_twice_nor_left_out(self) -> None:
        told: dict[tuple[str, str], Counter[str]] = {}
        for one in self.rows_told:
            told.setdefault((one.alert, one.contact), Counter())[one.turn] += 1
        for alert in self.stored:
            for contact in EVERYBODY:
                self._check_turns(alert, contact, told.get((alert.id, contact), Counter()))
            if alert.state is AlertState.RAISED and alert.told_at is None:
                wished = alert.snoozed_until is not None or alert.acknowledged_at is not None
                assert wished, "nobody was told, and nobody has wished so"

    def _check_turns(self, alert: Alert, contact: str, turns: Counter[str]) -> None:
        assert all(turns[turn] <= 1 for turn in _ONCE), turns
        assert all(turns[turn] <= 1 + self.falls_again[alert.id] for turn in ("question", "unanswered")), turns
        assert turns["again"] <= self.snoozes[alert.id], "told more often than it was put off"
        assert not turns["graver"] or alert.severity is Severity.CRITICAL
        is_over, is_asked = alert.state is AlertState.CLEARED, alert.asked_until is not None
        heard = turns.total() > turns["cleared"]
        if is_over and is_asked:
            assert turns["cleared"] == 1, "a question ended in silence"
        else:
            assert turns["cleared"] == (heard and is_over), (alert, turns)
        if contact not in told_first(alert) or is_asked or alert.id in self.fine:
            return
        began = any(turns[turn] for turn in ("raised", "graver", "unanswered", "help", "again"))
        only_asked = alert.kind == Risk.FALL and (alert.acknowledged_at is not None or self.falls_again[alert.id] > 0)
        assert began == (alert.told_at is not None) or only_asked, (alert, turns)

    def news_rest_on_fresh_data_and_keep_to_the_answers(self) -> None:
        alerts = {alert.id: alert for alert in self.stored}
        for one in self.rows_told - self.seen:
            alert = alerts[one.alert]
            if one.is_step:
                assert alert.acknowledged_at is None or one.created <= alert.acknowledged_at, "told although taken up"
                assert alert.cleared_at is None or one.created <= alert.cleared_at, "told although over"
            is_cry = alert.help_at is not None and one.created >= alert.help_at
            if one.turn not in {"cleared", "answered"} and not is_cry:
                assert not self.is_put_off(alert, one.created), "told in a snooze"
            # Answers are of the moment, a question waits for nothing, and what is critical was never answered.
            is_grave = alert.severity is Severity.CRITICAL and not is_fault(alert)
            if one.turn == "answered" or alert.kind == Risk.FALL or (one.is_step and is_grave):
                continue
            if not is_fault(alert):
                newest = max(self.heard, default=(-1.0, 0.0))[0]
                assert self.now - newest <= 180.0, "told on stale data"
            elif alert.state is AlertState.RAISED:
                assert self.last_look == self.now, "told on a look of the past"
        self.seen = self.rows_told

    def while_nobody_answers_the_next_ones_are_told_once(self) -> None:
        steps: dict[tuple[str, str], list[float]] = {}
        for one in self.rows_told:
            if one.is_step:
                steps.setdefault((one.alert, one.contact), []).append(one.created)
        for alert in self.stored:
            answers = (alert.acknowledged_at, alert.snoozed_until, alert.asked_until, alert.cleared_at)
            is_grave = alert.severity is Severity.CRITICAL and not is_fault(alert)
            looked = self.reminded_at == self.now and (is_grave or self.is_fresh(alert))
            for contact in EVERYBODY:
                told = [at for at in steps.get((alert.id, contact), ()) if at > (alert.told_at or math.inf)]
                due = [at for at in planned(alert, contact) if at <= self.now]
                assert len(told) <= len(due), "told too often, or too soon"
                if due and looked and answers == (None, None, None, None):
                    assert max(told, default=0.0) >= due[-1], f"{contact} was not told on time"

    def the_person_is_asked_first(self) -> None:
        for alert in self.stored:
            if alert.kind != Risk.FALL or alert.told_at is None:
                continue
            ours = [one for one in self.rows_told if one.alert == alert.id]
            assert all(one.contact == "anna" for one in ours if one.turn == "question")
            since = [one for one in ours if one.created >= alert.told_at]
            if alert.asked_until is not None and alert.state is AlertState.RAISED:
                assert [(one.contact, one.turn) for one in since] == [("anna", "question")], "others were told, too"
                if self.reminded_at == self.now:
                    assert self.now < alert.told_at + COUNTDOWN_S, "the countdown went on and on"
            if alert.help_at is not None:
                told = {one.contact for one in ours if one.turn == "help" and one.created == alert.help_at}
                assert told == set(EVERYBODY), "a cry for help was not heard"

    def is_put_off(self, alert: Alert, at: float) -> bool:
        """Whether a snooze of its kind and severity holds, by the last answer of each severity."""
        newest = {(one.kind, one.severity): one for one in self.put_off}
        return any(
            one.kind == alert.kind
            and GRAVITY[one.severity] >= GRAVITY[alert.severity]
            and at < (one.snoozed_until or 0.0)
            for one in newest.values()
        )

    def samples(self, seconds: float) -> list[tuple[float, float]]:
        """What was measured lately."""
        now = self.now
        series = self.loop.run_until_complete(
            self.recorder.call(self.store.signals.series, "anna", Channel.SPO2, now - seconds, now)
        )
        return [(float(at), float(value)) for at, value in zip(series.times, series.values, strict=True)]

    def no_alert_is_lost(self) -> None:
        samples = self.heard
        if not samples or self.now - samples[-1][0] > MINUTE or self.recorder._waiting:
            return
        last = int(samples[-1][0] // MINUTE)
        levels = [
            statistics.median(found)
            for number in range(last - 10, last)
            if (found := [value for at, value in samples if int(at // MINUTE) == number])
        ]
        if len(levels) < 10:
            return
        ours = [alert for alert in self.stored if alert.kind == "spo2_low"]
        opened = [alert for alert in ours if alert.state is AlertState.RAISED]
        if max(levels) < 92.0:
            lately = [alert for alert in ours if self.now - alert.opened_at <= (COOL_DOWN_MIN + 2) * MINUTE]
            assert opened or lately, "ten low minutes, and no alert"
        if min(levels) >= 94.0:
            assert not opened, "ten good minutes, and no all-clear"

    def a_fault_is_told_as_grave_as_it_is(self) -> None:
        told = self.rows("SELECT alert_id, severity FROM notifications")
        for alert in self.stored:
            answered = alert.snoozed_until is not None or alert.acknowledged_at is not None
            if is_fault(alert) and alert.state is AlertState.RAISED and not answered:
                assert (alert.id, alert.severity.value) in told

    def the_ledger_knows_what_is_stored(self) -> None:
        opened = [alert for alert in self.stored if alert.state is AlertState.RAISED]
        assert sorted(map(_answers, self.attending.open_alerts)) == sorted(map(_answers, opened))


def _answers(alert: Alert) -> tuple[Any, ...]:
    """What tells two states of an alert apart, such that it can be sorted."""
    times = (alert.told_at, alert.acknowledged_at, alert.snoozed_until, alert.asked_until, alert.help_at)
    return (alert.id, alert.severity, alert.acknowledged_by or "", *(time or 0.0 for time in times))
