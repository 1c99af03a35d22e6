"""What is marked as the detector's fault, and what is left to the heart."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge.signals.artefacts import mark_artefacts

intervals = arrays(np.float64, st.integers(0, 80), elements=st.floats(1.0, 6000.0))


def steady(count: int = 60, seed: int = 1) -> NDArray[np.float64]:
    """Sinus rhythm that varies by about 2 %."""
    return np.random.default_rng(seed).normal(800.0, 16.0, count)


def test_a_missed_beat_is_marked_and_nothing_else() -> None:
    rr_ms = steady()
    merged = np.concatenate([rr_ms[:30], [rr_ms[30] + rr_ms[31]], rr_ms[32:]])
    assert np.flatnonzero(mark_artefacts(merged)).tolist() == [30]


def test_two_missed_beats_in_one_interval_are_marked() -> None:
    rr_ms = steady()
    merged = np.concatenate([rr_ms[:30], [rr_ms[30:33].sum()], rr_ms[33:]])
    assert np.flatnonzero(mark_artefacts(merged)).tolist() == [30]


def test_a_beat_that_is_none_marks_both_of_its_intervals() -> None:
    rr_ms = steady()
    split = np.concatenate([rr_ms[:30], [300.0, rr_ms[30] - 300.0], rr_ms[31:]])
    assert np.flatnonzero(mark_artefacts(split)).tolist() == [30, 31]


def test_an_ectopic_beat_with_its_pause_is_the_hearts_own() -> None:
    rr_ms = steady()
    rr_ms[30:32] = 520.0, 1080.0
    assert not mark_artefacts(rr_ms).any()


def test_fibrillation_keeps_its_own_irregularity() -> None:
    # Intervals of fibrillation are close to independent; a spread of a quarter is usual.
    rr_ms = np.random.default_rng(2).normal(750.0, 190.0, (200, 60)).clip(300.0, 1800.0)
    assert mark_artefacts(rr_ms).mean() < 0.001


def test_a_detector_that_misses_and_invents_is_found_out_mostly() -> None:
    random = np.random.default_rng(3)
    found = faults = 0
    for seed in range(100):
        rr_ms = steady(seed=seed)
        place = int(random.integers(0, 58))
        rr_ms[place] *= 2.0
        found += int(mark_artefacts(rr_ms)[place])
        faults += 1
    assert found >= 0.95 * faults


@given(intervals)
def test_marks_have_the_intervals_shape_and_always_hold_the_impossible(rr_ms: NDArray[np.float64]) -> None:
    marks = mark_artefacts(rr_ms)
    assert marks.shape == rr_ms.shape
    assert marks[(rr_ms < 200.0) | (rr_ms > 3000.0)].all()


@given(intervals)
def test_a_batch_is_marked_as_its_rows_are(rr_ms: NDArray[np.float64]) -> None:
    batch = np.stack([rr_ms, rr_ms[::-1]])
    assert (mark_artefacts(batch) == np.stack([mark_artefacts(row) for row in batch])).all()


def test_nights_of_every_length_leave_no_memory_taken() -> None:
    def mark(lengths: range) -> None:
        for beats in lengths:
            mark_artefacts(np.full(beats, 800.0))

    mark(range(40, 60))
    tracemalloc.start()
    try:
        mark(range(60, 160, 5))
        mark(range(10_000, 10_040))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2_000_000
