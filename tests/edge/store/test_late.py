"""Records that come late, out of order or again land in the past where they belong, once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.readings import CHANNELS, RAW_CHANNELS, Channel, Reading
from edge.store.repeats import SAME_S
from edge.store.signals import _FREQUENT, _SPAN_S, BLOCK_SIZE, RAW_BLOCK, Series
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, TICK_MS, rr

DAY_S = 86_400.0
NOW = START + 3.0 * DAY_S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def everything(store: Store, channel: Channel) -> Series:
    return store.signals.series("anna", channel, 0.0, float("inf"))


def late(channel: Channel, start: float, *values: float, pace: float | None = None) -> Reading:
    """A record of some time ago that arrives now."""
    return Reading("anna", "AA", channel, CHANNELS[channel].unit, start, NOW, values, interval_s=pace)


def glucose(minute: int, received_at: float | None = None) -> Reading:
    """A sensor's record of so many minutes after START; the values tell the minute."""
    at = START + 60.0 * minute
    value = 100.0 + minute % 100
    return Reading(
        "anna", "AA", Channel.GLUCOSE, "mg/dL", at, at + 2.0 if received_at is None else received_at, (value,)
    )


@st.composite
def records(draw: st.DrawFn) -> list[Reading]:
    """Late Readings of one channel: beats, values, or ten steps of all axes; some of them twice."""
    channel = draw(st.sampled_from(Channel))
    axes = CHANNELS[channel].axes
    readings = []
    for minute in draw(st.lists(st.integers(0, 3000), max_size=12)):
        start = START + 60.0 * minute
        if channel in RAW_CHANNELS:
            readings.append(late(channel, start, *map(float, range(minute, minute + 10 * axes)), pace=0.02))
        elif channel is Channel.RR_INTERVAL:
            readings.append(late(channel, start, *[(800 + minute % 100 + n) * TICK_MS for n in range(4)]))
        else:
            readings.append(late(channel, start, float(minute) * CHANNELS[channel].resolution))
    return readings + draw(st.lists(st.sampled_from(readings), max_size=6)) if readings else readings


@settings(deadline=None, max_examples=30)
@given(records(), st.randoms(), st.integers(1, 5), st.integers(0, 2))
def test_records_in_any_order_and_again_are_kept_once(
    readings: list[Reading], chance: random.Random, commits: int, closings: int
) -> None:
    chance.shuffle(readings)
    once = sorted({reading.start: reading for reading in readings}.values(), key=lambda reading: reading.start)
    channel = readings[0].channel if readings else Channel.GLUCOSE
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "hearthbeat.db")
        for number, part in enumerate(np.array_split(np.arange(len(readings)), commits)):
            store.commit(Batch(readings=[readings[index] for index in part]))
            if number < closings:
                store.close()
                store = Store(Path(folder) / "hearthbeat.db")
        series = everything(store, channel)
        store.close()
    assert (np.diff(series.times) > 0).all()
    assert series.values.ravel() == pytest.approx([value for reading in once for value in reading.values])


def test_a_backfill_lands_between_what_was_there(store: Store) -> None:
    store.commit(Batch(readings=[glucose(minute) for minute in (*range(50), *range(200, 400))]))
    store.commit(Batch(readings=[glucose(minute, NOW) for minute in range(40, 210)]))
    series = everything(store, Channel.GLUCOSE)
    assert series.times.tolist() == [START + 60.0 * minute for minute in range(400)]
    assert series.values.tolist() == [100.0 + minute % 100 for minute in range(400)]


def test_a_record_whose_clock_was_read_anew_is_the_same_record(store: Store) -> None:
    store.commit(Batch(readings=[glucose(minute) for minute in range(10)]))
    again = [glucose(minute, NOW) for minute in range(10)]
    off = SAME_S[Channel.GLUCOSE] - 1.0
    store.commit(Batch(readings=[replace(one, start=one.start + off) for one in again]))
    assert everything(store, Channel.GLUCOSE).times.size == 10


def test_equal_values_that_come_at_once_are_as_many_as_were_measured(store: Store) -> None:
    """A thermometer that tells every second, and stamps by its own clock."""
    warm = [Reading("anna", "AA", Channel.TEMPERATURE, "°C", START + n, START + n + 0.4, (36.6,)) for n in range(20)]
    store.commit(Batch(readings=warm))
    store.commit(Batch(readings=warm[-1:]))
    assert everything(store, Channel.TEMPERATURE).times.size == 20
    again = [replace(one, start=one.start + 1.0, received_at=NOW) for one in warm]
    store.commit(Batch(readings=again))
    assert everything(store, Channel.TEMPERATURE).times.size == 20


def test_equal_values_of_the_moment_are_no_repeats(store: Store) -> None:
    burst = [Reading("anna", "AA", Channel.HEART_RATE, "bpm", START, START, (60.0,)) for _ in range(3)]
    store.commit(Batch(readings=burst))
    store.commit(Batch(readings=burst))
    assert everything(store, Channel.HEART_RATE).times.size == 6


def test_a_clock_that_was_set_back_loses_no_beat(store: Store) -> None:
    for _ in range(2):
        store.commit(Batch(readings=[rr(START + n, 1024) for n in range(50)]))
    assert everything(store, Channel.RR_INTERVAL).times.size == 100


def test_a_straps_memory_of_a_night_that_was_partly_received(store: Store) -> None:
    ticks = np.random.default_rng(1).integers(600, 1000, 4 * BLOCK_SIZE)
    begins = START + np.concatenate(([0], np.cumsum(ticks[:-1]))) / 1024.0
    received = [rr(float(begins[n]), int(ticks[n])) for n in range(len(ticks)) if n % 1000 < 900]
    store.commit(Batch(readings=received))
    memory = late(Channel.RR_INTERVAL, START, *(ticks * TICK_MS).tolist())
    for _ in range(2):
        store.commit(Batch(readings=[memory]))
        assert (everything(store, Channel.RR_INTERVAL).values == ticks * TICK_MS).all()


@pytest.mark.parametrize("channel", [Channel.HEART_RATE, Channel.GLUCOSE])
def test_late_records_leave_no_block_that_spans_long(store: Store, channel: Channel) -> None:
    pace = 1.0 if channel in _FREQUENT else 300.0
    for number in range(6 * BLOCK_SIZE):
        if number % 500 == 0:
            store.commit(Batch(readings=[late(channel, START - 50.0 * DAY_S - number, 60.0)]))
    now = [
        Reading("anna", "AA", channel, "", START + pace * n, START + pace * n, (61.0,)) for n in range(6 * BLOCK_SIZE)
    ]
    store.commit(Batch(readings=now))
    [(span, blocks)] = store._connection.rows("SELECT s.span, count(*) FROM series s JOIN blocks b ON b.series = s.id")
    assert blocks >= 3
    assert span / 8 <= (_SPAN_S if channel in _FREQUENT else 30 * _SPAN_S)
    early = store.signals.series("anna", channel, START - 60.0 * DAY_S, START - 40.0 * DAY_S)
    assert early.times.size == 13
    assert (np.diff(early.times) > 0).all()
    assert everything(store, channel).times.size == 13 + len(now)


def test_forgetting_a_late_record_leaves_its_neighbours(store: Store) -> None:
    day = [rr(NOW - 3600.0 + n, 1024) for n in range(3 * BLOCK_SIZE)]
    store.commit(Batch(readings=day[: 2 * BLOCK_SIZE]))
    store.commit(Batch(readings=[late(Channel.RR_INTERVAL, NOW - 100.0 * DAY_S, 900 * TICK_MS)]))
    store.commit(Batch(readings=day[2 * BLOCK_SIZE :]))
    store.forget_before(NOW - 90.0 * DAY_S)
    assert everything(store, Channel.RR_INTERVAL).values.tolist() == [1000.0] * 3 * BLOCK_SIZE


def test_raw_channels_are_forgotten_sooner(store: Store) -> None:
    for day in range(4):
        at = START + day * DAY_S
        store.commit(Batch(readings=[rr(at, 800)]))
        values = tuple(float(n % 50) for n in range(3 * 5000))
        store.commit(
            Batch(readings=[Reading("anna", "AA", Channel.ACCELERATION, "mg", at, at, values, interval_s=0.02)])
        )
    store.forget_before(START - DAY_S, START + 1.5 * DAY_S)
    assert everything(store, Channel.RR_INTERVAL).times.size == 4
    assert 2 * 5000 <= everything(store, Channel.ACCELERATION).times.size < 3 * 5000


def test_the_last_reading_of_a_channel_with_axes_has_them_all(store: Store) -> None:
    reading = Reading(
        "anna", "AA", Channel.ACCELERATION, "mg", START, START + 1, (1.0, 2.0, 3.0, 4.0, 5.0, -6.0), interval_s=0.5
    )
    store.commit(Batch(readings=[reading]))
    store.commit(Batch(readings=[late(Channel.ACCELERATION, START - 500.0, 7.0, 8.0, 9.0)]))
    last = store.signals.last_readings("anna", "AA")[Channel.ACCELERATION]
    assert (last.values, last.start) == ((4.0, 5.0, -6.0), START + 0.5)


def test_pain_24_what_waits_for_a_block_stays_small(store: Store) -> None:
    """An hour of acceleration: the tail, which each read goes through, never holds more than a block."""
    values = tuple(float(n % 90) for n in range(3 * 1500))
    for number in range(120):
        at = START + 30.0 * number
        reading = Reading("anna", "AA", Channel.ACCELERATION, "mg", at, at, values, interval_s=0.02)
        store.commit(Batch(readings=[reading]))
        [(waiting,)] = store._connection.rows("SELECT coalesce(sum(size), 0) FROM tail")
        assert waiting < RAW_BLOCK // 3
    assert everything(store, Channel.ACCELERATION).times.size == 180_000


def test_steps_of_a_raw_channel_keep_their_times(store: Store) -> None:
    pace, frames = 1.0 / 130.0, 60
    starts = START + 73 * pace * np.arange(frames) + np.random.default_rng(1).normal(0.0, 0.002, frames)
    for start in starts.tolist():
        values = tuple(float(n) for n in range(73))
        store.commit(
            Batch(readings=[Reading("anna", "AA", Channel.ECG, "µV", start, start + 1.0, values, interval_s=pace)])
        )
    series = everything(store, Channel.ECG)
    expected = (starts[:, np.newaxis] + pace * np.arange(73)).ravel()
    order = np.argsort(expected)
    assert np.abs(series.times - expected[order]).max() <= 0.0006
