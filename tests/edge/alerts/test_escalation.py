"""What is due while nobody answers follows from the alert and the clock alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.care import Care, Escalation
from edge.alerts.escalation import Step, due_steps, next_step_at
from edge.notices import Alert, AlertState, Severity
from edge.readings import Explanation

AT = 1_780_000_000.0
NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=4).map(tuple)
ALERT = Alert("one", "anna", "spo2_low", Severity.WARNING, AlertState.RAISED, AT, AT, None, Explanation(""), told_at=AT)


@st.composite
def cares(draw: st.DrawFn) -> Care:
    first = draw(NAMES.filter(bool))
    carers = tuple(name for name in draw(NAMES) if name not in first)
    escalation = Escalation(draw(st.floats(60.0, 86_400.0)), draw(st.integers(0, 10)))
    return Care(first[:1], first, carers, escalations={Severity.WARNING: escalation})


@given(care=cares())
def test_who_looks_whenever_something_is_due_tells_each_step_once_and_all_of_them(care: Care) -> None:
    escalation, now = care.escalations[Severity.WARNING], AT
    told: list[Step] = []
    while (moment := next_step_at(ALERT, care.contacts, care, now, AT)) is not None:
        now = moment
        said = {(step.contact, step.name) for step in told}
        told += [s for s in due_steps(ALERT, care.contacts, care, now, AT) if (s.contact, s.name) not in said]
    times = {name: [step.contact for step in told].count(name) for name in care.everybody}
    assert times == dict.fromkeys(care.everybody, 1 + escalation.again)
    assert [step.number for step in told] == sorted(step.number for step in told)
    carers = [step.contact for step in told if step.contact in care.carers and step.nth == 1]
    assert carers == list(care.carers), "in their order"
    assert len({step.due for step in told}) == 1 + len(care.carers) + escalation.again


@given(care=cares(), late_s=st.floats(0.0, 1e7))
def test_who_looks_late_tells_each_contact_once_at_most(care: Care, late_s: float) -> None:
    due = [step.contact for step in due_steps(ALERT, care.contacts, care, AT + late_s, AT)]
    assert len(due) == len(set(due))


@given(care=cares())
def test_pain_16_nothing_is_due_once_it_is_answered_or_over(care: Care) -> None:
    for answer in (
        {"acknowledged_at": AT + 1.0},
        {"snoozed_until": AT + 1.0},
        {"asked_until": AT + 1.0},
        {"told_at": None},
        {"state": AlertState.CLEARED},
        {"severity": Severity.INFO},
    ):
        alert = replace(ALERT, **answer)
        assert due_steps(alert, care.contacts, care, AT + 1e9, AT) == []
        assert next_step_at(alert, care.contacts, care, AT, AT) is None
