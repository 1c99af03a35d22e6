"""When a wearable is at fault, and when it only lies in a drawer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.alerts.faults import RULES
from edge.alerts.limits import DEFAULTS, spoken
from edge.notices import FaultKind, Severity
from edge.readings import Channel
from tests.edge.alerts.household_story import DAY_S, NOON, Story, Worn

MINUTE = 60.0
HOUR = 3600.0
SENSOR = (Channel.GLUCOSE,)
FALLS = {"anna": frozenset({Channel.ACCELERATION}), "cleo": frozenset({Channel.GLUCOSE})}


def told(story: Story) -> list[tuple[str, str]]:
    return [(alert.kind, alert.subject) for alert in story.store.raised()]


def settled(*wearables: Worn, start: float = NOON) -> Story:
    """A household in which all is well, for long enough that a start is forgotten."""
    story = Story(*wearables, critical=FALLS, start=start - 20 * MINUTE)
    story.go(20 * MINUTE)
    assert told(story) == []
    return story


def test_pain_12_a_wearable_in_reach_that_says_nothing_is_told_without_any_setting() -> None:
    strap = Worn("AA")
    story = settled(strap)
    strap.sends = False
    story.go(29 * MINUTE)
    assert told(story) == []
    story.go(3 * MINUTE)
    (alert,) = story.store.raised()
    assert (alert.kind, alert.subject, alert.person) == ("no_data", "AA", "anna")
    assert alert.since == NOON
    assert "in reach but says nothing" in alert.explanation.sentence
    strap.sends = True
    story.go(HOUR)
    assert [alert.kind for alert in story.store.cleared()] == ["no_data"]


def test_pain_12_a_connection_that_comes_and_goes_without_data_is_in_reach() -> None:
    """A link that is said to be connected but silent reconnects for ever (pain 1): that is no outing."""
    strap = Worn("AA", sends=False, near=False)
    story = settled(strap)
    strap.heard.update(dict.fromkeys(strap.channels, story.wall))
    for minute in range(40):
        strap.near = minute % 4 == 0
        story.go(MINUTE)
    assert told(story) == [("no_data", "AA")]


def test_an_outing_is_no_fault_and_neither_is_coming_home() -> None:
    strap, sensor = Worn("AA"), Worn("CC", "cleo", SENSOR, worn=None)
    story = settled(strap, sensor)
    strap.near = sensor.near = False
    story.go(5 * HOUR)
    strap.sends = sensor.sends = False  # in reach again, the first value is yet to come
    strap.near = sensor.near = True
    story.go(6 * MINUTE)
    strap.sends = sensor.sends = True
    story.go(HOUR)
    assert told(story) == []


def test_coming_home_makes_a_long_outing_no_graver() -> None:
    sensor = Worn("CC", "cleo", SENSOR, worn=None)
    story = settled(sensor, start=NOON - 3 * HOUR)
    sensor.near = False
    story.go(7 * HOUR)
    sensor.near, sensor.sends = True, False  # the first value is yet to come
    story.go(5 * MINUTE)
    sensor.sends = True
    story.go(HOUR)
    assert [alert.severity for alert in story.store.raised()] == [Severity.WARNING]
    assert len(story.store.cleared()) == 1


def test_a_wearable_that_stays_away_is_told_by_day() -> None:
    strap = Worn("AA")
    story = settled(strap)
    strap.near = False
    story.go(20 * HOUR - MINUTE)  # 14 hours are over at two in the morning, and the night at eight
    assert told(story) == []
    story.go(5 * MINUTE)
    assert told(story) == [("no_data", "AA")]
    assert "out of reach, off or empty" in story.store.raised()[0].explanation.sentence


def test_a_glucose_sensor_lost_at_night_has_not_gone_out() -> None:
    sensor = Worn("CC", "cleo", SENSOR, worn=None)
    story = settled(sensor, start=NOON + 14 * HOUR)
    sensor.near = False
    story.go(32 * MINUTE)
    (alert,) = story.store.raised()
    assert alert.severity is Severity.CRITICAL
    assert "low glucose would go unseen" in alert.explanation.sentence


@pytest.mark.parametrize(("other_near", "severity"), [(True, Severity.CRITICAL), (False, Severity.WARNING)])
def test_only_who_is_at_home_and_not_watched_for_a_critical_risk_is_critical(
    other_near: bool, severity: Severity
) -> None:
    """Whoever is out with the sensor is watched by nobody either, but nobody at home can do anything about it."""
    sensor, watch = Worn("CC", "cleo", SENSOR, worn=None), Worn("BB", "cleo")
    story = settled(sensor, watch, start=NOON - 3 * HOUR)
    sensor.near, watch.near = False, other_near
    story.go(6 * HOUR + 5 * MINUTE)
    (alert,) = story.store.raised(FaultKind.NO_DATA)
    assert alert.severity is severity


def test_another_wearable_that_sends_the_same_keeps_a_silence_from_being_critical() -> None:
    channels = (Channel.HEART_RATE, Channel.ACCELERATION)
    watch, band = Worn("BB", channels=channels), Worn("DD", channels=channels)
    story = settled(watch, band)
    watch.sends = False
    story.go(35 * MINUTE)
    assert [alert.severity for alert in story.store.raised()] == [Severity.WARNING]
    band.sends = False
    story.go(35 * MINUTE)
    assert {alert.severity for alert in story.store.raised()} == {Severity.WARNING, Severity.CRITICAL}


def test_wearables_that_fall_silent_together_are_one_alert() -> None:
    wearables = [Worn("AA"), Worn("BB", "bert"), Worn("DD")]
    story = settled(*wearables)
    for worn in wearables:
        worn.sends = False
        story.go(MINUTE)
    story.go(40 * MINUTE)
    assert told(story) == [("no_data", "AA,BB,DD")]


def test_three_silent_wearables_and_no_adapter_are_one_alert_the_adapters() -> None:
    wearables = [Worn("AA"), Worn("BB", "bert"), Worn("CC", "cleo", SENSOR, worn=None)]
    story = settled(*wearables)
    story.house = replace(story.house, radio="the adapter is gone")
    story.go(9 * HOUR)
    assert told(story) == [("bluetooth", "bluetooth")]
    story.house = replace(story.house, radio=None)
    story.go(2 * HOUR)
    assert told(story) == [("bluetooth", "bluetooth")]
    assert story.store.open_keys == []


def test_a_channel_that_stops_while_others_go_on_is_told_by_name() -> None:
    strap = Worn("AA")
    story = settled(strap)
    strap.channels = (Channel.HEART_RATE,)
    story.go(35 * MINUTE)
    (alert,) = story.store.raised()
    assert "nothing of heartbeats" in alert.explanation.sentence


def test_what_the_link_complains_of_is_told() -> None:
    strap = Worn("AA", trouble="pairing failed")
    story = settled(strap)
    strap.sends = False
    story.go(35 * MINUTE)
    assert "says nothing (pairing failed)." in story.store.raised()[0].explanation.sentence


def test_a_cuff_a_scale_and_a_clip_have_no_limit() -> None:
    cuff = Worn("FF", channels=(Channel.SYSTOLIC, Channel.HEART_RATE), worn=None)
    scale = Worn("EE", channels=(Channel.WEIGHT, Channel.BODY_FAT), worn=None)
    clip = Worn("DD", channels=(Channel.SPO2, Channel.HEART_RATE), worn=None)
    story = settled(cuff, scale, clip)
    for worn in story.wearables:
        worn.sends = worn.near = False
    story.go(3 * DAY_S)
    assert told(story) == []


def test_a_limit_makes_a_ring_steady_and_nought_switches_one_off() -> None:
    ring, strap = Worn("DD", channels=(Channel.SPO2, Channel.HEART_RATE)), Worn("AA", "bert")
    story = settled(ring, strap)
    off = dict.fromkeys(strap.channels, 0.0)
    story.limits = replace(DEFAULTS, no_data_s={**off, Channel.SPO2: 600.0}, away_s=off, battery_low_percent=0.0)
    ring.sends = strap.sends = False
    strap.battery = 1.0
    story.go(DAY_S)
    assert told(story) == [("no_data", "DD")]


def test_a_wearable_that_was_never_seen_is_told_once() -> None:
    story = Story(Worn("AA"), Worn("BB", sends=False, near=False, battery=None))
    story.go(4 * DAY_S)
    assert told(story) == [("never_seen", "BB")]


def test_pain_13_a_dead_battery_is_told_once_and_explains_the_silence_that_follows() -> None:
    strap = Worn("AA")
    story = settled(strap, start=NOON - 3 * HOUR)
    for percent in (16.0, 15.0, 17.0, 14.0, 24.0, 3.0):
        strap.battery = percent
        story.go(20 * MINUTE)
        assert story.store.open_keys == [(FaultKind.BATTERY_LOW, "AA")] * (percent != 16.0)
    assert told(story) == [("battery_low", "AA")]
    strap.near = False
    story.go(6 * HOUR)
    assert told(story) == [("battery_low", "AA"), ("no_data", "AA")]
    assert "probably empty" in story.store.raised()[-1].explanation.sentence
    strap.near, strap.battery = True, 100.0
    story.go(HOUR)
    assert story.store.open_keys == []
    story.go(RULES[FaultKind.BATTERY_LOW].rest_s)
    strap.battery = 10.0
    story.go(12 * HOUR)
    assert told(story)[2:] == [("battery_low", "AA")]


def test_a_wearable_on_its_charger_is_not_silent() -> None:
    watch = Worn("BB", battery=30.0)
    story = settled(watch)
    watch.sends = False
    for _ in range(120):
        assert watch.battery is not None
        watch.battery += 0.5
        story.go(MINUTE)
    watch.sends = True
    story.go(HOUR)
    assert told(story) == []


def test_pain_08_off_the_body_too_long_is_told_by_day() -> None:
    strap = Worn("AA")
    story = settled(strap, start=NOON + 9 * HOUR)
    strap.worn = False  # at nine in the evening
    story.go(14 * HOUR - 5 * MINUTE)
    assert told(story) == []
    story.go(10 * MINUTE)
    assert told(story) == [("not_worn", "AA")]
    strap.worn = True
    story.go(5 * MINUTE)
    assert story.store.open_keys == []


def test_pain_08_lost_contact_again_and_again_is_no_fault() -> None:
    strap = Worn("AA")
    story = settled(strap)
    for _ in range(12):
        for strap.worn in (False, True):
            story.go(30 * MINUTE)
    assert told(story) == []


def test_pain_09_a_value_that_stays_the_same_for_hours_is_told() -> None:
    strap, paced = Worn("AA"), Worn("BB", "bert")
    story = settled(strap, paced)
    strap.frozen = True
    story.go(115 * MINUTE)
    assert told(story) == []
    story.go(10 * MINUTE)
    assert told(story) == [("frozen_value", "AA")]
    assert "pacemaker" in story.store.raised()[0].explanation.sentence
    strap.frozen = False
    story.go(15 * MINUTE)
    assert story.store.open_keys == []


def test_pain_09_nothing_is_frozen_that_is_silent_or_not_worn() -> None:
    strap, off = Worn("AA"), Worn("BB", "bert")
    story = settled(strap, off)
    strap.near = off.worn = False
    off.frozen = True
    story.go(3 * HOUR)
    assert told(story) == []


def test_pain_23_a_step_of_the_clock_makes_nobody_silent() -> None:
    story = settled(Worn("AA"), Worn("CC", "cleo", SENSOR, worn=None))
    for step in (3 * DAY_S, -5 * DAY_S, 8 * HOUR):
        story.clock_ahead_s += step
        story.go(HOUR)
    assert {kind for kind, _ in told(story)} <= {"clock"}
    assert story.store.raised()[0].explanation.sentence.startswith("This machine's clock was set forward by 3 days.")


def test_pain_06_a_machine_that_stood_still_counts_no_silence() -> None:
    story = settled(Worn("AA", sends=False))
    story.wearables[0].heard.update(dict.fromkeys(story.wearables[0].channels, story.wall))
    story.look()
    story.now += 2 * HOUR
    story.look()
    assert told(story) == []


def test_a_wrong_clock_of_a_cuff_is_told_once() -> None:
    cuff = Worn("FF", channels=(Channel.SYSTOLIC,), worn=None, clock_ahead_s=-3600.0)
    story = Story(cuff)
    story.go(5 * HOUR)
    (alert,) = story.store.raised()
    assert alert.kind == FaultKind.DEVICE_CLOCK
    assert "60 minutes slow" in alert.explanation.sentence
    cuff.clock_ahead_s = 3.0
    story.go(5 * MINUTE)
    assert story.store.open_keys == []


def test_what_was_silent_before_a_restart_still_is_and_a_start_is_no_fault() -> None:
    silent, out = Worn("AA"), Worn("BB", "bert")
    story = settled(silent, out)
    silent.sends = False
    out.near = False
    story.go(20 * MINUTE)
    story.boot()
    story.live(MINUTE)
    story.go(4 * MINUTE)
    assert told(story) == []
    story.go(40 * MINUTE)
    assert told(story) == [("no_data", "AA")]
    assert story.store.raised()[0].since == NOON


def test_an_absence_that_has_become_usual_is_told_no_more() -> None:
    sports = Worn("DD")
    story = settled(sports)
    for _ in range(5):
        sports.near = False
        story.go(DAY_S)
        sports.near = True
        story.go(HOUR)
        story.boot()
    assert len(told(story)) == 2
    sports.near = False
    story.go(2 * DAY_S)
    assert len(told(story)) == 3, "but one that is longer is"


@pytest.mark.parametrize(
    ("seconds", "said"), [(90.0, "90 seconds"), (3600.0, "60 minutes"), (10_800.0, "3 hours"), (3 * DAY_S, "3 days")]
)
def test_durations_are_spoken(seconds: float, said: str) -> None:
    assert spoken(seconds) == said
