"""What the hypoglycaemia model sees, when it keeps quiet, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from edge.readings import Risk, Window
from edge.signals.glucose import PACE_S
from edge.signals.hypoglycaemia import CHANNELS, explain, forecast, model_input, model_inputs, shortage, step_times

LENGTH, END = 24, 1_800_000_000.0
USUAL = {"glucose_mg_dl": 137.0, "change_mg_dl_per_min": 0.0}


def window(*mg_dl: float, end: float = END) -> Window:
    """A window that ends with these values and knows nothing before."""
    values = np.full(LENGTH, np.nan)
    values[LENGTH - len(mg_dl) :] = mg_dl
    marks = np.isnan(values)
    start = end - LENGTH * PACE_S
    return Window("ann", Risk.HYPOGLYCAEMIA, start, end, values, marks, float(1.0 - marks.mean()))


def reason(mg_dl: Sequence[float], minimum_coverage: float = 0.1) -> str | None:
    return shortage(window(*mg_dl), length=LENGTH, minimum_coverage=minimum_coverage)


def test_a_quarter_of_an_hour_of_readings_can_be_judged_and_less_cannot() -> None:
    assert reason([100.0, 99.0, 98.0, 97.0]) is None
    assert reason([100.0, 99.0, 98.0]) == "only 10 minutes of glucose readings without a gap; 15 are needed"
    assert "5 minutes" in str(reason([100.0] * 12 + [float("nan"), 99.0, 98.0]))


def test_a_low_is_judged_at_once_and_said_without_a_trend() -> None:
    assert reason([69.0], minimum_coverage=0.5) is None
    assert "15 are needed" in str(reason([70.0], minimum_coverage=0.0))
    found = explain(window(64.0), USUAL, None)
    assert found.sentence == "Glucose is 64 mg/dL: it is below 70."
    assert found.numbers == {"glucose_mg_dl": 64.0}


def test_a_reading_that_is_not_believed_is_not_judged() -> None:
    assert "out of the sensor's range" in str(reason([100.0] * 10 + [float("nan")]))


def test_low_coverage_is_told_in_hours() -> None:
    assert (
        reason([100.0, 99.0, 98.0, 97.0], minimum_coverage=0.5) == "glucose is known for only 17% of the last 2.0 hours"
    )


def test_a_frozen_sensor_is_not_judged_but_one_at_the_end_of_its_range_is() -> None:
    assert reason([104.0] * 19) == "glucose has stood still at 104 mg/dL for 90 minutes"
    assert reason([104.0] * 18 + [105.0]) is None
    assert reason([39.0] * 24) is None
    assert reason([401.0] * 24) is None


@given(arrays.arrays(np.float64, (3, LENGTH), elements=st.one_of(st.floats(20.0, 600.0), st.just(np.nan))))
def test_the_input_is_bounded_and_says_nothing_where_nothing_is_known(mg_dl: NDArray[np.float64]) -> None:
    found = model_inputs(mg_dl)
    assert found.shape == (3, LENGTH, CHANNELS)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1.0
    assert (found[np.isnan(mg_dl)] == 0.0).all()
    assert (found[~np.isnan(mg_dl), 3] == 1.0).all()


def test_one_window_and_many_agree_and_one_mg_dl_shows_in_int8() -> None:
    windows = [window(*np.linspace(150.0, low, 20)) for low in (68.0, 69.0, 70.0)]
    many = model_inputs(np.array([one.values for one in windows]))
    assert np.array_equal(np.concatenate([model_input(one) for one in windows]), many)
    assert len({round(float(value) * 127) for value in many[:, -1, 0]}) == 3


def test_steps_lie_between_their_times() -> None:
    times = step_times(window(100.0))
    assert len(times) == LENGTH + 1
    assert (times[0], times[-1]) == (END - LENGTH * PACE_S, END)


def test_the_forecast_goes_on_from_the_newest_reading_and_never_below_zero() -> None:
    told = forecast(window(100.0, 96.0), np.array([3.0, -0.2, -0.4, -8.0], dtype=np.float32))
    assert [time - END for time, _ in told] == [300.0, 600.0, 900.0]
    assert told[0][1] > told[1][1] > told[2][1] == 0.0


@pytest.mark.parametrize(
    ("mg_dl", "sentence"),
    [
        (
            [107.0, 102.0, 97.0, 92.0],
            "Glucose is 92 mg/dL and falling by 1.0 a minute: at that pace it is below 70 in 22 minutes.",
        ),
        ([74.0, 74.0, 74.0, 74.0], "Glucose is 74 mg/dL and steady."),
        ([60.0, 61.0, 62.0, 63.0], "Glucose is 63 mg/dL and rising by 0.2 a minute: it is below 70."),
    ],
)
def test_the_sentence_holds_the_numbers(mg_dl: list[float], sentence: str) -> None:
    found = explain(window(*mg_dl), USUAL, (END - 900.0, END))
    assert found.sentence == sentence
    assert found.numbers["glucose_mg_dl"] == mg_dl[-1]
    assert found.part == (END - 900.0, END)
