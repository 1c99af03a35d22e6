"""What the fall model sees does not depend on how the sensor is turned, and what cannot be judged says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.readings import Risk, Window
from edge.signals import fall
from edge.signals.acceleration import RATE_HZ

LENGTH = 6 * RATE_HZ
MINIMUM = 0.7


def lying_down_hard(blow_mg: float = 4000.0, sway_mg: float = 0.0) -> NDArray[np.float64]:
    """Three seconds upright, a blow, three seconds on the side."""
    mg = np.tile([0.0, 0.0, 1000.0], (LENGTH, 1))
    mg[LENGTH // 2 :] = [1000.0, 0.0, 0.0]
    mg[LENGTH // 2] = [0.0, 0.0, blow_mg]
    return np.asarray(mg + sway_mg * np.sin(np.arange(3 * LENGTH)).reshape(LENGTH, 3), dtype=np.float64)


def window(mg: NDArray[np.float64], marked: slice = slice(0, 0)) -> Window:
    marks = np.zeros(len(mg), dtype=np.bool_)
    marks[marked] = True
    return Window("ann", Risk.FALL, 100.0, 106.0, mg, marks, 1.0 - float(marks.sum()) / LENGTH)


def reason(of: Window) -> str | None:
    return fall.shortage(of, length=LENGTH, minimum_coverage=MINIMUM)


def turned(mg: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(mg @ rotation, dtype=np.float64)


def test_a_blow_and_a_walk_can_be_judged() -> None:
    assert reason(window(lying_down_hard(sway_mg=20.0))) is None
    walk = np.tile([0.0, 0.0, 1000.0], (LENGTH, 1))
    walk[:, 2] += 250.0 * np.sin(2.0 * np.pi * 2.0 * np.arange(LENGTH) / RATE_HZ)
    assert reason(window(walk)) is None


@pytest.mark.parametrize(
    ("mg", "marked", "words"),
    [
        (np.empty((0, 3)), slice(0, 0), "no usable samples for 6 s"),
        (lying_down_hard(), slice(0, 60), "samples cover 60%"),
        (np.tile([0.0, 600.0, 800.0], (LENGTH, 1)), slice(0, 0), "stuck"),
        (np.random.default_rng(1).normal([0.0, 0.0, 1000.0], 4.0, (LENGTH, 3)), slice(0, 0), "no movement"),
        (np.where(np.arange(LENGTH)[:, np.newaxis] % 5 < 4, 2000.0, [900.0, 200.0, 0.0]), slice(0, 0), "at its limit"),
        (lying_down_hard(400.0, sway_mg=20.0) / 10.0, slice(0, 0), "faulty"),
    ],
)
def test_what_cannot_be_judged_says_why(mg: NDArray[np.float64], marked: slice, words: str) -> None:
    assert words in (reason(window(mg, marked)) or "")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.0, 16_000.0))
def test_the_input_is_within_range_and_the_same_however_the_sensor_is_turned(seed: int, strength: float) -> None:
    mg = np.random.default_rng(seed).normal(0.0, 1.0 + strength, (LENGTH, 3)).clip(-16_000.0, 16_000.0)
    inputs = fall.model_input(window(mg, slice(10, 14)))
    assert inputs.shape == (1, LENGTH, fall.CHANNELS)
    assert inputs.dtype == np.float32
    assert np.abs(inputs).max() <= 1.0
    assert not inputs[0, 10:14].any()
    assert fall.model_input(window(turned(mg, seed), slice(10, 14))) == pytest.approx(inputs, abs=1e-3)


def test_many_windows_at_once_are_the_same_as_one_by_one() -> None:
    mg = np.random.default_rng(3).normal(0.0, 1500.0, (5, LENGTH, 3))
    marks = np.random.default_rng(4).random((5, LENGTH)) < 0.2
    at_once = fall.model_inputs(mg, marks)
    for place in range(5):
        one = Window("ann", Risk.FALL, 0.0, 6.0, mg[place], marks[place], 0.8)
        assert np.array_equal(fall.model_input(one)[0], at_once[place])


def test_a_window_without_anything_before_the_blow_is_judged_by_the_rest() -> None:
    inputs = fall.model_input(window(lying_down_hard(), slice(0, LENGTH // 2)))
    assert np.isfinite(inputs).all()
    assert not inputs[0, : LENGTH // 2].any()


def test_the_sentence_says_the_blow_and_the_turn_beside_what_is_usual() -> None:
    numbers = fall.plain_numbers(window(lying_down_hard(4000.0)))
    assert numbers["blow_g"] == pytest.approx(4.0)
    assert numbers["turn_degrees"] == pytest.approx(90.0, abs=3.0)
    assert numbers["movement_mg"] == pytest.approx(0.0, abs=1e-6)
    usual = {"blow_g": 1.7, "turn_degrees": 12.0, "movement_mg": 300.0}
    said = fall.explain(window(lying_down_hard(4000.0)), usual, (102.0, 104.0))
    assert "4.0 g (1.7 g is common)" in said.sentence
    assert "degrees (12 are common)" in said.sentence
    assert "0 % of the usual movement" in said.sentence
    assert said.part == (102.0, 104.0)


def test_the_steps_of_the_input_span_the_window() -> None:
    times = fall.step_times(window(lying_down_hard()))
    assert (len(times), times[0], times[-1]) == (LENGTH + 1, 100.0, pytest.approx(106.0))
