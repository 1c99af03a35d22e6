"""The delivered hypoglycaemia model in the daemon's own chain: a fall is told in time, once, and calm stays quiet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.alerts.episodes import Episodes, PersistenceRule
from edge.notices import Alert, AlertState
from edge.readings import Assessment, Risk, Source
from edge.risks.catalogue import MODELS
from edge.risks.model import RiskModel
from edge.signals.glucose import readings_of

HOUR = 3600.0


@pytest.fixture(scope="module")
def model() -> RiskModel:
    """The model that is delivered."""
    return RiskModel.load(MODELS / Risk.HYPOGLYCAEMIA)


def fall_at(low_s: float, *, lowest: float = 58.0) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Glucose that falls by 1.5 a minute from 130 mg/dL, is at `lowest` at `low_s`, and rises again to 130."""

    def mg_dl(times: NDArray[np.float64]) -> NDArray[np.float64]:
        away = np.abs(times - low_s) / 60.0 * 1.5
        return np.asarray(np.minimum(130.0 + 3.0 * np.sin(times / 900.0), lowest + away).round(), dtype=np.float64)

    return mg_dl


def story(
    model: RiskModel,
    mg_dl: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    hours: float,
    pace_s: float,
    gap: tuple[float, float] = (0.0, 0.0),
) -> tuple[list[Assessment], list[Alert]]:
    times = np.arange(0.0, hours * HOUR, pace_s)
    times = times[(times <= gap[0]) | (times >= gap[1])]
    windows = model.windows("ann")
    episodes = Episodes(PersistenceRule(**model.policy.model_dump(exclude={"severity"})), model.policy.severity)
    said, alerts = [], []
    for reading in readings_of(Source("ann", "sensor"), times, mg_dl(times)):
        for window in windows.push(reading):
            said.append(model.assess(window))
            alert = episodes.weigh(said[-1])
            alerts += [] if alert is None else [alert]
    return said, alerts


@pytest.mark.parametrize("pace_s", [300.0, 900.0])
def test_a_fall_is_told_once_before_it_is_below_70_and_cleared_when_it_is_over(model: RiskModel, pace_s: float) -> None:
    low = 5.0 * HOUR
    said, (raised, cleared) = story(model, fall_at(low), hours=13.0, pace_s=pace_s)
    below = low - (70.0 - 58.0) / 1.5 * 60.0
    assert raised.state is AlertState.RAISED
    assert below - 2400.0 <= raised.opened_at < below
    assert raised.explanation.sentence.startswith("Glucose is ")
    assert cleared.cleared_at is not None
    assert cleared.cleared_at > low + HOUR
    assert all(one.score is not None and one.score > 0.5 for one in said if below < one.end < low)


@pytest.mark.parametrize("pace_s", [300.0, 900.0])
def test_glucose_that_stays_in_range_says_nothing(model: RiskModel, pace_s: float) -> None:
    said, alerts = story(model, fall_at(5.0 * HOUR, lowest=105.0), hours=13.0, pace_s=pace_s)
    assert alerts == []
    assert max(one.score or 0.0 for one in said) < model.threshold


def test_a_gap_is_told_and_no_score_made_up_for_it(model: RiskModel) -> None:
    said, _ = story(model, fall_at(9.0 * HOUR), hours=8.0, pace_s=300.0, gap=(4.0 * HOUR, 6.0 * HOUR))
    after = [one for one in said if one.end >= 6.0 * HOUR]
    assert [one.score is None for one in after[:5]] == [True, True, True, False, False]
    assert after[0].reason == "only 0 minutes of glucose readings without a gap; 15 are needed"


def test_the_forecast_goes_on_from_now_and_turns_with_the_fall(model: RiskModel) -> None:
    low = 5.0 * HOUR
    said, _ = story(model, fall_at(low, lowest=40.0), hours=6.0, pace_s=300.0)
    falling, rising = (next(one for one in said if one.end == low + 60.0 * away) for away in (-40.0, 40.0))
    assert [time for time, _ in falling.forecast] == [falling.end + 300.0 * step for step in range(1, 7)]
    # Both are at 100 mg/dL. Of people who fall so fast most turn before half an hour is over, and the model knows that.
    assert all(80.0 < value < 100.0 for _, value in falling.forecast)
    assert all(100.0 < value < 150.0 for _, value in rising.forecast)
