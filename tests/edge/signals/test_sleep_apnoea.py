"""What the sleep apnoea model is given: even steps of a night, whatever the strap and the restart do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.readings import Source, Window
from edge.signals import sleep_apnoea
from edge.signals.heart_minutes import STEP_S, HeartMinutes, faulty, steps
from edge.signals.rr_series import readings_of

LENGTH, STEP = 450, 30
SOURCE = Source("anna", "strap")
USUAL = {"swing_bpm": 5.0, "swing_s": 60.0, "heart_rate_bpm": 60.0}


def night(
    minutes: float, *, swing: float = 0.0, period_s: float = 45.0, seed: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (s) and RR intervals (ms) of a heart around 60 beats a minute that swings by `swing` of them, both ways."""
    random = np.random.default_rng(seed)
    times, rr_ms, now = [], [], 0.0
    while now < minutes * 60.0:
        rate = 60.0 + swing * np.sin(2.0 * np.pi * now / period_s)
        rr_ms.append(60_000.0 / rate + random.normal(0.0, 10.0))
        now += rr_ms[-1] / 1000.0
        times.append(now)
    return np.array(times), np.array(rr_ms)


def windows_of(
    times: NDArray[np.float64], rr_ms: NDArray[np.float64], *, last_end: float | None = None
) -> list[Window]:
    builder = sleep_apnoea.windows("anna", length=LENGTH, step=STEP, last_end=last_end)
    return [window for reading in readings_of(SOURCE, times, rr_ms) for window in builder.push(reading)]


def reason(window: Window) -> str | None:
    return sleep_apnoea.shortage(window, length=LENGTH, minimum_coverage=0.15)


def same(one: Window, other: Window) -> bool:
    return (one.start, one.end, one.coverage) == pytest.approx((other.start, other.end, other.coverage)) and bool(
        np.allclose(one.values, other.values, equal_nan=True)
    )


def test_a_window_ends_with_every_whole_minute() -> None:
    windows = windows_of(*night(20))
    assert [window.end for window in windows] == [60.0 * minute for minute in range(1, 21)]
    assert {window.end - window.start for window in windows} == {LENGTH * STEP_S}
    assert windows[-1].coverage > 0.98


def test_the_first_minutes_are_too_few_and_say_so() -> None:
    windows = windows_of(*night(6))
    assert reason(windows[0]) == "only 60 s of good heartbeats so far; 180 s are needed"
    assert reason(windows[2]) is None


def test_a_minute_without_beats_is_not_judged() -> None:
    times, rr_ms = night(30)
    kept = (times < 900.0) | (times > 1050.0)
    found = {window.end: reason(window) for window in windows_of(times[kept], rr_ms[kept])}
    assert found[960.0] == "good heartbeats cover only 0% of the minute; 50% are needed"
    assert found[900.0] is None
    assert found[1200.0] is None


def test_a_long_silence_is_one_window() -> None:
    times, rr_ms = night(90)
    kept = (times < 1200.0) | (times > 4000.0)
    windows = windows_of(times[kept], rr_ms[kept])
    ends = [window.end for window in windows]
    assert ends == [*np.arange(60.0, 1201.0, 60.0), *np.arange(3960.0, 5401.0, 60.0)]
    silent = windows[ends.index(3960.0)]
    assert (silent.start, silent.coverage) == (1200.0, 0.0)
    assert reason(silent) is not None
    assert reason(windows[ends.index(1200.0)]) is None


@settings(max_examples=15, deadline=None)
@given(cut=st.floats(300.0, 1500.0), seed=st.integers(0, 99))
def test_what_comes_later_changes_no_earlier_window(cut: float, seed: int) -> None:
    times, rr_ms = night(30, swing=8.0, seed=seed)
    later = np.where(times > cut, 1.5 * rr_ms, rr_ms)
    before, after = windows_of(times, rr_ms), windows_of(np.cumsum(later) / 1000.0, later)
    early = [window for window in before if window.end < cut - 1.0]
    assert early
    assert all(same(one, other) for one, other in zip(early, after, strict=False))


@settings(max_examples=10, deadline=None)
@given(minute=st.integers(3, 28), gap=st.booleans())
def test_a_restart_goes_on_as_if_it_had_not_been(minute: int, gap: bool) -> None:
    times, rr_ms = night(30, swing=8.0)
    if gap:
        kept = (times < 700.0) | (times > 800.0)
        times, rr_ms = times[kept], rr_ms[kept]
    whole = windows_of(times, rr_ms)
    last = whole[minute - 1]
    stored = times > last.start
    resumed = windows_of(times[stored], rr_ms[stored], last_end=last.end)
    assert [window.end for window in resumed] == [window.end for window in whole[minute:]]
    assert all(same(one, other) for one, other in zip(resumed, whole[minute:], strict=True))


def test_one_window_and_many_give_the_same_input() -> None:
    windows = windows_of(*night(20, swing=6.0))
    together = sleep_apnoea.model_inputs(np.array([window.values for window in windows]))
    for window, row in zip(windows, together, strict=True):
        assert np.array_equal(sleep_apnoea.model_input(window)[0], row)
    assert together.shape == (20, LENGTH, sleep_apnoea.CHANNELS)
    assert np.abs(together).max() <= 1.0


def test_steps_before_the_first_beat_say_nothing() -> None:
    found = sleep_apnoea.model_input(windows_of(*night(5))[-1])[0]
    assert not found[: LENGTH - 151].any()
    assert found[-140:, 5].all()


def test_an_ectopic_beat_and_a_missed_one_are_left_out() -> None:
    rr_ms = np.full(40, 1000.0)
    rr_ms[10], rr_ms[11] = 600.0, 1400.0
    rr_ms[25] = 2000.0
    assert np.flatnonzero(faulty(rr_ms)).tolist() == [10, 11, 25]


def test_the_change_from_beat_to_beat_skips_a_gap() -> None:
    rr_ms = np.array([800.0, 900.0, 700.0])
    times = np.array([1.0, 1.9, 9.0])
    found = steps(times, rr_ms, np.zeros(3, dtype=np.bool_), end=10.0, length=5)
    assert found[0].tolist() == [850.0, 100.0]
    assert found[4, 0] == 700.0
    assert np.isnan(found[4, 1])


def test_the_swing_is_said_in_beats_a_minute_and_seconds() -> None:
    numbers = sleep_apnoea.plain_numbers(windows_of(*night(20, swing=8.0, period_s=45.0))[-1])
    assert numbers["swing_s"] == pytest.approx(45.0, abs=3.0)
    assert numbers["swing_bpm"] == pytest.approx(15.0, abs=2.0)
    window = windows_of(*night(20, swing=8.0))[-1]
    said = sleep_apnoea.explain(window, USUAL, (600.0, 900.0))
    assert said.part == (600.0, 900.0)
    assert "(5 are common)" in said.sentence


def test_a_clock_set_back_begins_anew() -> None:
    times, rr_ms = night(10)
    builder: HeartMinutes = sleep_apnoea.windows("anna", length=LENGTH, step=STEP)
    first = [w.end for reading in readings_of(SOURCE, times + 3600.0, rr_ms) for w in builder.push(reading)]
    again = [w.end for reading in readings_of(SOURCE, times, rr_ms) for w in builder.push(reading)]
    assert first[0] == 3660.0
    assert again == [60.0 * minute for minute in range(1, 11)]


def test_step_times_end_with_the_window() -> None:
    window = windows_of(*night(20))[-1]
    times = sleep_apnoea.step_times(window)
    assert len(times) == LENGTH + 1
    assert (times[0], times[-1]) == (window.start, window.end)


def test_the_last_minute_of_a_recording_is_told_when_no_other_beat_was_due_in_it() -> None:
    times, rr_ms = night(30)
    ends = []
    for last in (1200.0, 1199.5, 1198.0):
        kept = times <= last
        builder = sleep_apnoea.windows("anna", length=LENGTH, step=STEP)
        told = [window for one in readings_of(SOURCE, times[kept], rr_ms[kept]) for window in builder.push(one)]
        ends.append((told + builder.finish())[-1].end)
        assert builder.finish() == []
    assert ends == [1200.0, 1200.0, 1140.0]


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000))
def test_what_is_kept_of_earlier_windows_changes_none(seed: int) -> None:
    random = np.random.default_rng(seed)
    times, rr_ms = night(35, swing=8.0, seed=seed)
    kept = random.random(len(rr_ms)) > 0.03
    rr_ms = np.where(random.random(len(rr_ms)) < 0.03, rr_ms * random.uniform(0.4, 2.2, len(rr_ms)), rr_ms)
    readings = list(readings_of(SOURCE, times[kept], rr_ms[kept]))
    builder = sleep_apnoea.windows("anna", length=LENGTH, step=STEP)
    windows = [window for reading in readings for window in builder.push(reading)]
    for before, window in pairwise(windows[15:]):
        fresh = sleep_apnoea.windows("anna", length=LENGTH, step=STEP, last_end=before.end)
        again = [one for reading in readings if reading.end > window.start - 5.0 for one in fresh.push(reading)]
        assert same(again[0], window)
