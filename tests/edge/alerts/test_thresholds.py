"""Rules about vital signs: told once when it lasts, over with a margin, and nothing concluded from what is missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.thresholds import ThresholdRule, Thresholds
from edge.alerts.vital_rules import DEFAULTS
from edge.notices import Alert, AlertState, Severity
from edge.readings import CHANNELS, Channel, Quality, Reading

START = 1_780_000_020.0  # a whole minute
MINUTE = 60.0
LOW = ThresholdRule("low", Channel.SPO2, Severity.WARNING, below=92.0, clear=94.0, minutes=10.0, cool_down_min=30.0)
FEVER = ThresholdRule("fever", Channel.TEMPERATURE, Severity.WARNING, above=37.9, clear=37.5, cool_down_min=0.0)


def reading(channel: Channel, at: float, value: float, quality: Quality = Quality.GOOD, late: float = 0.1) -> Reading:
    return Reading("anna", "AA", channel, CHANNELS[channel].unit, at, at + late, (value,), quality)


def feed(rules: Thresholds, readings: Iterable[Reading]) -> list[Alert]:
    return [alert for one in readings for alert in rules.push(one, one.received_at)]


def minutes(
    channel: Channel, values: Sequence[float | None], start: float = START, quality: Quality = Quality.GOOD
) -> list[Reading]:
    """Six samples a minute of each value; None is a minute without any."""
    return [
        reading(channel, start + MINUTE * place + 10.0 * part, value, quality)
        for place, value in enumerate(values)
        if value is not None
        for part in range(6)
    ]


def states(alerts: Iterable[Alert]) -> list[AlertState]:
    return [alert.state for alert in alerts]


RAISED, CLEARED = AlertState.RAISED, AlertState.CLEARED


def test_what_lasts_is_told_once_with_its_reason_and_its_end() -> None:
    raised, cleared = feed(Thresholds("anna", [LOW]), minutes(Channel.SPO2, [97.0] * 5 + [89.0] * 30 + [97.0] * 20))
    assert (raised.state, cleared.state) == (RAISED, CLEARED)
    assert raised.since == START + 5 * MINUTE
    assert raised.opened_at == START + 15 * MINUTE
    assert cleared.cleared_at == START + 45 * MINUTE
    assert "below 92 % for 10 minutes" in raised.explanation.sentence
    assert raised.explanation.numbers["value"] == 89.0


def test_pain_18_what_does_not_last_is_not_told() -> None:
    assert feed(Thresholds("anna", [LOW]), minutes(Channel.SPO2, ([89.0] * 9 + [96.0]) * 6)) == []


def test_pain_18_what_goes_to_and_fro_about_the_limit_is_told_once() -> None:
    alerts = feed(Thresholds("anna", [LOW]), minutes(Channel.SPO2, [91.0] * 12 + [93.0, 91.0] * 60))
    assert states(alerts) == [RAISED]


def test_pain_18_between_two_episodes_there_is_a_rest() -> None:
    waves = ([89.0] * 12 + [97.0] * 12) * 5
    alerts = feed(Thresholds("anna", [LOW]), minutes(Channel.SPO2, waves))
    opened = [alert.opened_at for alert in alerts if alert.state is RAISED]
    assert len(opened) == 3
    assert min(later - before for before, later in itertools.pairwise(opened)) >= 30 * MINUTE


def test_pain_09_a_gap_neither_raises_nor_clears() -> None:
    rules = Thresholds("anna", [LOW])
    assert feed(rules, minutes(Channel.SPO2, [89.0] * 5 + [None] * 60 + [89.0] * 5)) == []
    assert states(feed(rules, minutes(Channel.SPO2, [89.0] * 10, START + 70 * MINUTE))) == [RAISED]
    assert feed(rules, minutes(Channel.SPO2, [None] * 60 + [97.0] * 5, START + 80 * MINUTE)) == []
    assert states(feed(rules, minutes(Channel.SPO2, [97.0] * 10, START + 145 * MINUTE))) == [CLEARED]


@pytest.mark.parametrize("quality", [Quality.NO_CONTACT, Quality.OUT_OF_RANGE, Quality.UNRELIABLE, Quality.TIME_UNSURE])
def test_pain_08_what_says_nothing_of_a_person_tells_nothing(quality: Quality) -> None:
    rules = Thresholds("anna", [LOW, FEVER])
    assert feed(rules, minutes(Channel.SPO2, [60.0] * 30, quality=quality)) == []
    assert feed(rules, [reading(Channel.TEMPERATURE, START, 41.0, quality)]) == []
    assert states(feed(rules, minutes(Channel.SPO2, [89.0] * 12, START + HOUR))) == [RAISED]
    assert feed(rules, minutes(Channel.SPO2, [98.0] * 30, START + 2 * HOUR, quality)) == []


HOUR = 3600.0


def test_one_slip_in_a_minute_is_none() -> None:
    slips = [
        replace(one, values=(50.0,)) if place % 6 == 3 else one
        for place, one in enumerate(minutes(Channel.SPO2, [97.0] * 30))
    ]
    assert feed(Thresholds("anna", [LOW]), slips) == []


def test_half_of_the_minutes_are_not_enough_where_more_are_needed() -> None:
    every_other = [89.0, None] * 15
    assert feed(Thresholds("anna", [LOW]), minutes(Channel.SPO2, every_other)) == []
    assert states(feed(Thresholds("anna", [replace(LOW, coverage=0.5)]), minutes(Channel.SPO2, every_other))) == [
        RAISED
    ]


def test_one_measurement_is_told_as_one() -> None:
    (raised,) = feed(Thresholds("anna", [FEVER]), [reading(Channel.TEMPERATURE, START, 39.4)])
    assert raised.since == raised.opened_at == START
    assert "in one measurement: 39.4 °C" in raised.explanation.sentence


def test_the_median_of_several_measurements_counts_where_one_says_little() -> None:
    rule = ThresholdRule("high", Channel.SYSTOLIC, Severity.INFO, above=134.0, clear=130.0, values=5)
    days = [120.0, 150.0, 152.0, 128.0, 141.0, 139.0, 137.0]
    readings = [reading(Channel.SYSTOLIC, START + day * 86_400.0, value) for day, value in enumerate(days)]
    (raised,) = feed(Thresholds("anna", [rule]), readings)
    assert raised.opened_at == readings[4].start
    assert "in the middle of 5 measurements in a row: 141 mmHg." in raised.explanation.sentence


def test_pain_11_a_measurement_that_comes_late_is_told_but_not_one_of_yesterday() -> None:
    late = reading(Channel.TEMPERATURE, START, 39.4, late=1800.0)
    assert states(feed(Thresholds("anna", [FEVER]), [late])) == [RAISED]
    old = reading(Channel.TEMPERATURE, START, 39.4, late=86_400.0)
    assert feed(Thresholds("anna", [FEVER]), [old]) == []


def test_pain_11_a_stream_that_comes_hours_late_raises_and_clears_nothing() -> None:
    rules = Thresholds("anna", [LOW])
    late = [replace(one, received_at=one.received_at + 2 * HOUR) for one in minutes(Channel.SPO2, [85.0] * 30)]
    assert feed(rules, late) == []


def test_a_sensor_that_sends_every_five_minutes_is_judged_by_time() -> None:
    rule = next(rule for rule in DEFAULTS if rule.name == "glucose_very_low")
    values = [80.0, 60.0, 52.0, 50.0, 49.0, 48.0, 60.0, 75.0, 80.0, 85.0, 90.0]
    readings = [reading(Channel.GLUCOSE, START + 300.0 * place, value) for place, value in enumerate(values)]
    raised, cleared = feed(Thresholds("anna", [rule]), readings)
    assert raised.opened_at == START + 4 * 300.0
    assert cleared.cleared_at == START + 9 * 300.0


@pytest.mark.parametrize("pace", [300.0, 900.0, 950.0])
@pytest.mark.parametrize(("name", "value"), [("glucose_very_low", 45.0), ("glucose_very_high", 300.0)])
def test_a_sensor_of_any_pace_tells_what_lasts(name: str, value: float, pace: float) -> None:
    rule = next(rule for rule in DEFAULTS if rule.name == name)
    values = [120.0] * 4 + [value] * 40 + [120.0] * 30
    readings = [reading(Channel.GLUCOSE, START + pace * place, one) for place, one in enumerate(values)]
    raised, cleared = feed(Thresholds("anna", [rule]), readings)
    first, back = START + 4 * pace, START + 44 * pace
    assert 60.0 * rule.minutes - pace <= raised.opened_at - first <= 60.0 * rule.minutes + pace
    assert 60.0 * rule.minutes - pace <= cleared.cleared_at - back <= 60.0 * rule.minutes + pace  # type: ignore[operator]


def test_pain_18_one_low_value_of_a_slow_sensor_is_nothing_that_lasts() -> None:
    rule = next(rule for rule in DEFAULTS if rule.name == "glucose_very_low")
    values = [80.0, 78.0, 45.0, 80.0] * 10
    readings = [reading(Channel.GLUCOSE, START + 900.0 * place, value) for place, value in enumerate(values)]
    assert feed(Thresholds("anna", [rule]), readings) == []


def test_pain_09_a_silence_of_a_sensor_lasts_for_nothing() -> None:
    rule = next(rule for rule in DEFAULTS if rule.name == "glucose_very_low")
    readings = [reading(Channel.GLUCOSE, START + 3600.0 * place, 45.0) for place in range(12)]
    assert feed(Thresholds("anna", [rule]), readings) == []


def moves(start: float, seconds: int, swing: float) -> list[Reading]:
    return [
        Reading("anna", "AA", Channel.ACCELERATION, "mg", at, at, (swing * (place % 2), 0.0, 1000.0), interval_s=0.02)
        for place in range(seconds)
        for at in [start + place]
    ]


def test_a_fast_heart_is_told_only_where_rest_is_known() -> None:
    rule = next(rule for rule in DEFAULTS if rule.name == "heart_rate_high")
    beats = minutes(Channel.HEART_RATE, [150.0] * 30)

    def told(moving: list[Reading]) -> list[Alert]:
        together = sorted([*beats, *moving], key=lambda one: one.received_at)
        return feed(Thresholds("anna", [rule]), together)

    assert told([]) == [], "nobody knows whether this is a run"
    assert told(moves(START, 1800, 800.0)) == [], "a run"
    (raised,) = told(moves(START - 600.0, 2400, 10.0))
    assert "at rest" in raised.explanation.sentence


def test_pain_14_15_a_restart_at_any_reading_changes_nothing() -> None:
    readings = minutes(Channel.SPO2, [97.0] * 3 + [89.0] * 14 + [97.0] * 14 + [88.0] * 25 + [98.0] * 12)
    expected = feed(Thresholds("anna", [LOW]), readings)
    assert states(expected) == [RAISED, CLEARED, RAISED, CLEARED]
    for cut in range(0, len(readings), 7):
        before = feed(Thresholds("anna", [LOW]), readings[:cut])
        # The last alert may have been lost with the process: it is told by what is stored.
        for known in {len(before), max(0, len(before) - 1)}:
            told = before[:known]
            newest = {"low": told[-1]} if told else {}
            again = Thresholds("anna", [LOW], newest)
            if known < len(before) and readings[cut - 1].received_at - before[-1].opened_at > 100.0:
                continue  # an alert that is told is committed at once: none is as old
            replayed = [a for one in readings[:cut] for a in again.push(one, readings[cut - 1].received_at)]
            assert told + replayed + feed(again, readings[cut:]) == expected, cut


def test_pain_14_what_was_told_and_is_over_is_not_told_again_by_what_is_stored() -> None:
    readings = [reading(Channel.TEMPERATURE, START + 600.0 * n, value) for n, value in enumerate((39.4, 37.0))]
    _, cleared = feed(Thresholds("anna", [FEVER]), readings)
    again = Thresholds("anna", [FEVER], {"fever": cleared})
    assert [alert for one in readings for alert in again.push(one, START + 700.0)] == []


def test_pain_23_a_clock_that_is_set_back_keeps_nothing_from_being_told() -> None:
    rules = Thresholds("anna", [LOW])
    assert states(feed(rules, minutes(Channel.SPO2, [89.0] * 12))) == [RAISED]
    earlier = START - 30 * 86_400.0
    assert states(feed(rules, minutes(Channel.SPO2, [97.0] * 12 + [89.0] * 12, earlier))) == [CLEARED, RAISED]


def test_another_rule_ends_the_episode_of_the_one_before() -> None:
    rules = Thresholds("anna", [LOW])
    feed(rules, minutes(Channel.SPO2, [89.0] * 12))
    assert rules.take_on([LOW, FEVER], START + HOUR) == []
    assert states(rules.take_on([replace(LOW, below=85.0, clear=88.0)], START + HOUR)) == [CLEARED]
    assert rules.take_on([], START + HOUR) == []


@given(st.lists(st.one_of(st.none(), st.floats(70.0, 100.0)), max_size=90))
def test_raised_and_cleared_take_turns_and_each_rests_on_enough(values: list[float | None]) -> None:
    alerts = feed(Thresholds("anna", [LOW]), minutes(Channel.SPO2, [*values, 96.0]))
    for place, alert in enumerate(alerts):
        assert alert.state is (RAISED, CLEARED)[place % 2]
        at = alert.opened_at if alert.cleared_at is None else alert.cleared_at
        last = round((at - START) / MINUTE)
        seen = [value for value in values[max(0, last - 10) : last] if value is not None]
        assert len(seen) >= 7
        assert all(value < 92.0 for value in seen) if alert.state is RAISED else all(value >= 94.0 for value in seen)


def test_every_default_can_be_told_and_lies_within_physics() -> None:
    for rule in DEFAULTS:
        facts = CHANNELS[rule.channel]
        assert facts.low <= rule.threshold <= facts.high
        assert not rule.is_beyond(rule.clear)
        assert rule.is_back(rule.clear)
    assert len({rule.name for rule in DEFAULTS}) == len(DEFAULTS)
