"""Examples of glucose: bounded, repeatable, and right about what is ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.signals.glucose import PACE_S
from edge.signals.hypoglycaemia import FINE_MIDDLE_MG_DL, FINE_REACH_MG_DL, FORECAST_MG_DL
from training.glucose_examples import GlucoseExamples, believed_series

LENGTH = 24


def waves(count: int = 2000, pace_s: float = PACE_S) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    times = np.arange(count, dtype=np.float64) * pace_s
    return times, 100.0 + 40.0 * np.sin(times / 6000.0)


def test_the_same_seed_draws_the_same_and_all_of_it_can_be_learnt_from() -> None:
    sampler = GlucoseExamples([waves(), waves(600, 900.0)], length=LENGTH)
    first, again = (sampler.draw(300, np.random.default_rng(1)) for _ in range(2))
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(first, again, strict=True))
    inputs, targets = first
    assert inputs.shape == (300, LENGTH, 4)
    assert targets.shape == (300, 7)
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= 1.0
    assert (inputs[:, -4:, 3] == 1.0).all()
    assert set(targets[:, 0].tolist()) == {0.0, 1.0}


def test_the_label_and_the_forecast_are_those_of_the_same_worsened_sensor() -> None:
    inputs, targets = GlucoseExamples([waves()], length=LENGTH).draw(2000, np.random.default_rng(2))
    seen = inputs[:, -1, 0] * FINE_REACH_MG_DL + FINE_MIDDLE_MG_DL
    sure = (np.abs(inputs[:, -1, 0]) < 1.0) & np.isfinite(targets).all(axis=1)
    least = np.minimum(seen, (seen[:, np.newaxis] + targets[:, 1:] * FORECAST_MG_DL).min(axis=1))[sure]
    label = targets[sure, 0]
    assert (label[least < 67.0] == 1.0).all()
    assert (label[least > 73.0] == 0.0).all()


def test_a_person_of_more_readings_does_not_drown_the_others() -> None:
    many, few = waves(8000), waves(500)
    few[1][:] = 300.0
    inputs, _ = GlucoseExamples([many, few], length=LENGTH).draw(4000, np.random.default_rng(3))
    assert np.mean(inputs[:, -1, 1] > 0.4) > 0.1


def test_what_the_edge_does_not_believe_is_not_learnt_from() -> None:
    times, mg_dl = waves(20)
    mg_dl[5] = 350.0
    ((kept, values),) = believed_series(times, mg_dl)
    assert len(kept) == 19
    assert values.max() < 200.0
    mg_dl[10:] += 200.0
    assert [len(one) for one, _ in believed_series(times, mg_dl)] == [9, 10]
