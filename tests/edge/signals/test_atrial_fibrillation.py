"""What the model sees of a Window, and what the person is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge.readings import Risk, Window
from edge.signals.atrial_fibrillation import (
    CHANNELS,
    SEQUENCE_CHANNELS,
    explain,
    model_input,
    model_inputs,
    plain_numbers,
    shortage,
    step_times,
)

BEATS = 60


def window(rr_ms: NDArray[np.float64], marks: NDArray[np.bool_] | None = None) -> Window:
    marks = np.zeros(len(rr_ms), dtype=np.bool_) if marks is None else marks
    return Window("ann", Risk.ATRIAL_FIBRILLATION, 0.0, float(rr_ms.sum()) / 1000.0, rr_ms, marks, 1.0)


some_rr = arrays(np.float64, BEATS, elements=st.floats(1.0, 6000.0))
some_marks = arrays(np.bool_, BEATS - 1).map(lambda marks: np.append(marks, [False]))


@given(some_rr, some_marks)
def test_the_input_is_always_finite_and_in_range(rr_ms: NDArray[np.float64], marks: NDArray[np.bool_]) -> None:
    values = model_input(window(rr_ms, marks))
    assert values.shape == (1, BEATS, CHANNELS)
    assert values.dtype == np.float32
    assert np.abs(values).max() <= 1.0


@given(some_rr, some_marks, st.floats(1.0, 60_000.0))
def test_what_is_marked_is_not_seen(rr_ms: NDArray[np.float64], marks: NDArray[np.bool_], other: float) -> None:
    changed = np.where(marks, other, rr_ms)
    assert (model_input(window(rr_ms, marks)) == model_input(window(changed, marks))).all()


def test_only_one_channel_of_each_kind_sees_the_rate() -> None:
    rr_ms = np.random.default_rng(1).normal(800.0, 150.0, BEATS)
    slow, fast = model_input(window(rr_ms * 1.25)), model_input(window(rr_ms))
    of_rate = [SEQUENCE_CHANNELS - 1, CHANNELS - 1]
    others = [place for place in range(CHANNELS) if place not in of_rate]
    assert slow[..., others] == pytest.approx(fast[..., others], abs=1e-5)
    assert (slow[..., of_rate] > fast[..., of_rate]).all()


def test_figures_of_the_whole_window_are_the_same_at_every_step() -> None:
    values = model_input(window(np.random.default_rng(1).normal(800.0, 150.0, BEATS)))[0, :, SEQUENCE_CHANNELS:]
    assert (values == values[0]).all()


def test_what_repeats_itself_in_any_order_is_near_to_itself_and_fibrillation_is_not() -> None:
    chance = np.random.default_rng(4)
    few_intervals = model_input(window(chance.choice(np.array([450.0, 640.0, 1070.0]), BEATS)))[0, 1:, 4]
    fibrillation = model_input(window(chance.normal(700.0, 160.0, BEATS).clip(350.0)))[0, 1:, 4]
    assert np.median(few_intervals) < 0.01
    assert np.median(fibrillation) > 0.1


def test_a_batch_is_seen_as_its_rows_are() -> None:
    rr_ms = np.random.default_rng(2).normal(800.0, 150.0, (5, BEATS))
    marks = np.random.default_rng(3).random((5, BEATS)) < 0.2
    rows = np.concatenate([model_input(window(row, mark)) for row, mark in zip(rr_ms, marks, strict=True)])
    assert (model_inputs(rr_ms, marks) == rows).all()


def test_the_sentence_says_the_plain_numbers() -> None:
    rr_ms = np.tile([600.0, 900.0], BEATS // 2)
    explanation = explain(window(rr_ms), {"irregularity_percent": 3.2}, None)
    assert explanation.numbers == pytest.approx({"irregularity_percent": 40.0, "heart_rate_bpm": 80.0})
    assert explanation.sentence == (
        "The time between heartbeats varied by 40 % from beat to beat (3 % is common), at 80 beats a minute."
    )


def test_the_part_that_mattered_is_said_and_kept() -> None:
    one = window(np.full(BEATS, 1000.0))
    times = step_times(one)
    assert times == pytest.approx(np.arange(BEATS + 1))
    explanation = explain(one, {"irregularity_percent": 3.2}, (float(times[30]), float(times[45])))
    assert explanation.part == (30.0, 45.0)
    assert "most clearly for 15 s of the last 30" in explanation.sentence


def test_steps_fill_a_window_with_a_gap_inside() -> None:
    rr_ms = np.full(BEATS, 1000.0)
    held = Window("ann", Risk.ATRIAL_FIBRILLATION, 0.0, 65.0, rr_ms, np.zeros(BEATS, dtype=np.bool_), 0.92)
    assert step_times(held)[[0, -1]].tolist() == [0.0, 65.0]


def test_nothing_good_in_a_window_is_a_reason_and_no_error() -> None:
    one = window(np.full(BEATS, 1000.0), np.ones(BEATS, dtype=np.bool_))
    assert "good heartbeats cover" in (shortage(one, length=BEATS, minimum_coverage=0.0) or "")


def test_marked_intervals_do_not_enter_the_numbers() -> None:
    rr_ms = np.full(BEATS, 1000.0)
    rr_ms[10] = 2000.0
    marks = np.arange(BEATS) == 10
    assert plain_numbers(window(rr_ms, marks)) == {"irregularity_percent": 0.0, "heart_rate_bpm": 60.0}
