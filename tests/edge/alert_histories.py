"""Random lives of alerts on the real engines, ledger, recorder and store, killed in any commit or between two steps.

`python -m tests.edge.alert_histories 10000` lives through so many.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

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
from edge.alerts.faults import FaultEpisodes, FaultRule, is_fault
from edge.alerts.thresholds import Thresholds
from edge.attending import Attending
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState, Fault, FaultKind, Severity
from edge.readings import Channel, Explanation, Reading, Risk
from edge.store.store import Batch, Store
from edge.watches.vital import watch_vitals
from tests.edge.alert_checks import HOME, MINUTE, Checks, Told
from tests.fakes.alert_house import DirectRecorder

START: Final = 1_800_000_000.0
PART_S: Final = 15.0
ANNA: Final = HOME.people[0]
FAULT_RULES: Final = {kind: FaultRule(0.0, 0.0, 0.0, known_at_start=True) for kind in FaultKind}
WHO: Final = st.sampled_from(["anna", "bert", "carla", "person"])
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


class Lives(Checks, RuleBasedStateMachine):
    """One household in which much happens."""

    store: MortalStore

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.path = self.folder / "hearthbeat.db"
        shutil.copy(_template(), self.path)
        self.reader = sqlite3.connect(self.path)
        self.clock = Clock()
        self.loop = asyncio.new_event_loop()
        self.seen: set[Told] = set()
        self.wrong: set[tuple[FaultKind, str]] = set()
        self.looked_at = self.last_look = -1.0
        self.snoozes: Counter[str] = Counter()
        self.put_off: list[Alert] = []
        self.fall: Alert | None = None
        self.falls = 0
        self.again: Alert | None = None
        self.falls_again: Counter[str] = Counter()
        self.fine: set[str] = set()
        self.reminded_at = -1.0
        self.live(self.begin())

    # What a process does at its start, and when it is killed.

    async def begin(self) -> None:
        self.store = MortalStore(self.path)
        self.recorder = DirectRecorder(self.store, clock=self.clock, interval_s=6.0)
        self.attending = Attending(
            Home("home", self.store.pseudonyms),
            self.recorder,
            self.clock,
            settings=lambda: HOME,
            fault_audience=lambda _: ["bert"],
            is_fresh=self.is_fresh,
        )
        await self.attending.restore(self.store)
        stored = await self.recorder.call(self.store.alerts.alerts, 100)
        self.faults = FaultEpisodes([alert for alert in stored if is_fault(alert)], FAULT_RULES)
        self.vitals: Thresholds
        self.vitals, overdue = await watch_vitals(ANNA, self.store, self.recorder, self.clock.now)
        for alert in overdue:
            await self.attending.say(ANNA, alert)
        # What led to a fall is stored, and is judged again where nobody has noted the fall, or its end.
        known = {alert.id: alert.state for alert in stored}
        if self.fall is not None and known.get(self.fall.id) is not self.fall.state:
            await self.attending.say(ANNA, self.fall)
        if self.again is not None:
            await self.attending.say(ANNA, self.again)

    @property
    def now(self) -> float:  # type: ignore[override]
        return self.clock.now

    @property
    def is_down(self) -> bool:
        return self.fall is not None and self.fall.state is AlertState.RAISED

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

    @rule(minutes=st.sampled_from([0.3, 0.7, 1, 3, 5, 6, 31, 61, 600, 1500]))
    def wait(self, minutes: float) -> None:
        self.clock.now += minutes * MINUTE
        self.live(self._remind())

    async def _remind(self) -> None:
        await self.attending.remind()
        self.reminded_at = self.clock.now

    @precondition(lambda self: not self.is_down)
    @rule()
    def fall_down(self) -> None:
        self.falls += 1
        now, why = self.clock.now, Explanation("A hard blow, and no movement since.")
        kind, critical, raised = Risk.FALL, Severity.CRITICAL, AlertState.RAISED
        self.fall = Alert(f"fall-{self.falls}", "anna", kind, critical, raised, now, now, None, why)
        self.live(self.attending.say(ANNA, self.fall))

    @precondition(lambda self: self.is_down)
    @rule()
    def fall_again(self) -> None:
        """Before the first fall is over: news where the person has said that it was none."""
        assert self.fall is not None
        self.clock.now += 10.0
        known = next((one for one in self.attending.open_alerts if one.id == self.fall.id), None)
        by_person = known is not None and known.acknowledged_by in {"anna", "person"}
        self.again = replace(self.fall, since=self.clock.now)
        self.falls_again[self.fall.id] += by_person
        self.live(self.attending.say(ANNA, self.again))
        (now_so,) = (one for one in self.attending.open_alerts if one.id == self.fall.id)
        is_told = now_so.told_at == self.clock.now or now_so.snoozed_until is not None
        assert is_told or not by_person, "one fall too many"

    @precondition(lambda self: self.is_down)
    @rule()
    def move_again(self) -> None:
        assert self.fall is not None
        self.again = None
        self.fall = replace(self.fall, state=AlertState.CLEARED, cleared_at=self.clock.now)
        self.live(self.attending.say(ANNA, self.fall))

    @precondition(lambda self: self.is_down)
    @rule(do=st.sampled_from(["fine", "help"]), by=st.sampled_from(["anna", "bert", "person"]))
    def say_how_it_is(self, do: str, by: str) -> None:
        self.live(self._say_how_it_is(do, by))

    async def _say_how_it_is(self, do: str, by: str) -> None:
        assert self.fall is not None
        if do == "fine":
            self.fine.add(self.fall.id)
        try:
            await self.attending.answer({"do": do, "alert": self.fall.id, "by": by})
        except WrongUseError:
            assert by == "bert", "the person cannot answer"
            return
        assert by != "bert", "somebody else has said how it is"
        now_so = next(alert for alert in self.attending.open_alerts if alert.id == self.fall.id)
        if do == "fine":
            assert now_so.acknowledged_by in {"anna", "person"}
        else:
            assert now_so.help_at is not None, "a cry for help counts whenever it comes"
            assert now_so.acknowledged_by not in {"anna", "person"}

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
        await self._remind()

    @precondition(lambda self: self.attending.open_alerts)
    @rule(which=st.integers(0, 5), by=WHO)
    def acknowledge(self, which: int, by: str) -> None:
        self.live(self._answer(which, {"do": "acknowledge", "by": by}))

    @precondition(lambda self: self.attending.open_alerts)
    @rule(which=st.integers(0, 5), minutes=st.sampled_from([1, 30, 120, 1440]), by=WHO)
    def snooze(self, which: int, minutes: int, by: str) -> None:
        self.live(self._answer(which, {"do": "snooze", "seconds": minutes * MINUTE, "by": by}))

    async def _answer(self, which: int, request: dict[str, Any]) -> None:
        opened = self.attending.open_alerts
        alert, by, puts_off = opened[which % len(opened)], request["by"], request["do"] == "snooze"
        is_grave = alert.severity is Severity.CRITICAL
        is_asked = alert.asked_until is not None
        is_blind = is_fault(alert) and is_grave
        may_not = by != "person" and ((puts_off and is_grave) or (by == "anna" and (is_asked or is_blind)))
        may_not |= puts_off and is_asked
        if puts_off and not may_not:
            self.snoozes[alert.id] += 1
        try:
            await self.attending.answer({**request, "alert": alert.id})
        except WrongUseError:
            assert may_not, "refused without a reason"
            return
        assert not may_not, "nobody was to be able to do that"
        if puts_off:
            self.put_off.append(replace(alert, snoozed_until=self.clock.now + request["seconds"]))

    @rule(how=st.sampled_from(["before", "after"]))
    def die_in_the_next_commit(self, how: str) -> None:
        self.store.dies = how

    @rule()
    def kill(self) -> None:
        self.store.close()
        self.wrong, self.looked_at = set(), -1.0
        self.live(self.begin())

    @invariant()
    def all_is_well(self) -> None:
        self.check()

    def teardown(self) -> None:
        self.store.close()
        self.reader.close()
        self.loop.close()
        shutil.rmtree(self.folder)


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
