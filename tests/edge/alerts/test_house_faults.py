"""What is wrong with the house itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.alerts.faults import START_S
from edge.alerts.house_faults import LEAST_FREE_BYTES, BrokerSight, HouseSight
from edge.notices import FaultKind, Severity
from tests.edge.alerts.household_story import Story

MINUTE = 60.0
HOUR = 3600.0
GOOD = BrokerSight(connected=True, error=None, refuses=False, taken=0, waiting=0)


def told(story: Story) -> list[tuple[str, str]]:
    return [(alert.kind, alert.subject) for alert in story.store.raised()]


def settled() -> Story:
    story = Story()
    story.house = replace(story.house, broker=GOOD, free_bytes=10**10)
    story.go(START_S + MINUTE)
    return story


def with_broker(story: Story, **changes: Any) -> None:
    assert story.house.broker is not None
    story.house = replace(story.house, broker=replace(story.house.broker, **changes))


def test_a_restart_of_bluetooth_is_no_fault_but_a_missing_adapter_is() -> None:
    story = settled()
    story.house = replace(story.house, radio="org.bluez is not there")
    story.go(2 * MINUTE)
    story.house = replace(story.house, radio=None)
    story.go(HOUR)
    assert told(story) == []
    story.house = replace(story.house, radio="no adapter", radio_is_critical=True)
    story.go(5 * MINUTE)
    (alert,) = story.store.raised()
    assert alert.severity is Severity.CRITICAL
    assert "(no adapter). To mend it, check that the adapter" in alert.explanation.sentence


def test_a_radio_that_only_finds_nobody_new_is_not_critical() -> None:
    story = settled()
    story.house = replace(
        story.house, radio="stuck", radio_mend="restart Bluetooth", radio_is_critical=True, some_stream=True
    )
    story.go(5 * MINUTE)
    (alert,) = story.store.raised()
    assert alert.severity is Severity.WARNING
    assert alert.explanation.sentence == (
        "A wearable that goes away cannot be found again, for Bluetooth does not work here (stuck). To mend it, "
        "restart Bluetooth."
    )


def test_an_hour_without_the_broker_is_no_fault_but_a_wrong_password_is() -> None:
    story = settled()
    with_broker(story, connected=False, error="broker:8883: it cannot be reached; check host")
    story.go(HOUR)
    with_broker(story, connected=True, error=None)
    story.go(HOUR)
    assert told(story) == []
    with_broker(story, connected=False, error="broker:8883: it refuses the connection: not authorized", refuses=True)
    story.go(12 * MINUTE)
    assert told(story) == [("broker_refuses", "broker")]
    with_broker(story, connected=True, error=None, refuses=False)
    story.go(10 * MINUTE)
    assert [alert.kind for alert in story.store.cleared()] == ["broker_refuses"]


def test_a_broker_that_takes_nothing_is_told_and_one_that_takes_slowly_is_not() -> None:
    story = settled()
    with_broker(story, waiting=500)
    for taken in range(20):
        with_broker(story, taken=taken)
        story.go(10 * MINUTE)
    assert told(story) == []
    story.go(65 * MINUTE)
    assert told(story) == [("outbox_stuck", "outbox")]


def test_pain_23_a_clock_that_was_set_is_told_once_unless_the_machine_has_just_started() -> None:
    story = Story()
    story.go(2 * MINUTE)
    story.clock_ahead_s += 3 * HOUR
    story.go(HOUR)
    assert told(story) == []
    story.clock_ahead_s -= 2 * HOUR + 30.0
    story.go(3 * HOUR)
    (alert,) = story.store.raised()
    assert alert.kind == FaultKind.CLOCK
    assert "set back by 2 hours" in alert.explanation.sentence
    assert story.store.open_keys == []


def test_pain_23_a_clock_that_nothing_sets_is_told() -> None:
    story = settled()
    story.house = replace(story.house, synchronised=True)
    story.go(HOUR)
    story.house = replace(story.house, synchronised=False)
    story.go(5 * HOUR)
    assert told(story) == []
    story.go(65 * MINUTE)
    assert told(story) == [("clock", "clock")]
    story.house = replace(story.house, synchronised=True)
    story.go(HOUR)
    assert story.store.open_keys == []


def test_a_small_correction_of_the_clock_is_none() -> None:
    story = settled()
    for step in (30.0, -45.0, 59.0):
        story.clock_ahead_s += step
        story.go(10 * MINUTE)
    assert told(story) == []


def test_a_full_disk_is_told_before_nothing_can_be_stored_and_does_not_flap() -> None:
    story = settled()
    for free in (1.1, 0.9, 1.1, 0.9, 1.2):
        story.house = replace(story.house, free_bytes=int(free * LEAST_FREE_BYTES))
        story.go(30 * MINUTE)
    assert told(story) == [("disk_full", "disk")]
    assert len(story.store.open_keys) == 1
    story.house = replace(story.house, free_bytes=2 * LEAST_FREE_BYTES)
    story.go(30 * MINUTE)
    assert story.store.open_keys == []


def test_a_damaged_model_is_told_at_once_and_again_only_when_it_was_whole() -> None:
    story = Story()
    story.house = HouseSight(
        0.0, 0.0, models={"fall": "sha256 is wrong", "apnoea": None}, critical_models=frozenset({"fall"})
    )
    story.look()
    (alert,) = story.store.raised()
    assert (alert.subject, alert.severity) == ("fall", Severity.CRITICAL)
    story.boot()
    story.go(HOUR)
    assert len(story.store.raised()) == 1
    story.boot()
    story.house = replace(story.house, models={"fall": None, "apnoea": None})
    story.look()
    assert [alert.subject for alert in story.store.cleared()] == ["fall"]


@pytest.mark.parametrize("what", ["store", "backup"])
def test_a_disk_that_refuses_is_told(what: str) -> None:
    story = settled()
    story.house = replace(story.house, stores={what: "hearthbeat.db: disk I/O error; see its log"})
    story.go(5 * MINUTE)
    assert told(story) == [("store", what)]


def test_buttons_that_nobody_hears_are_told_and_their_return_too() -> None:
    story = settled()
    story.house = replace(story.house, buttons="the web process is not heard of")
    story.go(5 * MINUTE)
    assert told(story) == [("buttons", "web")]
    assert "Who presses a button of a message is not heard: the web" in story.store.raised()[0].explanation.sentence
    story.house = replace(story.house, buttons=None)
    story.go(5 * MINUTE)
    assert [alert.kind for alert in story.store.cleared()] == ["buttons"]


def test_a_contact_that_cannot_be_told_for_long_is_told_to_others_and_two_at_once_are_one() -> None:
    story = settled()
    story.house = replace(story.house, contacts={"mum": "no network", "son": None})
    story.go(20 * MINUTE)
    story.house = replace(story.house, contacts={"mum": None, "son": None})
    story.go(HOUR)
    assert told(story) == []
    story.house = replace(story.house, contacts={"mum": "no network", "son": "no network"})
    story.go(40 * MINUTE)
    assert told(story) == [("contact_not_told", "mum,son")]


def test_pain_21_a_way_to_a_contact_that_is_dead_is_told_though_another_works() -> None:
    story = settled()
    story.house = replace(story.house, contacts={"mum": None}, channels={"mum": "ntfy: the service answered 401"})
    story.go(5 * MINUTE)
    assert told(story) == [("channel_dead", "mum")]
    assert story.store.raised()[0].explanation.sentence == "It takes no messages: ntfy: the service answered 401."
    story.house = replace(story.house, channels={"mum": None})
    story.go(5 * MINUTE)
    assert [alert.kind for alert in story.store.cleared()] == ["channel_dead"]


def test_a_quota_is_told_though_the_broker_is_connected() -> None:
    story = settled()
    with_broker(story, complaint="it takes no more for now, since a quota is used up")
    story.go(MINUTE)
    (alert,) = story.store.raised()
    assert (alert.kind, alert.subject) == (FaultKind.OUTBOX_STUCK, "outbox")
    assert alert.explanation.sentence == (
        "The broker is connected, but it takes no more for now, since a quota is used up."
    )
    with_broker(story, complaint=None)
    story.go(HOUR)
    assert story.store.open_keys == []


def test_messages_that_were_refused_for_good_are_told_until_somebody_has_dealt_with_them() -> None:
    story = settled()
    with_broker(story, parked=3, refusal="Not authorized (0x87)")
    story.go(HOUR)
    (alert,) = story.store.raised()
    assert (alert.kind, alert.subject) == (FaultKind.BROKER_REFUSES, "outbox")
    assert "3 messages in no case (the last: Not authorized (0x87))" in alert.explanation.sentence
    with_broker(story, parked=0)
    story.go(HOUR)
    assert story.store.open_keys == []


def test_a_full_disk_budget_is_told_when_it_costs_messages_and_not_for_those_of_long_ago() -> None:
    story = Story()
    story.house = replace(story.house, broker=replace(GOOD, dropped=70), free_bytes=10**10)
    story.go(START_S + HOUR)
    assert told(story) == []
    with_broker(story, dropped=75)
    story.go(MINUTE)
    assert told(story) == [("outbox_stuck", "outbox_budget")]
    assert "(75 messages so far)" in story.store.raised()[0].explanation.sentence
    story.go(7 * HOUR)
    assert story.store.open_keys == []
