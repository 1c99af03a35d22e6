"""What leaves the house, word for word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from cloud_sync import messages
from cloud_sync.messages.bodies import FaultMessage
from edge.notices import Alert, AlertState, FaultKind, OutboxMessage, Priority, Severity
from edge.readings import Channel, Explanation
from edge.signals.summary import Summary
from edge.store.minutes import DirtyMinute
from edge.telling.pseudonyms import Pseudonyms

MINUTE = DirtyMinute("anna", 29_666_667, revision=1, touches=7)
SUMMARY = Summary(72, 0.98765, 3, 832.14159, 40.2, 700.0, 750.0, 830.0, 900.0, 1000.0)
HOME = messages.Home("home", Pseudonyms(bytes(range(32))))
ANNA = HOME.person("anna")
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


def minute(dirty: DirtyMinute, summaries: Mapping[Channel, Summary], *gone: Channel) -> OutboxMessage:
    return messages.minute_summaries(HOME, [(dirty, summaries)], {dirty.minute: gone})


def test_minutes_hold_all_channels_in_columns_and_nothing_that_is_not_known() -> None:
    battery = Summary(1, None, None, 80.0, None, 80.0, 80.0, 80.0, 80.0, 80.0)
    later = replace(MINUTE, minute=MINUTE.minute + 3)
    message = messages.minute_summaries(
        HOME,
        [(MINUTE, {Channel.RR_INTERVAL: SUMMARY}), (later, {Channel.RR_INTERVAL: SUMMARY, Channel.BATTERY: battery})],
    )
    assert message.topic == f"hearthbeat/v1/home/{ANNA}/summary/minute"
    assert (message.priority, message.created) == (Priority.SUMMARY, later.end)
    assert json.loads(message.payload) == {
        "v": 1,
        "id": message.id,
        "runs": [[29_666_667, 1], [29_666_670, 1]],
        "channels": {
            "rr_interval": {
                "n": [72, 72],
                "coverage": [0.99, 0.99],
                "artefacts": [3, 3],
                "mean": [832.1, 832.1],
                "sd": [40.2, 40.2],
                "min": [700, 700],
                "p5": [750, 750],
                "p50": [830, 830],
                "p95": [900, 900],
                "max": [1000, 1000],
            },
            "battery": {
                name: [None, 1 if name == "n" else 80] for name in ("n", "mean", "min", "p5", "p50", "p95", "max")
            },
        },
    }


def test_a_late_minute_does_not_deny_what_was_told_of_channels_that_are_kept_no_more() -> None:
    gone = (Channel.ECG, Channel.ACCELERATION)
    told = json.loads(minute(replace(MINUTE, revision=2), {Channel.RR_INTERVAL: SUMMARY}, *gone).payload)
    assert told["gone"] == {"acceleration": [MINUTE.minute], "ecg": [MINUTE.minute]}
    assert told["revisions"] == [2]
    assert "gone" not in json.loads(minute(MINUTE, dict.fromkeys(gone, SUMMARY), *gone).payload)


def test_the_same_minute_has_the_same_id_and_another_has_another() -> None:
    def identifier(home: messages.Home, dirty: DirtyMinute) -> str:
        return str(UUID(messages.minute_summaries(home, [(dirty, {})]).id))

    ids = [
        identifier(HOME, MINUTE),
        identifier(HOME, replace(MINUTE, touches=8)),
        identifier(HOME, replace(MINUTE, revision=2)),
        identifier(HOME, replace(MINUTE, minute=MINUTE.minute + 1)),
        identifier(HOME, replace(MINUTE, person="bert")),
        identifier(replace(HOME, id="other"), MINUTE),
        identifier(messages.Home("home", Pseudonyms(bytes(32))), MINUTE),
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[1:])) == 6


def test_an_alert_says_what_and_why() -> None:
    message = messages.alert(HOME, ALERT)
    assert message.topic == f"hearthbeat/v1/home/{ANNA}/alert"
    assert (message.priority, message.created) == (Priority.ALERT, ALERT.opened_at)
    assert json.loads(message.payload) == {
        "v": 1,
        "id": message.id,
        "alert": HOME.episode("a1"),
        "kind": "atrial_fibrillation",
        "severity": "warning",
        "state": "raised",
        "since": 1_780_000_000,
        "opened_at": 1_780_000_300.0,
        "explanation": {"sentence": "RR intervals varied by 31 %.", "numbers": {"variation_percent": 31.0}},
    }


def test_no_id_outside_can_be_guessed_from_a_name_or_an_address() -> None:
    one = json.loads(messages.alert(HOME, ALERT).payload)
    other = json.loads(messages.alert(messages.Home("home", Pseudonyms(bytes(32))), ALERT).payload)
    assert {one["id"], one["alert"]}.isdisjoint({other["id"], other["alert"], "a1"})
    fault = json.loads(messages.fault(HOME, FAULT).payload)
    assert fault["fault"] == one["alert"], "one episode has one name, whatever tells of it"


def test_raised_and_cleared_are_two_messages() -> None:
    cleared = replace(ALERT, state=AlertState.CLEARED, cleared_at=1_780_000_900.0)
    message = messages.alert(HOME, cleared)
    assert message.id != messages.alert(HOME, ALERT).id
    assert message.id == messages.alert(HOME, cleared).id
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
    message = messages.fault(HOME, FAULT)
    assert message.topic == "hearthbeat/v1/home/fault"
    assert (message.priority, message.created) == (Priority.FAULT, FAULT.opened_at)
    assert "C0:DE" not in message.payload.decode()
    told = FaultMessage.model_validate_json(message.payload)
    assert (told.kind, told.count, told.person) == ("no_data", 2, None)
    assert told.sentence == "It is in reach but says nothing."


def test_each_turn_of_a_fault_is_a_message_of_its_own() -> None:
    cleared = replace(FAULT, state=AlertState.CLEARED, cleared_at=1_780_000_900.0)
    graver = replace(FAULT, severity=Severity.CRITICAL)
    assert len({messages.fault(HOME, alert).id for alert in (FAULT, FAULT, cleared, graver)}) == 3


def test_a_status_tells_online_and_a_last_will_knows_no_time() -> None:
    assert messages.status_topic("home") == "hearthbeat/v1/home/status"
    assert json.loads(messages.status(online=True, at=5.0)) == {"v": 1, "online": True, "at": 5.0}
    assert json.loads(messages.status(online=False)) == {"v": 1, "online": False}
