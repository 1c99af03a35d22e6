from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from edge.notices import Alert, AlertState, FaultKind, Severity
from edge.notify.texts import alert_text, clock_time, fault_text
from edge.phrases import listed
from edge.readings import Explanation

SUMMER = timezone(timedelta(hours=2))
FIVE_PAST_TWO = datetime(2026, 5, 3, 14, 5, tzinfo=SUMMER).timestamp()

RAISED = Alert(
    id="a1",
    person="parent",
    kind="atrial_fibrillation",
    severity=Severity.WARNING,
    state=AlertState.RAISED,
    since=FIVE_PAST_TWO,
    opened_at=FIVE_PAST_TWO + 360.0,
    cleared_at=None,
    explanation=Explanation("The time between beats changes by 31 % from beat to beat; usually it is 4 %."),
)
CLEARED = replace(RAISED, state=AlertState.CLEARED, cleared_at=FIVE_PAST_TWO + 3600.0)


def test_an_alert_says_who_what_why_since_when_and_what_to_do() -> None:
    text = alert_text(RAISED, "Mum", zone=SUMMER)
    assert text.title == "Mum: irregular heartbeat"
    assert "since 14:05" in text.body
    assert RAISED.explanation.sentence in text.body
    assert "ECG" in text.body
    assert "112" in text.body
    assert len(text.body) < 600, "a push service may cut a longer one"


def test_an_end_says_when_it_began_and_ended() -> None:
    text = alert_text(CLEARED, "Mum", zone=SUMMER)
    assert text.title == "Mum: heartbeat regular again"
    assert "irregular since 14:05" in text.body
    assert "regular for some minutes at 15:05" in text.body


def test_an_episode_over_midnight_says_the_date_on_which_it_began() -> None:
    body = alert_text(replace(CLEARED, cleared_at=FIVE_PAST_TWO + 86_400.0), "Mum", zone=SUMMER).body
    assert "irregular since 14:05 on 3 May, has been regular for some minutes at 14:05" in body


def test_a_kind_without_words_of_its_own_is_told_all_the_same() -> None:
    text = alert_text(replace(RAISED, kind="silent_wearable"), "Mum", zone=SUMMER)
    assert text.title == "Mum: silent wearable"
    assert RAISED.explanation.sentence in text.body


FAULT = replace(
    RAISED,
    person="",
    kind=FaultKind.NO_DATA,
    subject="AA,BB",
    explanation=Explanation("It is in reach but says nothing. Take it off and put it on again."),
)


def test_a_fault_says_what_since_when_and_what_to_do() -> None:
    text = fault_text(FAULT, ["Mum's strap", "Dad's watch"], zone=SUMMER)
    assert text.title == "Nothing comes from Mum's strap and Dad's watch"
    assert text.body == (
        "Nothing has come from Mum's strap and Dad's watch since 14:05. It is in reach but says nothing. Take it off "
        "and put it on again."
    )
    over = fault_text(
        replace(FAULT, state=AlertState.CLEARED, cleared_at=FIVE_PAST_TWO + 3600.0), ["the strap"], zone=SUMMER
    )
    assert over.title == "Data come again from the strap"
    assert over.body == "The strap: data have come again, as of 15:05. Nothing had come since 14:05."


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("state", AlertState)
def test_every_fault_has_words(kind: FaultKind, state: AlertState) -> None:
    alert = replace(FAULT, kind=kind, state=state, cleared_at=FIVE_PAST_TWO + 60.0)
    text = fault_text(alert, ["Mum's {strap}"], zone=SUMMER)
    assert text.title[0].isupper()
    assert "14:0" in text.body
    assert len(text.title) < 70
    if state is AlertState.RAISED:
        assert alert.explanation.sentence in text.body


@pytest.mark.parametrize(
    ("names", "told"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_people_do(names: list[str], told: str) -> None:
    assert listed(names) == told


def test_an_end_without_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time"):
        alert_text(replace(CLEARED, cleared_at=None), "Mum", zone=SUMMER)


def test_clock_time_follows_the_zone() -> None:
    assert clock_time(FIVE_PAST_TWO, FIVE_PAST_TWO, UTC) == "12:05"
