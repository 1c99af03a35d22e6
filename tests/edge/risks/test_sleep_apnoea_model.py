"""The shipped sleep apnoea model on made-up nights, through the daemon's own decision."""

from __future__ import annotations

import numpy as np
import pytest

from edge.notices import Alert
from edge.readings import Assessment, Source
from edge.risks.catalogue import MODELS
from edge.risks.model import RiskModel
from edge.signals.rr_series import readings_of
from edge.watches.risk import watch_risk


def night(hours: float, *, swing: float) -> list[tuple[Assessment, Alert | None]]:
    """What is said of a heart around 60 beats a minute that slows for 40 s and speeds up again, by `swing` beats."""
    random = np.random.default_rng(1)
    times, rr_ms, now = [], [], 0.0
    while now < hours * 3600.0:
        phase = now % 45.0
        rate = 60.0 - 0.3 * swing + swing * float(np.exp(-(((phase - 35.0) / 6.0) ** 2)))
        breath = 1.0 + 0.02 * float(np.sin(2.0 * np.pi * now / 4.0))
        rr_ms.append(60_000.0 / rate * breath + random.normal(0.0, 8.0))
        now += rr_ms[-1] / 1000.0
        times.append(now)
    watch = watch_risk("anna", RiskModel.load(MODELS / "sleep_apnoea"))
    readings = readings_of(Source("anna", "strap"), np.array(times), np.array(rr_ms))
    return [watch.judge(window) for reading in readings for window in watch.windows.push(reading)]


def test_hours_of_swings_are_told_once_with_the_swing_in_words() -> None:
    said = night(5.0, swing=20.0)
    alerts = [alert for _, alert in said if alert is not None]
    assert len(alerts) == 1
    said_of_it = alerts[0].explanation
    assert said_of_it.numbers["swing_s"] == pytest.approx(45.0, abs=2.0)
    assert f"swung by {said_of_it.numbers['swing_bpm']:.0f} beats a minute" in said_of_it.sentence
    assert said_of_it.part is not None
    assert 1.7 * 3600.0 <= alerts[0].opened_at <= 3.0 * 3600.0


def test_a_calm_night_is_not_told() -> None:
    said = night(5.0, swing=0.0)
    assert not [alert for _, alert in said if alert is not None]
    scores = [assessment.score for assessment, _ in said if assessment.score is not None]
    assert len(scores) > 290
    assert np.mean(np.array(scores) >= 0.5) < 0.05
