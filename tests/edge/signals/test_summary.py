"""A minute in a few numbers, and nothing invented where nothing is known."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import Channel, Quality
from edge.signals.summary import Summary, summarise


def summed(
    channel: Channel, values: list[float], quality: list[int] | None = None, marks: list[bool] | None = None
) -> Summary | None:
    return summarise(
        channel,
        np.array(values, np.float64),
        np.array([0] * len(values) if quality is None else quality, np.uint8),
        None if marks is None else np.array(marks, np.bool_),
    )


def test_a_minute_of_rr_intervals_is_told_in_numbers() -> None:
    values = [800.0, 900.0, 1000.0, 1100.0, 1200.0]
    summary = summed(Channel.RR_INTERVAL, values)
    assert summary is not None
    assert (summary.n, summary.minimum, summary.maximum, summary.p50) == (5, 800.0, 1200.0, 1000.0)
    assert summary.mean == pytest.approx(1000.0)
    assert summary.sd == pytest.approx(statistics.stdev(values))
    assert summary.p5 == pytest.approx(820.0)
    assert summary.p95 == pytest.approx(1180.0)
    assert summary.coverage == pytest.approx(5.0 / 60.0)
    assert summary.artefacts is None


def test_pain_09_no_samples_are_no_summary() -> None:
    assert summed(Channel.RR_INTERVAL, []) is None


@pytest.mark.parametrize("bad", [Quality.NO_CONTACT, Quality.OUT_OF_RANGE])
def test_pain_09_samples_that_cannot_be_trusted_count_for_nothing(bad: Quality) -> None:
    summary = summed(Channel.HEART_RATE, [60.0, 300.0], [Quality.GOOD, bad])
    assert summary is not None
    assert (summary.n, summary.mean, summary.maximum) == (1, 60.0, 60.0)
    assert summary.sd is None
    nothing = summed(Channel.HEART_RATE, [300.0], [bad])
    assert nothing == Summary(n=0, coverage=0.0, artefacts=None)


@pytest.mark.parametrize("known", [Quality.CONTACT_UNKNOWN, Quality.GAP_BEFORE])
def test_samples_of_a_strap_without_contact_bits_or_after_a_gap_are_good(known: Quality) -> None:
    summary = summed(Channel.HEART_RATE, [60.0] * 30, [known] * 30)
    assert summary is not None
    assert (summary.n, summary.coverage) == (30, 0.5)


def test_artefacts_are_counted_and_left_out() -> None:
    summary = summed(Channel.RR_INTERVAL, [800.0, 1600.0, 800.0], marks=[False, True, False])
    assert summary is not None
    assert (summary.n, summary.artefacts, summary.maximum) == (2, 1, 800.0)
    assert summary.coverage == pytest.approx(1.6 / 60.0)


def test_a_battery_has_no_pace_to_keep() -> None:
    summary = summed(Channel.BATTERY, [80.0])
    assert summary is not None
    assert summary.coverage is None


@given(st.lists(st.floats(200.0, 3000.0), min_size=1, max_size=400))
def test_the_numbers_keep_their_order(values: list[float]) -> None:
    summary = summed(Channel.RR_INTERVAL, values)
    assert summary is not None
    assert summary.minimum is not None
    assert summary.p5 is not None
    assert summary.p50 is not None
    assert summary.p95 is not None
    assert summary.maximum is not None
    assert summary.minimum <= summary.p5 <= summary.p50 <= summary.p95 <= summary.maximum
    assert summary.coverage is not None
    assert 0.0 <= summary.coverage <= 1.0


def raw(channel: Channel, times: list[float], values: list[list[float]] | list[float], bad: int = 0) -> Summary:
    quality = [int(Quality.NO_CONTACT)] * bad + [0] * (len(times) - bad)
    summary = summarise(channel, np.array(values), np.array(quality, np.uint8), None, np.array(times))
    assert summary is not None
    return summary


def test_of_acceleration_it_is_told_how_much_somebody_moves_however_the_sensor_is_turned() -> None:
    times = [n / 50.0 for n in range(1500)]
    still = [[0.0, 0.0, 1000.0]] * 1500
    shaken = [[0.0, 0.0, 1000.0 + (400.0 if n % 2 else -200.0)] for n in range(1500)]
    turned = [[y, z, 0.0] for _, y, z in shaken]
    assert (raw(Channel.ACCELERATION, times, still).mean, raw(Channel.ACCELERATION, times, still).sd) == (0.0, 0.0)
    summary = raw(Channel.ACCELERATION, times, shaken)
    assert (summary.n, summary.mean, summary.maximum) == (1500, 200.0, 400.0)
    assert summary.sd == pytest.approx(300.0, rel=1e-3)
    assert summary.coverage == pytest.approx(0.5, abs=1e-3)
    assert summary == raw(Channel.ACCELERATION, times, turned)
    assert (summary.minimum, summary.p5, summary.p50, summary.p95) == (None, None, None, None)


def test_pain_09_a_gap_in_a_raw_channel_is_not_covered() -> None:
    times = [n / 130.0 for n in range(7800) if not 2000 <= n < 5900]
    summary = raw(Channel.ECG, times, [1.0] * len(times))
    assert summary.coverage == pytest.approx(0.5, abs=1e-3)
    assert raw(Channel.ECG, times, [1.0] * len(times), bad=2000).coverage == pytest.approx(0.25, abs=2e-2)


@pytest.mark.parametrize("channel", [Channel.ECG, Channel.PPG])
def test_of_waves_nothing_leaves_the_house_but_how_much_there_is(channel: Channel) -> None:
    summary = raw(channel, [0.0, 0.01, 0.02], [1.0, 2.0, 3.0])
    assert summary == Summary(n=3, coverage=0.02 / 60.0, artefacts=None)
