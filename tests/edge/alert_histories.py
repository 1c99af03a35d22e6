"""Random lives of alerts on the real engines, ledger, recorder and store, killed in any commit or between two steps.

`python -m tests.edge.alert_histories 10000` lives through so many.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloud_sync.messages import Home
from edge.alerts.attention import Turn
from edge.alerts.faults import FaultEpisodes, FaultRule, is_fault
from edge.alerts.thresholds import Thresholds
from edge.attending import Attending, notifications_of
from edge.readings import Alert, AlertState, Channel, Explanation, Fault, FaultKind, Notification, Reading, Severity
from edge.recorder import Recorder
from edge.settings import PersonSettings
from edge.store.store import Batch, Store
from edge.vital_watch import watch_vitals

P = ParamSpec("P")
T = TypeVar("T")
START: Final = 1_800_000_000.0
MINUTE: Final = 60.0
PART_S: Final = 15.0
COOL_DOWN_MIN: Final = 30.0
ANNA: Final = PersonSettings.model_validate(
    {
        "id": "anna",
        "contacts": ["anna", "bert"],
        "rules": [{"name": "spo2_low", "cool_down_min": COOL_DOWN_MIN}, {"name": "spo2_very_low", "cool_down_min": 5}],
    }
)
FAULT_RULES: Final = {kind: FaultRule(0.0, 0.0, 0.0, known_at_start=True) for kind in FaultKind}
GRAVITY: Final = {severity: place for place, severity in enumerate(Severity)}
FINE, EDGE, LOW, VERY_LOW = 97.0, 93.0, 89.0, 80.0
# Disks are not what is tested here.
MEMORY: Final = Path("/dev/shm")


class Killed(Exception):  # noqa: N818 -- what happens to a process
    """The process was killed in a commit."""


class MortalStore(Store):
    """A store whose process dies in its next commit, before the disk has it or after, as `dies` says."""

    dies: str | None = None

    def commit(self, batch: Batch) -> None:
        """See Store."""
        dies, self.dies = self.dies, None
        if dies == "before":
            raise Killed
        super().commit(batch)
        if dies == "after":
            raise Killed


class DirectRecorder(Recorder):
    """A recorder that writes at once: handing each call to a thread takes longer than all else here."""

    async def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """See Recorder."""
        return function(*arguments, **named)


class Clock:
    """A clock that a history moves."""

    def __init__(self) -> None:
        self.now = START

    def wall(self) -> float:
        """Seconds since 1970 UTC."""
        return self.now

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Nobody sleeps here."""
        raise AssertionError(seconds)


class Lives(RuleBasedStateMachine):
    """One household in which much happens."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.path = self.folder / "hearthbeat.db"
        shutil.copy(_template(), self.path)
        self.reader = sqlite3.connect(self.path)
        self.clock = Clock()
        self.loop = asyncio.new_event_loop()
        self.seen: set[tuple[str, str, float]] = set()
        self.wrong: set[tuple[FaultKind, str]] = set()
        self.looked_at = self.last_look = -1.0
        self.snoozes: Counter[str] = Counter()
        self.put_off: list[Alert] = []
        self.live(self.begin())

    # What a process does at its start, and when it is killed.

    async def begin(self) -> None:
        self.store = MortalStore(self.path)
        self.recorder = DirectRecorder(self.store, clock=self.clock, interval_s=6.0)
        self.attending = Attending(
            Home("home", self.store.pseudonyms),
            self.recorder,
            self.clock,
            people=lambda: [ANNA],
            fault_notifications=_fault_notifications,
            is_fresh=self.is_fresh,
        )
        await self.attending.restore(self.store)
        stored = await self.recorder.call(self.store.alerts.alerts, 100)
        self.faults = FaultEpisodes([alert for alert in stored if is_fault(alert)], FAULT_RULES)
        self.vitals: Thresholds
        self.vitals, overdue = await watch_vitals(ANNA, self.store, self.recorder, self.clock.now)
        for alert in overdue:
            await self.attending.say(ANNA, alert)

    def live(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something; whoever is killed in it begins anew."""
        try:
            self.loop.run_until_complete(doing)
        except Killed:
            self.kill()

    def is_fresh(self, alert: Alert) -> bool:
        if is_fault(alert):
            return self.looked_at == self.clock.now and bool(self.wrong)
        return self.vitals.is_fresh(alert.kind, self.clock.now)

    @initialize()
    def remember(self) -> None:
        self.seen = self.told()

    # What happens.

    @rule(level=st.sampled_from([FINE, EDGE, LOW, VERY_LOW]), minutes=st.integers(1, 14))
    def measure(self, level: float, minutes: int) -> None:
        self.live(self._measure(level, minutes))

    async def _measure(self, level: float, minutes: int) -> None:
        for _ in range(round(minutes * MINUTE / PART_S)):
            self.clock.now += PART_S
            reading = Reading("anna", "AA", Channel.SPO2, "%", self.clock.now, self.clock.now, (level,))
            self.recorder.keep([reading], ())
            for alert in self.vitals.push(reading, self.clock.now):
                await self.attending.say(ANNA, alert)
        await self.recorder.commit()

    @rule(level=st.sampled_from([FINE, VERY_LOW]), age_min=st.sampled_from([5, 45, 600]))
    def hear_late(self, level: float, age_min: int) -> None:
        """What comes from a wearable's memory: nobody is told of what is over."""
        self.live(self._hear_late(level, age_min * MINUTE))

    async def _hear_late(self, level: float, age_s: float) -> None:
        for part in range(4 * 12):
            at = self.clock.now - age_s - 12 * MINUTE + part * PART_S
            reading = Reading("anna", "AA", Channel.SPO2, "%", at, self.clock.now, (level,))
            for alert in self.vitals.push(reading, self.clock.now):
                await self.attending.say(ANNA, alert)

    @rule(minutes=st.sampled_from([1, 3, 31, 61, 600, 1500]))
    def wait(self, minutes: int) -> None:
        self.clock.now += minutes * MINUTE
        self.live(self.attending.remind())

    @rule(severity=st.sampled_from([None, Severity.WARNING, Severity.CRITICAL]))
    def look(self, severity: Severity | None) -> None:
        self.live(self._look(severity))

    async def _look(self, severity: Severity | None) -> None:
        self.clock.now += 30.0
        key = (FaultKind.NO_DATA, "AA")
        faults = [] if severity is None else [Fault(*key, self.clock.now, "Nothing comes.", "anna", severity)]
        self.wrong = {key} if faults else set()
        self.looked_at = self.last_look = self.clock.now
        for transition in self.faults.look(self.clock.now, 30.0, faults, [] if faults else [key]):
            await self.attending.say_fault(transition)
        await self.attending.remind()

    @precondition(lambda self: self.attending.open_alerts)
    @rule(which=st.integers(0, 5))
    def acknowledge(self, which: int) -> None:
        self.live(self._answer(which, {"do": "acknowledge", "by": "bert"}))

    @precondition(lambda self: self.attending.open_alerts)
    @rule(which=st.integers(0, 5), minutes=st.sampled_from([1, 30, 120, 1440]))
    def snooze(self, which: int, minutes: int) -> None:
        self.live(self._answer(which, {"do": "snooze", "seconds": minutes * MINUTE}))

    async def _answer(self, which: int, request: dict[str, Any]) -> None:
        opened = self.attending.open_alerts
        alert = opened[which % len(opened)]
        if request["do"] == "snooze":
            self.snoozes[alert.id] += 1
        await self.attending.answer({**request, "alert": alert.id})
        if request["do"] == "snooze":
            self.put_off.append(replace(alert, snoozed_until=self.clock.now + request["seconds"]))

    @rule(how=st.sampled_from(["before", "after"]))
    def die_in_the_next_commit(self, how: str) -> None:
        self.store.dies = how

    @rule()
    def kill(self) -> None:
        self.store.close()
        self.wrong, self.looked_at = set(), -1.0
        self.live(self.begin())

    # What must hold after every step.

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.reader.execute(query).fetchall()

    def told(self) -> set[tuple[str, str, float]]:
        return {(i, a, c) for i, a, c in self.rows("SELECT id, alert_id, created FROM notifications")}

    @invariant()
    def all_is_well(self) -> None:
        self.stored = self.loop.run_until_complete(self.recorder.call(self.store.alerts.alerts, 1000))
        self.heard = self.samples(13 * MINUTE)
        self.nobody_is_told_twice_nor_left_out()
        self.news_rest_on_fresh_data_and_keep_to_the_answers()
        self.no_alert_is_lost()
        self.a_fault_is_told_as_grave_as_it_is()
        self.the_ledger_knows_what_is_stored()

    def nobody_is_told_twice_nor_left_out(self) -> None:
        told: dict[tuple[str, str], set[str]] = {}
        for identifier, alert_id, contact in self.rows("SELECT id, alert_id, contact FROM notifications"):
            told.setdefault((alert_id, contact), set()).add(identifier)
        alerts = {alert.id: alert for alert in self.stored}
        opened = Counter((alert.person, alert.kind) for alert in alerts.values() if alert.state is AlertState.RAISED)
        assert max(opened.values(), default=0) <= 1, opened
        topics = Counter(
            (identifier, state)
            for identifier, state in self.rows(
                "SELECT coalesce(json_extract(payload, '$.alert'), json_extract(payload, '$.fault')), "
                "json_extract(payload, '$.state') FROM outbox"
            )
        )
        for alert in alerts.values():
            contacts = ["bert"] if is_fault(alert) else ANNA.contacts
            assert topics[alert.id, "raised"] >= 1
            assert topics[alert.id, "cleared"] == (alert.state is AlertState.CLEARED)
            for contact in contacts:
                heard = told.get((alert.id, contact), set())
                began, graver, over = (
                    _notification(alert.id, turn, contact) in heard for turn in ("raised", "graver/critical", "cleared")
                )
                assert (began or graver) == (alert.told_at is not None), alert
                assert over == ((began or graver) and alert.state is AlertState.CLEARED), alert
                again = len(heard) - began - graver - over
                assert again <= self.snoozes[alert.id], "told more often than it was put off"
                if graver:
                    assert alert.severity is Severity.CRITICAL
            if alert.state is AlertState.RAISED and alert.told_at is None:
                wished = alert.snoozed_until is not None or alert.acknowledged_at is not None
                assert wished, "nobody was told, and nobody has wished so"

    def news_rest_on_fresh_data_and_keep_to_the_answers(self) -> None:
        told = self.told()
        alerts = {alert.id: alert for alert in self.stored}
        for identifier, alert_id, created in told - self.seen:
            alert = alerts[alert_id]
            over = {_notification(alert_id, "cleared", contact) for contact in ANNA.contacts}
            if identifier not in over:
                assert not self.is_put_off(alert, created), "told in a snooze"
            if not is_fault(alert):
                newest = max(self.heard, default=(-1.0, 0.0))[0]
                assert self.clock.now - newest <= 180.0, "told on stale data"
            elif alert.state is AlertState.RAISED:
                assert self.last_look == self.clock.now, "told on a look of the past"
        self.seen = told

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
        series = self.loop.run_until_complete(
            self.recorder.call(
                self.store.signals.series, "anna", Channel.SPO2, self.clock.now - seconds, self.clock.now
            )
        )
        return [(float(at), float(value)) for at, value in zip(series.times, series.values, strict=True)]

    def no_alert_is_lost(self) -> None:
        samples = self.heard
        if not samples or self.clock.now - samples[-1][0] > MINUTE or self.recorder._waiting:
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
            lately = [alert for alert in ours if self.clock.now - alert.opened_at <= (COOL_DOWN_MIN + 2) * MINUTE]
            assert opened or lately, "ten low minutes, and no alert"
        if min(levels) >= 94.0:
            assert not opened, "ten good minutes, and no all-clear"

    def a_fault_is_told_as_grave_as_it_is(self) -> None:
        for alert in self.stored:
            answered = alert.snoozed_until is not None or alert.acknowledged_at is not None
            if is_fault(alert) and alert.state is AlertState.RAISED and not answered:
                told = self.rows("SELECT alert_id, severity FROM notifications")
                assert (alert.id, alert.severity.value) in told

    def the_ledger_knows_what_is_stored(self) -> None:
        opened = [alert for alert in self.stored if alert.state is AlertState.RAISED]
        key = [(a.id, a.severity, a.told_at, a.acknowledged_at, a.snoozed_until) for a in self.attending.open_alerts]
        found = [(a.id, a.severity, a.told_at, a.acknowledged_at, a.snoozed_until) for a in opened]
        assert sorted(key) == sorted(found)

    def teardown(self) -> None:
        self.store.close()
        self.reader.close()
        self.loop.close()
        shutil.rmtree(self.folder)


def _fault_notifications(turn: Turn) -> list[Notification]:
    return notifications_of(turn, ["bert"], "title", "body")


def _notification(alert: str, turn: str, contact: str) -> str:
    name = Alert(alert, "anna", "", Severity.INFO, AlertState.RAISED, 0.0, 0.0, None, Explanation(""))
    (notification,) = notifications_of(Turn(name, turn, 0.0, is_news=True), [contact], "", "")
    return notification.id


@cache
def _template() -> Path:
    """An empty store: to make one takes longer than to copy it."""
    path = Path(tempfile.mkdtemp(prefix="hearthbeat-")) / "empty.db"
    Store(path).close()
    return path


def live(histories: int, steps: int = 20) -> None:
    """Live through so many random histories of so many steps; raises AssertionError with the shortest that fails."""
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    live(int(sys.argv[1]))
    sys.stdout.write(f"{sys.argv[1]} histories: no alert lost, none doubled, none on stale data\n")
