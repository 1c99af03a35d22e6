"""What is due while nobody answers an alert: told again, louder; then the next carer, and the next; pure.

told ──after_s──▶ the same ones, louder ──after_s──▶ first carer ──▶ second carer … ──▶ all of them, `again` times

It keeps no state: what is due follows from the open alert and from who is to be told. Each step of each contact has a
name that is the same whenever this is asked, so that the store takes it once, however often a process is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge.alerts.care import Care
from edge.notices import Alert, AlertState

# A countdown that can be answered, s. Our choice: nobody gets up, finds a phone and reads in less than a quarter of a
# minute; and whoever lies on the floor is not to wait for more than five.
SHORTEST_COUNTDOWN_S: Final = 15.0
LONGEST_COUNTDOWN_S: Final = 300.0
# An alert that was told this far ahead of now, s, was told before the clock was set back: when somebody should have
# answered is not known, and what is not known is not waited for. Our choice, as in risk_watch.
AHEAD_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Step:
    """One contact is told once more, or for the first time, because nobody has answered.

    `number` counts the steps of the alert from 1, `nth` those of this contact; `due` is when, s since 1970 UTC.
    """

    contact: str
    number: int
    nth: int
    due: float
    told_at: float

    @property
    def name(self) -> str:
        """The same whenever the same step is due, also where a carer was put before this one meanwhile."""
        return f"escalated/{self.told_at!r}/{self.nth}"


def due_steps(alert: Alert, first: tuple[str, ...], care: Care, now: float, since: float) -> list[Step]:
    """What is due at `now`, of each contact only the newest: who could not be told for hours is told once.

    `first` are those who were told when the alert was told, and `since` is from when on they can answer. What was told
    before is among it.
    """
    was_set_back = alert.told_at is not None and alert.told_at > now + AHEAD_S
    newest = {step.contact: step for step in _steps(alert, first, care, since) if step.due <= now or was_set_back}
    return list(newest.values())


def next_step_at(alert: Alert, first: tuple[str, ...], care: Care, now: float, since: float) -> float | None:
    """When the next step is due after `now`, s since 1970 UTC; None where no more is. See `due_steps`."""
    return min((step.due for step in _steps(alert, first, care, since) if step.due > now), default=None)


def _steps(alert: Alert, first: tuple[str, ...], care: Care, since: float) -> Iterator[Step]:
    """All steps of an alert that nobody has answered, in their order."""
    escalation = care.escalations.get(alert.severity)
    is_answered = alert.acknowledged_at is not None or alert.snoozed_until is not None
    is_asked = alert.asked_until is not None
    if escalation is None or alert.told_at is None or is_answered or is_asked or alert.state is not AlertState.RAISED:
        return
    carers = [carer for carer in care.carers if carer not in first]
    rounds = [first, *((carer,) for carer in carers), *[(*first, *carers)] * escalation.again]
    nth: dict[str, int] = {}
    for number, contacts in enumerate(rounds, start=1):
        for contact in contacts:
            nth[contact] = nth.get(contact, 0) + 1
            due = since + number * escalation.after_s
            yield Step(contact, number, nth[contact], due, alert.told_at)
