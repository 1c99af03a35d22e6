"""A fall within a fall that is open is told apart from one that goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.notices import Alert, AlertState, Severity
from edge.readings import Assessment, Explanation, Risk
from edge.risks.catalogue import MODELS
from edge.risks.model import RiskModel
from edge.watches.risk import RiskWatch, series_span, watch_risk

AT = 1_780_000_000.0


def watch_with_an_open_alert(risk: Risk) -> RiskWatch:
    opened = Alert("aaaa", "ann", risk, Severity.CRITICAL, AlertState.RAISED, AT - 6, AT, None, Explanation("A blow."))
    return watch_risk("ann", RiskModel.load(MODELS / risk), newest_alert=opened)


def assessment(risk: Risk, score: float | None, *, end: float = AT + 60.0, coverage: float = 1.0) -> Assessment:
    return Assessment("ann", risk, end - 6.0, end, score, None, "1", coverage)


def test_another_blow_is_the_same_alert_from_the_middle_of_its_window_on() -> None:
    watch = watch_with_an_open_alert(Risk.FALL)
    opened = watch.episodes.open_alert
    assert opened is not None
    assert watch.anew(assessment(Risk.FALL, 0.99)) == replace(opened, since=AT + 57.0)


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        (Risk.FALL, assessment(Risk.FALL, 0.2)),
        (Risk.FALL, assessment(Risk.FALL, None)),
        (Risk.FALL, assessment(Risk.FALL, 0.99, coverage=0.1)),
        (Risk.FALL, assessment(Risk.FALL, 0.99, end=AT)),
        (Risk.HYPOGLYCAEMIA, assessment(Risk.HYPOGLYCAEMIA, 0.99)),
    ],
)
def test_what_is_no_further_fall_says_nothing(risk: Risk, said: Assessment) -> None:
    assert watch_with_an_open_alert(risk).anew(said) is None


def test_without_an_open_alert_there_is_nothing_anew() -> None:
    assert watch_risk("ann", RiskModel.load(MODELS / Risk.FALL)).anew(assessment(Risk.FALL, 0.99)) is None


@pytest.mark.parametrize(("risk", "earlier_s"), [(Risk.ATRIAL_FIBRILLATION, 450.0), (Risk.SLEEP_APNOEA, 0.0)])
def test_a_restart_looks_back_for_the_beats_that_led_up_to_the_last_window(risk: Risk, earlier_s: float) -> None:
    last = assessment(risk, 0.5)
    watch = watch_risk("ann", RiskModel.load(MODELS / risk.value), past=[last])
    assert series_span(watch, AT + 90.0) == (last.start - earlier_s, AT + 90.0)
