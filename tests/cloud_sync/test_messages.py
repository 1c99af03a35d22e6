"""What leaves the house, word for word."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import ValidationError

from cloud_sync import messages
from edge.readings import Alert, AlertState, Channel, Explanation, FaultKind, Priority, Severity
from edge.signals.summary import MinuteSummary
from edge.store.minutes import DirtyMinute

MINUTE = DirtyMinute("anna", 29_666_667, revision=1, touches=7)
SUMMARY = MinuteSummary(72, 0.98765, 3, 832.14159, 40.2, 700.0, 750.0, 830.0, 900.0, 1000.0)
ALERT = Alert(
    "a1",
    "anna",
    "atrial_fibrillation",
    Severity.WARNING,
    AlertState.RAISED,
    1_780_000_000.0,
    1_780_000_300.0,
    None,
    Explanation("RR intervals varied by 31 %.", {"variation_percent": 31.0}),
)


def test_a_minute_holds_all_channels_and_nothing_that_is_not_known() -> None:
    battery = MinuteSummary(1, None, None, 80.0, None, 80.0, 80.0, 80.0, 80.0, 80.0)
    message = messages.minute_summary("home", MINUTE, {Channel.RR_INTERVAL: SUMMARY, Channel.BATTERY: battery})
    assert message.topic == "hearthbeat/v1/home/anna/summary/minute"
    assert (message.priority, message.created) == (Priority.SUMMARY, MINUTE.end)
    assert json.loads(message.payload) == {
        "v": 1,
        "id": message.id,
        "minute": 29_666_667,
        "revision": 1,
        "channels": {
            "rr_interval": {
                "n": 72,
                "coverage": 0.99,
                "artefacts": 3,
                "mean": 832.1,
                "sd": 40.2,
                "min": 700.0,
                "p5": 750.0,
                "p50": 830.0,
                "p95": 900.0,
                "max": 1000.0,
            },
            "battery": {"n": 1, "mean": 80.0, "min": 80.0, "p5": 80.0, "p50": 80.0, "p95": 80.0, "max": 80.0},
        },
    }


def test_a_late_minute_does_not_deny_what_was_told_of_channels_that_are_kept_no_more() -> None:
    gone = (Channel.ECG, Channel.ACCELERATION)
    message = messages.minute_summary("home", replace(MINUTE, revision=2), {Channel.RR_INTERVAL: SUMMARY}, gone)
    assert json.loads(message.payload)["gone"] == ["acceleration", "ecg"]
    assert "gone" not in json.loads(messages.minute_summary("home", MINUTE, dict.fromkeys(gone, SUMMARY), gone).payload)


def test_the_same_minute_has_the_same_id_and_another_has_another() -> None:
    def identifier(home: str, dirty: DirtyMinute) -> str:
        return str(UUID(messages.minute_summary(home, dirty, {}).id))

    ids = [
        identifier("home", MINUTE),
        identifier("home", replace(MINUTE, touches=8)),
        identifier("home", replace(MINUTE, revision=2)),
        identifier("home", replace(MINUTE, minute=MINUTE.minute + 1)),
        identifier("home", replace(MINUTE, person="bert")),
        identifier("other", MINUTE),
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[1:])) == 5


def test_an_alert_says_what_and_why() -> None:
    message = messages.alert("home", ALERT)
    assert message.topic == "hearthbeat/v1/home/anna/alert"
    assert (message.priority, message.created) == (Priority.ALERT, ALERT.opened_at)
    assert json.loads(message.payload) == {
        "v": 1,
        "id": message.id,
        "alert": "a1",
        "kind": "atrial_fibrillation",
        "severity": "warning",
        "state": "raised",
        "since": 1_780_000_000.0,
        "opened_at": 1_780_000_300.0,
        "explanation": {"sentence": "RR intervals varied by 31 %.", "numbers": {"variation_percent": 31.0}},
    }


def test_raised_and_cleared_are_two_messages() -> None:
    cleared = replace(ALERT, state=AlertState.CLEARED, cleared_at=1_780_000_900.0)
    message = messages.alert("home", cleared)
    assert message.id != messages.alert("home", ALERT).id
    assert message.id == messages.alert("home", cleared).id
    assert message.created == 1_780_000_900.0
    assert json.loads(message.payload)["cleared_at"] == 1_780_000_900.0


FAULT = replace(
    ALERT,
    person="",
    kind=FaultKind.NO_DATA,
    subject="C0:DE:00:00:00:01,C0:DE:00:00:00:02",
    explanation=Explanation("It is in reach but says nothing."),
)


def test_a_fault_says_what_and_of_how_many_but_no_address() -> None:
    message = messages.fault("home", FAULT)
    assert message.topic == "hearthbeat/v1/home/fault"
    assert (message.priority, message.created) == (Priority.FAULT, FAULT.opened_at)
    assert "C0:DE" not in message.payload.decode()
    told = messages.FaultMessage.model_validate_json(message.payload)
    assert (told.kind, told.count, told.person) == ("no_data", 2, None)
    assert told.sentence == "It is in reach but says nothing."


def test_each_turn_of_a_fault_is_a_message_of_its_own() -> None:
    cleared = replace(FAULT, state=AlertState.CLEARED, cleared_at=1_780_000_900.0)
    graver = replace(FAULT, severity=Severity.CRITICAL)
    assert len({messages.fault("home", alert).id for alert in (FAULT, FAULT, cleared, graver)}) == 3


def test_a_status_tells_online_and_a_last_will_knows_no_time() -> None:
    assert messages.status_topic("home") == "hearthbeat/v1/home/status"
    assert json.loads(messages.status(online=True, at=5.0)) == {"v": 1, "online": True, "at": 5.0}
    assert json.loads(messages.status(online=False)) == {"v": 1, "online": False}


def test_a_receiver_reads_what_was_sent_and_refuses_what_it_does_not_know() -> None:
    payload = messages.minute_summary("home", MINUTE, {Channel.RR_INTERVAL: SUMMARY}).payload
    read = messages.MinuteMessage.model_validate_json(payload)
    assert read.channels[Channel.RR_INTERVAL].p50 == 830.0
    for wrong in ({"surprise": 1}, {"v": 2}, {"revision": 0}):
        with pytest.raises(ValidationError):
            messages.MinuteMessage.model_validate(json.loads(payload) | wrong)
