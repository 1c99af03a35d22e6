"""Windows around blows: as soon as what followed is known, the same however samples arrive and after a restart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.readings import Channel, Quality, Reading, Risk, Window
from edge.signals.acceleration import RATE_HZ
from edge.signals.fall import shortage
from edge.signals.impacts import BLOW_MG, ImpactWindows

START, RATE, LENGTH, STEP = 1_800_000_000.0, 50, 150, 500
SECONDS = LENGTH / RATE_HZ


def motion(seconds: float, blows: Sequence[tuple[float, float]] = ()) -> NDArray[np.float64]:
    """Gravity and a little sway at RATE, and blows of so many mg at so many seconds."""
    time = np.arange(round(seconds * RATE)) / RATE
    mg = np.stack([80.0 * np.sin(3.0 * time), 60.0 * np.cos(2.0 * time), np.full(len(time), 980.0)], axis=1)
    for at, size in blows:
        mg[:, 2] += size * np.exp(-(((time - at) / 0.06) ** 2))
    return np.asarray(mg, dtype=np.float64)


def readings_of(mg: NDArray[np.float64], size: int = RATE, start: float = START) -> list[Reading]:
    return [
        Reading(
            "ann", "watch", Channel.ACCELERATION, "mg", start + first / RATE, start + first / RATE,
            tuple(mg[first : first + size].ravel().tolist()), interval_s=1.0 / RATE,
        )
        for first in range(0, len(mg), size)
    ]  # fmt: skip


def windows_of(readings: Sequence[Reading], last_end: float | None = None) -> list[Window]:
    builder = ImpactWindows("ann", Risk.FALL, length=LENGTH, step=STEP, last_end=last_end)
    return [window for one in readings for window in builder.push(one)]


def alike(one: Sequence[Window], other: Sequence[Window]) -> bool:
    return len(one) == len(other) and all(
        a.start == pytest.approx(b.start, abs=1e-4)
        and a.end == pytest.approx(b.end, abs=1e-4)
        and a.coverage == b.coverage
        and np.allclose(a.values, b.values, atol=0.5)
        for a, b in zip(one, other, strict=True)
    )


def test_a_blow_stands_in_the_middle_and_is_told_when_the_second_half_is_known() -> None:
    found = [w for w in windows_of(readings_of(motion(15.0, [(8.0, 3000.0)]))) if w.end > START + 10.5]
    assert len(found) == 1
    assert found[0].end - START == pytest.approx(8.0 + SECONDS / 2, abs=0.1)
    assert found[0].start - START == pytest.approx(8.0 - SECONDS / 2, abs=0.1)
    assert int(np.linalg.norm(found[0].values, axis=1).argmax()) == LENGTH // 2
    assert found[0].coverage == 1.0


def test_of_blows_close_together_the_hardest_counts() -> None:
    found = windows_of(readings_of(motion(15.0, [(7.2, 1500.0), (8.0, 4000.0), (9.0, 2000.0)])))
    middles = [np.linalg.norm(window.values[LENGTH // 2]) for window in found]
    assert sum(middle >= BLOW_MG for middle in middles) == 1
    assert max(middles) > 4000.0


def test_what_lies_before_the_first_sample_is_marked() -> None:
    window = windows_of(readings_of(motion(6.0, [(2.0, 3000.0)])))[0]
    assert window.marks[: RATE_HZ // 2].all()
    assert not window.marks[RATE_HZ + 1 :].any()
    assert window.coverage == pytest.approx(5.0 / SECONDS, abs=0.01)


def test_where_nothing_happens_the_sensor_is_told_of_every_step() -> None:
    ends = [window.end - START for window in windows_of(readings_of(motion(70.0)))]
    assert ends == pytest.approx([6.0, 26.0, 46.0, 66.0], abs=0.05)


def test_a_due_window_waits_for_a_blow_that_is_not_followed_up() -> None:
    ends = [window.end - START for window in windows_of(readings_of(motion(40.0, [(25.5, 3000.0)])))]
    assert ends == pytest.approx([6.0, 28.5], abs=0.1)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 400), st.integers(0, 1000))
def test_the_same_windows_however_the_readings_are_split(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    blows = [(float(at), float(random.uniform(500, 6000))) for at in np.cumsum(random.uniform(0.2, 8.0, 6))]
    mg = motion(30.0, blows)
    assert alike(windows_of(readings_of(mg, size)), windows_of(readings_of(mg, len(mg))))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 45), st.integers(0, 1000))
def test_the_same_windows_follow_after_a_restart_and_none_twice(stop: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    blows = [(float(at), float(random.uniform(500, 6000))) for at in np.cumsum(random.uniform(0.2, 12.0, 6))]
    readings = readings_of(motion(45.0, blows))
    before = windows_of(readings[:stop])
    if not before:
        return
    again = [one for one in readings if one.end > before[-1].start - 1.0]
    assert alike([*before, *windows_of(again, last_end=before[-1].end)], windows_of(readings))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_nothing_after_the_end_is_looked_at(seed: int) -> None:
    random = np.random.default_rng(seed)
    mg = motion(20.0, [(float(random.uniform(3, 16)), 3000.0)])
    for window in windows_of(readings_of(mg)):
        time = START + np.arange(len(mg)) / RATE
        changed = np.where((time > window.end + 1e-4)[:, np.newaxis], random.normal(0, 5000, mg.shape), mg)
        same = [one for one in windows_of(readings_of(changed)) if one.end <= window.end + 1e-4]
        assert np.array_equal(same[-1].values, window.values)


def test_a_long_silence_is_told_as_a_window_without_samples() -> None:
    mg = motion(10.0)
    found = windows_of([*readings_of(mg), *readings_of(mg, start=START + 100.0)])
    silent = [window for window in found if not len(window.values)]
    assert [(window.end - START, window.coverage) for window in silent] == [(100.0, 0.0)]


def test_a_sensor_that_shows_what_cannot_be_is_told_of_too() -> None:
    mg = motion(60.0)
    bad = [
        Reading(
            one.person, one.device, one.channel, one.unit, one.start, one.received_at, one.values,
            Quality.OUT_OF_RANGE, one.interval_s,
        )
        for one in readings_of(mg, start=START + 10.0)
    ]  # fmt: skip
    found = windows_of([*readings_of(motion(10.0)), *bad])
    assert [window.coverage for window in found if window.end > START + 12.0] == [0.0] * 5


def test_a_short_gap_lowers_the_coverage_and_a_slow_sensor_leaves_none() -> None:
    mg = motion(12.0, [(6.0, 3000.0)])
    first, second = readings_of(mg[:200], size=200), readings_of(mg[230:], size=400, start=START + 4.6)
    found = windows_of([*first, *second])
    assert found[-1].coverage == pytest.approx((SECONDS - 0.6) / SECONDS, abs=0.02)
    slow = [
        Reading("ann", "watch", Channel.ACCELERATION, "mg", START, START, tuple(mg[::5].ravel().tolist()),
                interval_s=5.0 / RATE)
    ]  # fmt: skip
    assert {window.coverage for window in windows_of(slow)} == {0.0}


def test_a_clock_that_is_set_back_begins_anew() -> None:
    mg = motion(10.0)
    found = windows_of([*readings_of(mg), *readings_of(mg, start=START - 3600.0)])
    assert [window.end - START for window in found] == pytest.approx([6.0, -3594.0], abs=0.1)


@pytest.mark.parametrize("mg", [np.array([2000.0, 0.0, 0.0]), np.array([0.0, -4000.0, 0.0])])
def test_a_sensor_that_is_stuck_as_in_one_long_blow_is_told_and_not_silent(mg: NDArray[np.float64]) -> None:
    found = windows_of(readings_of(np.tile(mg, (120 * RATE, 1))))
    assert len(found) >= 120.0 / (STEP / RATE_HZ + SECONDS) - 1.0
    assert all("stuck" in (shortage(one, length=LENGTH, minimum_coverage=0.5) or "") for one in found)


def test_rising_out_of_scale_is_told_and_not_silent() -> None:
    rising = np.zeros((120 * RATE, 3))
    rising[:, 2] = np.linspace(1600.0, 6000.0, len(rising))
    assert len(windows_of(readings_of(rising))) >= 3


def test_a_fall_at_the_end_of_a_run_is_looked_at_though_the_steps_before_it_were_harder() -> None:
    steps = [(5.0, 4000.0), (6.1, 3500.0), (7.0, 3000.0)]
    found = windows_of(readings_of(motion(15.0, steps)))
    middles = [window.start + SECONDS / 2 - START for window in found if np.linalg.norm(window.values[75]) >= BLOW_MG]
    assert middles == pytest.approx([5.0, 7.0], abs=0.1)


def test_a_blow_just_before_the_end_of_a_recording_is_told_with_what_is_known() -> None:
    builder = ImpactWindows("ann", Risk.FALL, length=LENGTH, step=STEP)
    told = [window for one in readings_of(motion(12.0, [(10.0, 3000.0)])) for window in builder.push(one)]
    last = builder.finish()
    assert [window.end - START for window in told] == pytest.approx([6.0], abs=0.05)
    assert [window.end - START for window in last] == pytest.approx([12.0], abs=0.05)
    assert int(np.linalg.norm(last[0].values, axis=1).argmax()) == LENGTH // 2
    assert last[0].coverage == pytest.approx(5.0 / SECONDS, abs=0.01)
    assert last[0].marks[-RATE_HZ + 1 :].all()
    assert not last[0].marks[: LENGTH - RATE_HZ - 1].any()


def test_of_a_blow_at_the_very_end_too_little_is_known() -> None:
    builder = ImpactWindows("ann", Risk.FALL, length=LENGTH, step=STEP)
    assert len([window for one in readings_of(motion(12.0, [(11.5, 3000.0)])) for window in builder.push(one)]) == 1
    assert builder.finish() == []


def test_a_recording_that_ends_while_somebody_runs_ends_without_a_window_of_half_a_step() -> None:
    builder = ImpactWindows("ann", Risk.FALL, length=LENGTH, step=STEP)
    running = readings_of(motion(12.0, [(6.0, 2000.0), (8.0, 2500.0), (10.0, 3000.0), (11.8, 2000.0)]))
    assert [window for one in running for window in builder.push(one)]
    assert builder.finish() == []


def test_a_sensor_that_a_blow_silences_is_told_of_when_it_comes_back() -> None:
    mg = motion(12.0, [(10.0, 3000.0)])
    found = windows_of([*readings_of(mg), *readings_of(motion(2.0), start=START + 60.0)])
    assert [window.end - START for window in found] == pytest.approx([6.0, 12.0, 60.0], abs=0.05)
    assert [window.coverage > 0.0 for window in found] == [True, True, False]


def test_numbers_that_are_none_are_not_taken_for_samples() -> None:
    mg = motion(12.0, [(8.0, 3000.0)])
    mg[200:300, 1] = np.nan  # 4 to 6 s
    found = windows_of(readings_of(mg))
    assert all(np.isfinite(window.values).all() for window in found)
    assert found[-1].coverage == pytest.approx(5.0 / SECONDS, abs=0.02)
    mg[:] = np.nan
    assert {window.coverage for window in windows_of(readings_of(mg))} == {0.0}


@pytest.mark.parametrize("seconds", [1.5, 5.0, 9.5])
def test_a_clock_that_is_set_back_by_seconds_loses_no_fall(seconds: float) -> None:
    later = readings_of(motion(10.0, [(1.0, 3000.0)]), start=START + 20.0 - seconds)
    found = windows_of([*readings_of(motion(20.0)), *later])
    fallen = [one for one in found if len(one.values) and np.linalg.norm(one.values[LENGTH // 2]) >= BLOW_MG]
    assert [one.end - START for one in fallen] == pytest.approx([24.0 - seconds], abs=0.1)


def test_a_packet_that_comes_twice_changes_nothing() -> None:
    readings = readings_of(motion(15.0, [(8.0, 3000.0)]))
    assert alike(windows_of([*readings[:8], readings[7], *readings[8:]]), windows_of(readings))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([12.5, 20.0, 25.0, 31.25, 62.5, 100.0]))
def test_after_a_restart_no_window_comes_a_step_too_early(seed: int, rate: float) -> None:
    random = np.random.default_rng(seed)
    begin, count = START + random.random(), int(70.0 * rate)
    times = begin + np.arange(count) / rate
    mg = np.tile([0.0, 0.0, 1000.0], (count, 1)) + random.normal(0.0, 60.0, (count, 3))
    mg[random.integers(0, count, 4)] *= 4.0
    whole = ImpactWindows("ann", Risk.FALL, length=LENGTH, step=STEP).push_samples(times, mg)
    for before in whole[:-1]:
        again = ImpactWindows("ann", Risk.FALL, length=LENGTH, step=STEP, last_end=round(before.end, 6))
        kept = times >= before.start - 0.1
        follow = again.push_samples(times[kept], mg[kept])
        assert [one.start for one in follow] == [one.start for one in whole if one.end > before.end]
