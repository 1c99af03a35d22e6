"""RR intervals to Windows: the same however they arrive, across gaps, and after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import Channel, Quality, Reading, Risk, Window
from edge.signals.windows import RrWindows

BEATS, STEP, START = 20, 10, 1_800_000_000.0


def reading(start: float, rr_ms: Sequence[float], quality: Quality = Quality.GOOD) -> Reading:
    return Reading("ann", "strap", Channel.RR_INTERVAL, "ms", start, start, tuple(rr_ms), quality)


def windows_of(readings: Sequence[Reading], last_end: float | None = None) -> list[Window]:
    builder = RrWindows("ann", Risk.ATRIAL_FIBRILLATION, beats=BEATS, step=STEP, last_end=last_end)
    return [window for one in readings for window in builder.push(one)]


def split(whole: Reading, sizes: Sequence[int]) -> list[Reading]:
    """The same intervals in readings of the given sizes, the rest in one more."""
    parts, rest = [], whole
    for size in sizes:
        part = replace(rest, values=rest.values[:size])
        parts.append(part)
        rest = replace(rest, values=rest.values[size:], start=part.end)
    return [*parts, rest]


def alike(one: Sequence[Window], other: Sequence[Window]) -> bool:
    return len(one) == len(other) and all(
        a.start == pytest.approx(b.start, abs=1e-4)
        and a.end == pytest.approx(b.end, abs=1e-4)
        and a.coverage == pytest.approx(b.coverage, abs=1e-4)
        and a.values.tolist() == b.values.tolist()
        and a.marks.tolist() == b.marks.tolist()
        for a, b in zip(one, other, strict=True)
    )


rhythms = st.lists(st.integers(250, 1900).map(float), min_size=0, max_size=150)


def test_a_window_comes_every_step_beats_and_says_its_time() -> None:
    found = windows_of([reading(START, [1000.0] * 45)])
    assert [(window.start - START, window.end - START) for window in found] == [(0.0, 20.0), (10.0, 30.0), (20.0, 40.0)]
    assert all(window.coverage == 1.0 and len(window.values) == BEATS for window in found)


@given(rhythms, st.lists(st.integers(0, 5), max_size=60))
def test_the_same_windows_however_the_readings_are_split(rr_ms: list[float], sizes: list[int]) -> None:
    whole = reading(START, rr_ms)
    assert alike(windows_of(split(whole, sizes)), windows_of([whole]))


@given(rhythms, st.data())
def test_the_same_windows_follow_after_a_restart_and_none_twice(rr_ms: list[float], data: st.DataObject) -> None:
    readings = split(reading(START, rr_ms), [3] * (len(rr_ms) // 3))
    stop = data.draw(st.integers(0, len(readings)))
    before = windows_of(readings[:stop])
    if before:
        # The stored tail need not begin where the run did: the last window's start is enough.
        tail = [one for one in readings if one.end > before[-1].start + 0.1]
        first = tail[0]
        skipped = sum(1 for time in np.cumsum(first.values) / 1000.0 + first.start if time <= before[-1].start + 0.1)
        trimmed = split(first, [skipped])[1]
        after = windows_of([trimmed, *tail[1:]], last_end=before[-1].end)
    else:
        after = windows_of(readings)
    assert alike([*before, *after], windows_of(readings))


def test_stamps_rounded_by_the_store_do_not_shift_the_windows() -> None:
    rr_ms = [float(value) for value in np.random.default_rng(1).integers(600, 1000, 100)]
    readings = split(reading(START, rr_ms), [10] * 9)
    uninterrupted = windows_of(readings)
    rounded = [replace(one, start=round(one.start, 2)) for one in readings]
    after = windows_of(rounded[2:], last_end=uninterrupted[3].end)
    assert [window.end for window in after] == pytest.approx([window.end for window in uninterrupted[4:]], abs=0.02)


def test_a_short_gap_stays_inside_its_window_and_lowers_the_coverage() -> None:
    found = windows_of(
        [reading(START, [1000.0] * 10), reading(START + 15.0, [1000.0] * 10, Quality.GAP_BEFORE)],
    )
    assert [(window.start - START, window.end - START) for window in found] == [(0.0, 25.0)]
    assert found[0].coverage == pytest.approx(20.0 / 25.0)


def test_a_long_gap_is_told_as_a_window_that_is_too_short_to_judge() -> None:
    found = windows_of([reading(START, [1000.0] * 27), reading(START + 600.0, [1000.0] * 20, Quality.GAP_BEFORE)])
    assert [(window.start - START, window.end - START, len(window.values)) for window in found] == [
        (0.0, 20.0, 20),
        (20.0, 600.0, 7),
        (600.0, 620.0, 20),
    ]
    assert found[1].coverage == pytest.approx(7.0 / 580.0)


def test_the_gap_of_a_restart_is_told_once() -> None:
    readings = [reading(START, [1000.0] * 27), reading(START + 600.0, [1000.0] * 25, Quality.GAP_BEFORE)]
    last_end = START + 20.0
    after = windows_of(readings, last_end=last_end)
    assert [window.end - START for window in after] == [600.0, 620.0]
    again = windows_of(readings, last_end=after[0].end)
    assert [window.end - START for window in again] == [620.0]


def test_an_interval_longer_than_any_gap_may_be_breaks_the_run() -> None:
    found = windows_of([reading(START, [1000.0] * 20 + [60_000.0] + [1000.0] * 20)])
    assert [(window.start - START, window.end - START) for window in found] == [
        (0.0, 20.0),
        (20.0, 80.0),
        (80.0, 100.0),
    ]


def test_a_clock_that_steps_back_begins_a_new_run_without_a_tale() -> None:
    found = windows_of([reading(START, [1000.0] * 25), reading(START - 3600.0, [1000.0] * 20)])
    assert [window.end - START for window in found] == [20.0, -3580.0]


@pytest.mark.parametrize("quality", [Quality.NO_CONTACT, Quality.OUT_OF_RANGE])
def test_pain_08_beats_of_a_strap_off_the_body_do_not_count_as_evidence(quality: Quality) -> None:
    found = windows_of([reading(START, [1000.0] * 10), reading(START + 10.0, [1000.0] * 10, quality)])
    assert found[0].coverage == pytest.approx(0.5)
    assert found[0].marks.tolist() == [False] * 10 + [True] * 10


def test_a_strap_that_cannot_tell_contact_is_believed() -> None:
    found = windows_of([reading(START, [1000.0] * 20, Quality.CONTACT_UNKNOWN)])
    assert found[0].coverage == 1.0


@given(st.lists(st.tuples(st.lists(st.floats(200.0, 3000.0), max_size=40), st.floats(0.0, 60.0)), max_size=8))
def test_every_moment_up_to_the_last_window_is_in_some_window(runs: list[tuple[list[float], float]]) -> None:
    readings, start = [], START
    for rr_ms, pause in runs:
        readings.append(reading(start, rr_ms))
        start = readings[-1].end + pause
    found = windows_of(readings)
    assert all(0.0 <= window.coverage <= 1.0 and window.start < window.end for window in found)
    assert all(later.start <= earlier.end + 1e-6 for earlier, later in pairwise(found))


def test_a_window_brings_the_beats_that_led_up_to_it_also_after_a_restart() -> None:
    rr_ms = np.random.default_rng(1).integers(700, 1300, 150).astype(np.float64)
    beats_s = START + np.concatenate(([0.0], np.cumsum(rr_ms) / 1000.0))
    builder = RrWindows("ann", Risk.ATRIAL_FIBRILLATION, beats=BEATS, step=STEP, earlier=30)
    whole = builder.push(reading(START, rr_ms.tolist()))
    assert [len(one.earlier) for one in whole[:5]] == [0, 10, 20, 30, 30]
    assert whole[4].earlier.tolist() == rr_ms[10:40].tolist()
    # The stored beats are pushed again from well before the last Window, wherever that is among them.
    again = RrWindows("ann", Risk.ATRIAL_FIBRILLATION, beats=BEATS, step=STEP, earlier=30, last_end=whole[6].end).push(
        reading(float(beats_s[27]), rr_ms[27:].tolist())
    )
    assert alike(again, whole[7:])
    assert [one.earlier.tolist() for one in again] == [one.earlier.tolist() for one in whole[7:]]
