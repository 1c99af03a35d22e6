"""Low glucose is foreseen by a risk and seen by a rule: one thing is told once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge.alerts.overlap import GLUCOSE_VERY_LOW, waits
from edge.alerts.thresholds import Thresholds
from edge.alerts.vital_rules import DEFAULTS
from edge.notices import Alert, AlertState, Severity
from edge.readings import Explanation, Risk, Source
from edge.risks.catalogue import MODELS
from edge.risks.model import RiskModel
from edge.signals.glucose import readings_of
from edge.watches.risk import watch_risk

HOUR, MINUTE = 3600.0, 60.0
Level = Callable[[float], float]


def lived(mg_dl: Level, hours: float) -> list[tuple[str, str, float]]:
    """What is raised and cleared of a sensor's readings as the pipeline does it: kind, state, hours."""
    watch = watch_risk("ann", RiskModel.load(MODELS / Risk.HYPOGLYCAEMIA))
    vitals = Thresholds("ann", DEFAULTS)
    alerts: list[Alert] = []
    times = np.arange(0.0, hours * HOUR, 300.0)
    for reading in readings_of(Source("ann", "sensor"), times, np.array([mg_dl(at) for at in times])):
        for at, value in zip(np.arange(reading.start, reading.end + 1.0, 300.0), reading.values, strict=True):
            (single,) = readings_of(Source("ann", "sensor"), np.array([at]), np.array([value]))
            open_risk = watch.episodes.open_alert
            alerts += vitals.push(single, at, [] if open_risk is None else [open_risk])
            for window in watch.push(single):
                _, alert = watch.judge(window, vitals.open_alerts)
                alerts += [] if alert is None else [alert]
    return [(one.kind, one.state.value, (one.cleared_at or one.opened_at) / HOUR) for one in alerts]


def test_a_sudden_low_is_told_by_one_alert() -> None:
    told = lived(lambda at: 50.0 if 5.0 * HOUR <= at < 5.5 * HOUR else 160.0, hours=9.0)
    raised = [(kind, at) for kind, state, at in told if state == "raised"]
    assert [kind for kind, _ in raised] == ["hypoglycaemia"]
    assert 5.0 <= raised[0][1] < 5.1


def test_what_is_still_very_low_half_an_hour_later_is_news() -> None:
    told = lived(lambda at: 50.0 if 5.0 * HOUR <= at < 7.0 * HOUR else 160.0, hours=10.0)
    raised = {kind: at for kind, state, at in told if state == "raised"}
    assert list(raised) == ["hypoglycaemia", GLUCOSE_VERY_LOW], "each once"
    assert 0.5 <= raised[GLUCOSE_VERY_LOW] - raised["hypoglycaemia"] < 0.6
    assert len([state for _, state, _ in told if state == "raised"]) == 2


@pytest.mark.parametrize(
    ("kind", "severity", "other", "graver", "age_s", "held"),
    [
        (GLUCOSE_VERY_LOW, Severity.CRITICAL, Risk.HYPOGLYCAEMIA, Severity.CRITICAL, 0.0, True),
        (GLUCOSE_VERY_LOW, Severity.CRITICAL, Risk.HYPOGLYCAEMIA, Severity.CRITICAL, 30 * MINUTE, False),
        (GLUCOSE_VERY_LOW, Severity.CRITICAL, Risk.HYPOGLYCAEMIA, Severity.WARNING, 0.0, False),
        (Risk.HYPOGLYCAEMIA, Severity.CRITICAL, GLUCOSE_VERY_LOW, Severity.CRITICAL, 5 * HOUR, True),
        (GLUCOSE_VERY_LOW, Severity.CRITICAL, Risk.HYPOGLYCAEMIA, Severity.CRITICAL, -HOUR, False),
        (GLUCOSE_VERY_LOW, Severity.CRITICAL, Risk.FALL, Severity.CRITICAL, 0.0, False),
        ("spo2_low", Severity.WARNING, Risk.HYPOGLYCAEMIA, Severity.CRITICAL, 0.0, False),
    ],
)
def test_only_what_was_said_as_gravely_and_lately_is_held_back(
    kind: str, severity: Severity, other: str, graver: Severity, age_s: float, *, held: bool
) -> None:
    alert = Alert("a", "ann", other, graver, AlertState.RAISED, -age_s, -age_s, None, Explanation(""))
    assert waits(kind, severity, [alert], 0.0) is held
