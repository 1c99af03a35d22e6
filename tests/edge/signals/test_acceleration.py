"""Acceleration at any pace to even steps: constant stays constant, gaps are marked, and nothing makes it stumble."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.readings import Channel, Quality, Reading, Source
from edge.signals.acceleration import RATE_HZ, Resampler, Steps, readings_of

START = 1_800_000_000.0
ANN = Source("ann", "watch")


def even(rate_hz: float, seconds: float) -> NDArray[np.float64]:
    return START + np.arange(round(rate_hz * seconds)) / rate_hz


def steps_of(times: NDArray[np.float64], mg: NDArray[np.float64], chunk: int = 10_000) -> Steps:
    resampler = Resampler()
    parts = [
        resampler.push(times[first : first + chunk], mg[first : first + chunk]) for first in range(0, len(times), chunk)
    ]
    return Steps(
        parts[0].first,
        np.concatenate([part.mg for part in parts]),
        np.concatenate([part.known_at for part in parts]),
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.marks for part in parts]),
    )


def samples_of(readings: list[Reading]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    times = [
        one.start + (one.interval_s or 0.0) * np.arange(len(one.values) // 3, dtype=np.float64) for one in readings
    ]
    return np.concatenate(times), np.concatenate([np.array(one.values).reshape(-1, 3) for one in readings])


@settings(deadline=None, max_examples=25)
@given(st.floats(20.0, 100.0), st.floats(0.0, 0.05), st.tuples(*[st.floats(-16_000.0, 16_000.0)] * 3))
def test_what_is_constant_stays_so_at_any_rate(rate_hz: float, begin: float, vector: tuple[float, ...]) -> None:
    times = even(rate_hz, 4.0) + begin
    steps = steps_of(times, np.tile(vector, (len(times), 1)))
    assert len(steps.mg) >= 4.0 * RATE_HZ - 5
    # The first step may lack a millionth of a second (ROUNDING_S), which is .4 mg of 16 g.
    assert steps.mg == pytest.approx(np.tile(vector, (len(steps.mg), 1)), abs=0.5)
    assert not steps.marks.any()


@settings(deadline=None, max_examples=25)
@given(st.floats(20.0, 100.0))
def test_a_slow_movement_looks_the_same_at_any_rate(rate_hz: float) -> None:
    times = even(rate_hz, 4.0)
    steps = steps_of(times, np.outer(np.sin(2.0 * np.pi * (times - START)), [1000.0, 500.0, 0.0]))
    middle = (steps.first + np.arange(len(steps.mg)) + 0.5) / RATE_HZ - START
    assert steps.mg[:, 0] == pytest.approx(1000.0 * np.sin(2.0 * np.pi * middle), abs=20.0)


def test_what_is_faster_than_the_steps_is_averaged_out() -> None:
    times = even(100.0, 4.0)
    steps = steps_of(times, np.outer((-1.0) ** np.arange(len(times)), [1000.0] * 3))
    assert np.abs(steps.mg).max() < 150.0


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_the_steps_are_the_same_however_the_samples_arrive(chunks: list[int]) -> None:
    random = np.random.default_rng(sum(chunks))
    times = even(40.0, 5.0)
    mg = random.normal(0.0, 2000.0, (len(times), 3))
    whole, parts = steps_of(times, mg), steps_of(times, mg, chunk=chunks[0])
    assert whole.first == parts.first
    assert parts.mg == pytest.approx(whole.mg, abs=0.5)
    assert parts.known_at.tolist() == whole.known_at.tolist()
    assert parts.samples.tolist() == whole.samples.tolist()


def test_a_step_uses_nothing_after_the_sample_that_completed_it() -> None:
    times = even(31.25, 4.0)
    mg = np.random.default_rng(1).normal(0.0, 1000.0, (len(times), 3))
    steps = steps_of(times, mg)
    later = steps_of(times, np.where((times > steps.known_at[50])[:, np.newaxis], 9_000.0, mg))
    assert later.mg[:51].tolist() == steps.mg[:51].tolist()
    assert later.mg[52:].tolist() != steps.mg[52:].tolist()


def test_a_gap_is_marked_and_a_late_sample_is_not() -> None:
    times = even(50.0, 4.0)
    kept = (times < START + 1.0) | (times >= START + 1.5)
    kept[150] = False
    steps = steps_of(times[kept], np.tile([0.0, 0.0, 1000.0], (int(kept.sum()), 1)))
    assert steps.marks.sum() == pytest.approx(0.5 * RATE_HZ, abs=1)


@given(
    st.lists(
        st.tuples(st.floats(1e-6, 30.0), *[st.floats(allow_nan=False, allow_infinity=False)] * 3),
        max_size=80,
    )
)
def test_no_finite_recording_makes_it_stumble(samples: list[tuple[float, ...]]) -> None:
    table = np.array(samples).reshape(-1, 4)
    times = np.cumsum(table[:, 0])
    readings = list(readings_of(ANN, times, table[:, 1:]))
    assert sum(len(one.values) for one in readings) == 3 * len(table)
    assert all(one.channel is Channel.ACCELERATION and np.abs(one.values).max() <= 16_000.0 for one in readings)
    resampler, last = Resampler(), -np.inf
    for one in readings:
        own = one.start + (one.interval_s or 0.0) * np.arange(len(one.values) // 3, dtype=np.float64)
        new = own > last
        steps = resampler.push(own[new], np.array(one.values).reshape(-1, 3)[new])
        last = own[-1]
        assert np.isfinite(steps.mg).all()
        assert np.abs(steps.mg).max(initial=0.0) <= 16_001.0


def test_a_recording_becomes_readings_of_about_a_second_with_its_own_times() -> None:
    times = even(50.0, 10.0)
    mg = np.arange(3.0 * len(times)).reshape(-1, 3)
    readings = list(readings_of(ANN, times, mg))
    found, values = samples_of(readings)
    assert found == pytest.approx(times, abs=1e-5)
    assert values.tolist() == mg.tolist()
    assert {len(one.values) // 3 for one in readings} == {50}
    assert all(one.quality is Quality.GOOD for one in readings)


def test_stamps_that_jitter_are_kept_and_a_gap_is_told() -> None:
    times = even(20.0, 10.0)
    stamps = times + np.random.default_rng(2).uniform(-0.015, 0.015, len(times))
    kept = (times < START + 4.0) | (times >= START + 5.0)
    readings = list(readings_of(ANN, stamps[kept], np.zeros((int(kept.sum()), 3))))
    found, _ = samples_of(readings)
    assert found == pytest.approx(stamps[kept], abs=0.0021)
    broken = [one.start - START for one in readings if Quality.GAP_BEFORE in one.quality]
    assert broken == pytest.approx([5.0], abs=0.02)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 190), st.floats(0.0, 0.03))
def test_no_later_sample_changes_an_earlier_one(seed: int, stop: int, jitter: float) -> None:
    random = np.random.default_rng(seed)
    times = np.sort(even(40.0, 5.0) + random.uniform(0.0, jitter, 200))
    times, mg = np.unique(times), random.normal(0.0, 500.0, (len(np.unique(times)), 3))
    whole, _ = samples_of(list(readings_of(ANN, times, mg)))
    part, _ = samples_of(list(readings_of(ANN, times[:stop], mg[:stop])))
    assert part.tolist() == whole[: len(part)].tolist()


def test_a_sensor_at_its_limit_is_kept_and_the_mark_of_a_fault_is_not() -> None:
    mg = np.tile([0.0, 0.0, 1000.0], (100, 1))
    mg[40, 0], mg[60, 1] = 16_384.0, 32_767.0
    readings = list(readings_of(ANN, even(50.0, 2.0), mg))
    _, values = samples_of([one for one in readings if one.quality is not Quality.OUT_OF_RANGE])
    assert len(values) == 99
    assert values[40, 0] == 16_000.0
