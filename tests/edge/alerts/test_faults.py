"""Faults: told once, together, by day, and over when they are over, whatever happens to the process meanwhile."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.alerts.faults import RULES, START_S, FaultEpisodes, FaultRule, keys_of
from edge.alerts.limits import Limits
from edge.notices import AlertState, Fault, FaultKind, Severity
from edge.readings import Channel
from tests.edge.alerts.household_story import LOOK_S, NOON, Story, Worn

MINUTE = 60.0
HOUR = 3600.0
BROKER = (FaultKind.BROKER_REFUSES, "broker")


def refusal(severity: Severity = Severity.WARNING) -> Fault:
    return Fault(*BROKER, NOON, "The broker refuses us.", None, severity)


def silence(subject: str, person: str = "anna", severity: Severity = Severity.WARNING) -> Fault:
    return Fault(FaultKind.NO_DATA, subject, NOON, f"It says nothing ({person}).", person, severity)


def started() -> FaultEpisodes:
    episodes = FaultEpisodes()
    episodes.look(NOON, START_S, [], [])
    return episodes


def test_a_fault_is_told_after_its_delay_once_and_its_end_once() -> None:
    episodes, told = started(), []
    for minute in range(60):
        told += episodes.look(NOON + minute * MINUTE, MINUTE, [refusal()], [])
    (raised,) = told
    assert raised.is_news
    assert raised.alert.state is AlertState.RAISED
    assert raised.alert.opened_at == NOON + 10 * MINUTE
    assert raised.alert.since == NOON
    ended = [t for minute in range(60, 70) for t in episodes.look(NOON + minute * MINUTE, MINUTE, [], [BROKER])]
    (cleared,) = ended
    assert cleared.is_news
    assert (cleared.alert.id, cleared.alert.state) == (raised.alert.id, AlertState.CLEARED)
    assert episodes.open_alerts == []


def test_what_is_not_known_neither_raises_nor_clears() -> None:
    episodes = started()
    for minute in range(9):
        assert episodes.look(NOON + minute * MINUTE, MINUTE, [refusal()], []) == []
    for minute in range(9, 100):
        assert episodes.look(NOON + minute * MINUTE, MINUTE, [], []) == []
    transitions = [t for minute in range(100, 103) for t in episodes.look(NOON, MINUTE, [refusal()], [])]
    assert len(transitions) == 1
    assert episodes.look(NOON + 5 * HOUR, 5 * HOUR, [], []) == []
    assert len(episodes.open_alerts) == 1


def test_a_good_look_between_begins_the_delay_anew() -> None:
    episodes = started()
    for minute in range(100):
        wrong = [] if minute % 8 == 0 else [refusal()]
        assert episodes.look(NOON + minute * MINUTE, MINUTE, wrong, [] if wrong else [BROKER]) == []


def test_what_falls_silent_together_is_one_alert_for_all_it_concerns() -> None:
    (transition,) = started().look(NOON, MINUTE, [silence("AA"), silence("BB"), silence("CC", "bert")], [])
    assert transition.alert.subject == "AA,BB,CC"
    assert transition.alert.person == ""
    assert transition.alert.explanation.sentence == "It says nothing (anna). It says nothing (bert)."
    (transition,) = started().look(NOON, MINUTE, [silence("AA"), silence("BB")], [])
    assert transition.alert.person == "anna"


def test_what_is_well_again_leaves_a_common_alert_quietly_and_can_be_told_anew() -> None:
    episodes, now = started(), NOON
    episodes.look(now, MINUTE, [silence("AA"), silence("BB")], [])
    kept = [t for _ in range(12) for t in episodes.look(now, MINUTE, [silence("BB")], [(FaultKind.NO_DATA, "AA")])]
    (left,) = kept
    assert not left.is_news
    assert left.alert.subject == "BB"
    later = now + RULES[FaultKind.NO_DATA].rest_s
    (again,) = episodes.look(later, MINUTE, [silence("AA"), silence("BB")], [])
    assert again.alert.subject == "AA"
    assert again.alert.id != left.alert.id


def test_a_graver_turn_is_told_though_the_fault_is_known() -> None:
    episodes = started()
    (mild,) = episodes.look(NOON, MINUTE, [silence("AA")], [])
    (grave,) = episodes.look(NOON, MINUTE, [silence("AA", severity=Severity.CRITICAL)], [])
    assert grave.is_news
    assert (grave.alert.id, grave.alert.severity) == (mild.alert.id, Severity.CRITICAL)
    assert episodes.look(NOON, MINUTE, [silence("AA")], []) == []


def test_nobody_is_woken_but_for_what_is_critical() -> None:
    episodes = started()
    for minute in range(600):
        assert episodes.look(NOON + minute * MINUTE, MINUTE, [silence("AA")], [], is_night=True) == []
    (grave,) = episodes.look(
        NOON, MINUTE, [silence("AA"), silence("BB", severity=Severity.CRITICAL)], [], is_night=True
    )
    assert grave.alert.severity is Severity.CRITICAL
    assert grave.alert.subject == "AA,BB", "what would be told in the morning comes along"


def test_pain_18_what_comes_and_goes_is_told_once_in_its_rest() -> None:
    episodes, told, now = started(), [], NOON
    while now < NOON + 11 * HOUR:
        for wrong in (True, False):
            for _ in range(15):
                now += MINUTE
                told += episodes.look(
                    now, MINUTE, [silence("AA")] if wrong else [], [] if wrong else [silence_key("AA")]
                )
    assert Counter(t.alert.state for t in told) == {AlertState.RAISED: 1, AlertState.CLEARED: 1}


def silence_key(subject: str) -> tuple[FaultKind, str]:
    return FaultKind.NO_DATA, subject


def test_a_clock_that_was_set_back_does_not_keep_a_fault_from_being_told() -> None:
    episodes = started()
    episodes.look(NOON, MINUTE, [silence("AA")], [])
    for _ in range(12):
        episodes.look(NOON, MINUTE, [], [silence_key("AA")])
    assert len(episodes.look(NOON - 365 * 24 * HOUR, MINUTE, [silence("AA")], [])) == 1


def test_the_first_minutes_after_a_start_are_no_fault_but_a_damaged_model_is() -> None:
    episodes = FaultEpisodes()
    model = Fault(FaultKind.MODEL, "fall", NOON, "This risk is not watched.")
    (transition,) = episodes.look(NOON, 0.0, [silence("AA"), model], [])
    assert transition.alert.kind == FaultKind.MODEL
    told = [t for n in range(1, 10) for t in episodes.look(NOON + n * MINUTE, MINUTE, [silence("AA"), model], [])]
    (transition,) = told
    assert transition.alert.kind == FaultKind.NO_DATA
    assert transition.alert.opened_at == NOON + START_S


def test_pain_14_an_open_fault_is_not_told_again_after_a_restart() -> None:
    (raised,) = started().look(NOON, MINUTE, [silence("AA")], [])
    again = FaultEpisodes([raised.alert])
    for minute in range(1000):
        assert again.look(NOON + minute * MINUTE, MINUTE, [silence("AA")], []) == []


def test_pain_15_an_all_clear_is_not_lost_by_a_restart() -> None:
    (raised,) = started().look(NOON, MINUTE, [silence("AA"), silence("BB")], [])
    again = FaultEpisodes([raised.alert])
    well = [silence_key("AA"), silence_key("BB")]
    (cleared,) = [t for n in range(20) for t in again.look(NOON + n * MINUTE, MINUTE, [], well)]
    assert cleared.is_news
    assert cleared.alert.id == raised.alert.id


def test_what_is_no_longer_there_is_closed_and_nobody_is_told() -> None:
    episodes = started()
    episodes.look(NOON, MINUTE, [silence("AA")], [])
    (closed,) = episodes.forget(NOON, [silence_key("AA")])
    assert not closed.is_news
    assert closed.alert.state is AlertState.CLEARED
    assert episodes.open_alerts == []


LIMITS = Limits(
    no_data_s=MappingProxyType({Channel.HEART_RATE: 10 * MINUTE}),
    away_s=MappingProxyType({Channel.HEART_RATE: 30 * MINUTE}),
    frozen_s=MappingProxyType({Channel.HEART_RATE: 15 * MINUTE}),
    never_seen_s=20 * MINUTE,
    not_worn_s=15 * MINUTE,
    battery_low_percent=15.0,
)
# As the real ones, but quicker, so that a history has room for several of each.
REST = 20 * MINUTE
QUICK = MappingProxyType({kind: FaultRule(2 * MINUTE, 3 * MINUTE, REST, waits_for_day=True) for kind in FaultKind})
# Longer than whatever must be waited for: a rest, a start, a limit, a delay.
LONG = 30 * MINUTE + REST + START_S + 5 * MINUTE
ADDRESSES = ("AA", "BB", "CC")


class Household(RuleBasedStateMachine):
    """Random histories of three wearables, their radio and the process that looks after them."""

    @initialize()
    def begin(self) -> None:
        worn = [Worn(address, "anna" if address == "AA" else "bert", (Channel.HEART_RATE,)) for address in ADDRESSES]
        self.story = Story(*worn, limits=LIMITS, rules=QUICK)
        self.story.go(10 * MINUTE)
        self.steps: list[float] = []

    @rule(which=st.integers(0, 2), sends=st.booleans(), near=st.booleans())
    def move(self, which: int, sends: bool, near: bool) -> None:
        self.story.wearables[which].sends = sends
        self.story.wearables[which].near = near

    @rule(which=st.integers(0, 2), percent=st.sampled_from([0.0, 14.0, 16.0, 24.0, 26.0, 100.0, None]))
    def drain(self, which: int, percent: float | None) -> None:
        self.story.wearables[which].battery = percent

    @rule(which=st.integers(0, 2), worn=st.sampled_from([True, False, None]), frozen=st.booleans())
    def wear(self, which: int, worn: bool | None, frozen: bool) -> None:
        self.story.wearables[which].worn = worn
        self.story.wearables[which].frozen = frozen

    @rule(which=st.integers(0, 2), minutes=st.integers(1, 8))
    def flicker(self, which: int, minutes: int) -> None:
        """A battery that is low, and is not, and is low."""
        for percent in (10.0, 90.0, 10.0, 90.0):
            self.drain(which, percent)
            self.story.go(minutes * MINUTE)

    @rule(works=st.booleans())
    def radio(self, works: bool) -> None:
        self.set_radio(works)

    def set_radio(self, works: bool) -> None:
        self.story.house = replace(self.story.house, radio=None if works else "no adapter")

    @rule(minutes=st.integers(1, 40))
    def wait(self, minutes: int) -> None:
        self.story.go(minutes * MINUTE)

    @rule(commits=st.integers(0, 2), down=st.integers(0, 30))
    def kill(self, commits: int, down: int) -> None:
        """Die in the middle of a look, with part of what it found committed."""
        self.story.live(LOOK_S)
        self.story.look(commits=commits)
        self.story.boot()
        self.story.live(down * MINUTE + 1.0)

    @rule(seconds=st.sampled_from([-86_400.0, -900.0, 900.0, 86_400.0]))
    def step_the_clock(self, seconds: float) -> None:
        self.story.clock_ahead_s += seconds
        self.steps.append(self.story.now)

    @rule()
    def bide(self) -> None:
        """What is wrong for long, by day, with a process that lives, is told."""
        self.wait_for_day()
        self.story.go(LONG)
        opened = set(self.story.store.open_keys)
        if not self.story.radio:
            assert (FaultKind.BLUETOOTH, "bluetooth") in opened
            return
        for worn in self.story.wearables:
            if not (worn.sends and worn.near):
                assert (FaultKind.NO_DATA, worn.address) in opened
            elif worn.worn is False:
                assert (FaultKind.NOT_WORN, worn.address) in opened
            elif worn.frozen:
                assert (FaultKind.FROZEN_VALUE, worn.address) in opened
            if worn.battery is not None and worn.battery <= 15.0:
                assert (FaultKind.BATTERY_LOW, worn.address) in opened

    def wait_for_day(self) -> None:
        while not 8.0 <= self.story.wall % 86_400.0 / HOUR < 20.0:
            self.story.go(30 * MINUTE)

    @invariant()
    def nothing_is_open_twice(self) -> None:
        keys = self.story.store.open_keys
        assert len(keys) == len(set(keys))

    def teardown(self) -> None:
        for worn in self.story.wearables:
            worn.sends = worn.near = worn.worn = True
            worn.battery, worn.frozen = 100.0, False
        self.set_radio(True)
        self.wait_for_day()
        self.story.go(START_S + 90 * MINUTE)
        assert self.story.store.open_keys == []
        self.every_end_has_its_beginning()
        self.nothing_flaps()

    def every_end_has_its_beginning(self) -> None:
        store = self.story.store
        raised, cleared = Counter(a.id for a in store.raised()), Counter(a.id for a in store.cleared())
        assert set(raised.values()) <= {1}, "told again"
        assert cleared == raised, "an all-clear is missing, or was told again"

    def nothing_flaps(self) -> None:
        last: dict[tuple[FaultKind, str], float] = {}
        for at, alert in self.story.store.told:
            if alert.state is AlertState.RAISED:
                for key in keys_of(alert):
                    before = last.get(key, -math.inf)
                    stepped = any(before <= step <= at for step in self.steps)
                    assert stepped or at - before >= REST, f"{key} told again within its rest"
                    last[key] = at


Household.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestHousehold = Household.TestCase
