"""What a household hears of faults in which nothing is truly wrong: see ordinary_life for how it is made."""

from __future__ import annotations

from edge.notices import Severity
from tests.edge.alerts.ordinary_life import PEOPLE, OrdinaryLife


def test_pain_18_ordinary_life_gives_at_most_one_alert_a_person_and_week() -> None:
    life = OrdinaryLife(seed=1, days=7)
    life.live()
    raised = life.story.store.raised()
    assert len(raised) <= PEOPLE, [(alert.kind, alert.subject) for alert in raised]
    assert Severity.CRITICAL not in {alert.severity for alert in raised}
