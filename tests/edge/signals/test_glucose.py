"""Glucose to Windows: nothing made up, nothing from the future, and the same after a restart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import Quality, Reading, Risk, Source, Window
from edge.signals.glucose import MAXIMUM_GAP_S, PACE_S, GlucoseWindows, on_grid, readings_of

LENGTH, START = 12, 1_800_000_000.0
Series = list[tuple[float, float]]


def readings(series: Series) -> list[Reading]:
    times, values = (np.array(column) for column in zip(*series, strict=True))
    return list(readings_of(Source("ann", "sensor"), times, values))


def windows_of(given_: Sequence[Reading], last_end: float | None = None) -> list[Window]:
    builder = GlucoseWindows("ann", Risk.HYPOGLYCAEMIA, length=LENGTH, step=1, last_end=last_end)
    return [window for one in given_ for window in builder.push(one)]


def steady(count: int, pace_s: float = PACE_S) -> Series:
    return [(START + n * pace_s, 100.0 + n) for n in range(count)]


def alike(one: Sequence[Window], other: Sequence[Window]) -> bool:
    return [window.end for window in one] == [window.end for window in other] and np.allclose(
        [window.values for window in one], [window.values for window in other], equal_nan=True
    )


def known(window: Window) -> list[float]:
    return [float(value) for value in window.values[~window.marks]]


@st.composite
def sensors(draw: st.DrawFn) -> Series:
    """Readings of one sensor that changes by what glucose can, with pauses of any length."""
    steps = draw(st.lists(st.tuples(st.integers(20, 4000), st.integers(-30, 30)), min_size=1, max_size=60))
    series, time, mg_dl = [], START, 120.0
    for pause, change in steps:
        time, mg_dl = time + pause, min(390.0, max(45.0, mg_dl + change))
        series.append((time, mg_dl))
    return series


def test_a_window_ends_with_every_reading_and_holds_those_before_it() -> None:
    found = windows_of(readings(steady(20)))
    assert [window.end for window in found] == [START + n * PACE_S for n in range(20)]
    assert found[-1].values.tolist() == [float(value) for value in range(108, 120)]
    assert found[-1].start == found[-1].end - LENGTH * PACE_S
    assert found[-1].coverage == 1.0


def test_a_sensor_of_fifteen_minutes_is_filled_in_between_its_readings_only() -> None:
    last = windows_of(readings(steady(8, pace_s=900.0)))[-1]
    assert last.values[-4:].tolist() == pytest.approx([106.0, 106.0 + 1 / 3, 106.0 + 2 / 3, 107.0])
    # The window holds four readings: before the first of them nothing is known.
    assert last.marks.tolist() == [True, True] + [False] * 10


def test_a_gap_stays_a_gap() -> None:
    series = [one for n, one in enumerate(steady(20)) if not 12 <= n < 17]
    last = windows_of(readings(series))[-1]
    assert known(last) == [108.0, 109.0, 110.0, 111.0, 117.0, 118.0, 119.0]
    assert last.coverage == pytest.approx(7 / 12)


def test_readings_in_between_make_no_window_of_their_own_and_of_one_time_the_first_counts() -> None:
    series = [*steady(6), (START + 5 * PACE_S, 300.0), (START + 5 * PACE_S + 60.0, 105.0), (START + 6 * PACE_S, 106.0)]
    found = windows_of(readings(series))
    assert len(found) == 7
    assert known(found[-1]) == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0]


def test_a_single_impossible_value_is_left_out_and_a_lasting_one_believed() -> None:
    single = windows_of(readings([*steady(6), (START + 6 * PACE_S, 250.0), (START + 7 * PACE_S, 107.0)]))
    assert single[6].marks[-1]
    assert known(single[7])[-3:] == [105.0, 106.0, 107.0]
    lasting = windows_of(readings([*steady(6), (START + 6 * PACE_S, 250.0), (START + 7 * PACE_S, 251.0)]))
    assert known(lasting[7]) == [250.0, 251.0]


def test_a_new_sensor_that_shows_less_is_no_steep_fall() -> None:
    series = [(START + n * PACE_S, 180.0) for n in range(6)] + [(START + n * PACE_S, 75.0) for n in range(6, 9)]
    found = windows_of(readings(series))
    assert found[6].marks[-1], "the first is doubted"
    assert [known(window)[-2:] for window in found[7:]] == [[75.0, 75.0], [75.0, 75.0]]
    assert 127.5 not in known(found[7])


@pytest.mark.parametrize("pace_s", [60.0, 120.0, 180.0, 300.0])
def test_a_quick_sensor_is_judged_no_more_often_than_others(pace_s: float) -> None:
    ends = [window.end for window in windows_of(readings(steady(round(7200 / pace_s), pace_s)))]
    assert min(np.diff(ends)) >= PACE_S
    assert max(np.diff(ends)) <= PACE_S + pace_s


def test_of_two_sensors_in_one_series_the_first_is_followed() -> None:
    other = [(time + 60.0, mg_dl + 120.0) for time, mg_dl in steady(12)]
    last = windows_of(readings(sorted([*steady(12), *other])))[-1]
    assert known(last) == [100.0 + n for n in range(12)]


def test_a_value_out_of_range_is_told_and_never_used() -> None:
    found = windows_of(readings([*steady(6), (START + 6 * PACE_S, 5.0)]))
    assert found[-1].marks[-1]
    assert found[-1].end == START + 6 * PACE_S
    assert 5.0 not in known(found[-1])


def test_no_contact_is_no_reading() -> None:
    off = Reading("ann", "sensor", readings(steady(1))[0].channel, "mg/dL", START, START, (90.0,), Quality.NO_CONTACT)
    assert known(windows_of([off])[0]) == []


def test_a_clock_that_was_set_back_begins_a_new_series() -> None:
    found = windows_of(readings(steady(6)) + readings([(START - 3600.0, 80.0)]))
    assert known(found[-1]) == [80.0]


@given(sensors(), st.integers(0, 60))
def test_no_value_after_the_end_matters_and_none_is_made_up(series: Series, cut: int) -> None:
    found, before = windows_of(readings(series)), windows_of(readings(series)[: cut + 1])
    assert alike(before, found[: len(before)])
    times = np.array([time for time, _ in series])
    for window in found:
        assert window.marks.tolist() == np.isnan(window.values).tolist()
        for place in np.flatnonzero(~window.marks):
            at = window.end - PACE_S * (LENGTH - 1 - place)
            inside = times[(times > window.start) & (times <= window.end)]
            assert (inside <= at + 0.2).any()
            assert (inside >= at - 0.2).any()
            left, right = inside[inside <= at + 0.2][-1], inside[inside >= at - 0.2][0]
            assert right - left <= MAXIMUM_GAP_S


@given(sensors(), st.integers(0, 60))
def test_a_restart_gives_the_same_windows_and_none_twice(series: Series, place: int) -> None:
    whole = windows_of(readings(series))
    told = whole[min(place, len(whole) - 1)]
    stored = [one for one in readings(series) if one.start > told.start]
    after = windows_of(stored, last_end=told.end)
    assert alike(after, [window for window in whole if window.end > told.end])


@given(sensors())
def test_many_windows_at_once_are_those_of_the_builder(series: Series) -> None:
    times, mg_dl = (np.array(column) for column in zip(*series, strict=True))
    found = windows_of(readings(series))
    ends = np.array([window.end for window in found])
    assert np.allclose(on_grid(times, mg_dl, ends, LENGTH), [window.values for window in found], equal_nan=True)
