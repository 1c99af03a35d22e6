"""Samples come back as they went in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.errors import StoreError
from edge.readings import CHANNELS, RAW_CHANNELS, Channel, Quality, Reading
from edge.store.blocks import Columns, codec_of, columns_of, pack, ticks_per_second, unpack
from edge.store.signals import BLOCK_SIZE, Series
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, TICK_MS, rr, sample

QUALITIES = st.sampled_from([Quality.GOOD, Quality.NO_CONTACT, Quality.CONTACT_UNKNOWN, Quality.OUT_OF_RANGE]).flatmap(
    lambda quality: st.sampled_from([quality, quality | Quality.GAP_BEFORE])
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def everything(store: Store, channel: Channel = Channel.RR_INTERVAL, person: str = "anna") -> Series:
    return store.signals.series(person, channel, 0.0, float("inf"))


@st.composite
def any_readings(draw: st.DrawFn) -> list[Reading]:
    """Readings of any channel, size, quality and order, on whole ticks, all measured when they came."""
    channel = draw(st.sampled_from(Channel))
    facts = CHANNELS[channel]
    rate = 1000 if channel in RAW_CHANNELS else ticks_per_second(channel)
    pace = None if channel is Channel.RR_INTERVAL else draw(st.sampled_from([None, 1.0, 3.0]))
    readings = []
    for _ in range(draw(st.integers(1, 12))):
        start = START + draw(st.integers(-(10**7), 10**7)) / rate
        samples = draw(st.lists(st.tuples(*[st.integers(-70_000, 70_000)] * facts.axes), max_size=12))
        values = tuple(value * facts.resolution for one in samples for value in one)
        device = draw(st.sampled_from(["AA", "BB"]))
        reading = Reading("anna", device, channel, facts.unit, start, start, values, draw(QUALITIES), pace)
        readings.append(replace(reading, received_at=max(start, reading.end)))
    return readings


# Time in units of which all ticks are whole multiples, values in steps, quality.
Sample = tuple[int, tuple[int, ...], int]
UNITS = 1024 * 1000


def told(readings: Sequence[Reading]) -> list[Sample]:
    """What readings say, sample by sample."""
    samples = []
    for reading in readings:
        facts = CHANNELS[reading.channel]
        time = reading.start
        for position in range(len(reading.values) // facts.axes):
            values = reading.values[position * facts.axes : (position + 1) * facts.axes]
            time += values[0] / 1000.0 if reading.channel is Channel.RR_INTERVAL else 0.0
            hidden = Quality.GOOD if position == 0 else Quality.GAP_BEFORE
            later = 0.0 if reading.interval_s is None else reading.interval_s * position
            steps = tuple(round(value / facts.resolution) for value in values)
            samples.append((round((time + later) * UNITS), steps, int(reading.quality & ~hidden)))
    return sorted(samples)


def found(series: Series, channel: Channel) -> list[Sample]:
    """The same of what was stored."""
    times = [round(time * UNITS) for time in series.times.tolist()]
    steps = np.rint(series.values / CHANNELS[channel].resolution).astype(int).reshape(-1, CHANNELS[channel].axes)
    return sorted(zip(times, map(tuple, steps.tolist()), series.quality.tolist(), strict=True))


@settings(deadline=None, max_examples=60)
@given(any_readings(), st.integers(1, 5))
def test_samples_survive_in_whatever_order_and_size_they_come(readings: list[Reading], commits: int) -> None:
    with TemporaryDirectory() as folder, Store(Path(folder) / "hearthbeat.db") as store:
        for part in np.array_split(np.arange(len(readings)), commits):
            store.commit(Batch(readings=[readings[index] for index in part]))
        series = everything(store, readings[0].channel)
    assert (np.diff(series.times) >= 0).all()
    assert found(series, readings[0].channel) == told(readings)


COLUMN = st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=300).map(lambda column: np.array(column, np.int64))


@settings(deadline=None)
@given(COLUMN, st.integers(0, 15), st.sampled_from(Channel), st.booleans())
def test_any_whole_numbers_can_be_packed(
    column: NDArray[np.int64],
    flag: int,
    channel: Channel,
    sealed: bool,
) -> None:
    codec = codec_of(channel, sealed=sealed)
    axes = CHANNELS[channel].axes
    values = column[::-1].copy() if axes == 1 else np.column_stack([column[::-1] + axis for axis in range(axes)])
    columns = unpack(pack(Columns(column, values, np.full(len(column), flag)), channel, codec), channel, codec)
    assert columns.times.tolist() == column.tolist()
    assert columns.values.tolist() == values.tolist()
    assert set(columns.quality.tolist()) == {flag}


def test_a_long_series_is_compressed_and_the_same(store: Store) -> None:
    ticks = np.random.default_rng(1).integers(600, 1000, 5 * BLOCK_SIZE)
    begins = START + np.concatenate(([0], np.cumsum(ticks[:-1]))) / 1024.0
    for index in np.array_split(np.arange(len(ticks)), 500):
        store.commit(Batch(readings=[rr(float(begins[i]), int(ticks[i])) for i in index]))
    series = everything(store)
    assert (series.values == ticks * TICK_MS).all()
    times = START + np.cumsum(ticks) / 1024.0
    assert np.allclose(series.times, times, atol=1e-9, rtol=0.0)
    assert (series.quality == 0).all()
    for begin, end in ((100, 110), (BLOCK_SIZE - 5, BLOCK_SIZE + 5), (4 * BLOCK_SIZE, 5 * BLOCK_SIZE - 1)):
        part = store.signals.series("anna", Channel.RR_INTERVAL, float(times[begin]), float(times[end]))
        assert (part.values == ticks[begin + 1 : end + 1] * TICK_MS).all()


def test_a_stretch_of_time_holds_its_end_and_not_its_start(store: Store) -> None:
    store.commit(Batch(readings=[sample(Channel.HEART_RATE, START + n, 60.0 + n) for n in range(10)]))
    series = store.signals.series("anna", Channel.HEART_RATE, START + 2.0, START + 5.0)
    assert series.values.tolist() == [63.0, 64.0, 65.0]


def test_nothing_is_an_empty_series(store: Store) -> None:
    series = everything(store)
    assert series.times.size == series.values.size == series.quality.size == 0


def test_pain_09_a_gap_stays_a_gap(store: Store) -> None:
    store.commit(Batch(readings=[rr(START, 800, 800), rr(START + 60.0, 900, 900, quality=Quality.GAP_BEFORE)]))
    series = everything(store)
    assert len(series.values) == 4
    assert series.times[2] - series.times[1] > 55.0
    assert series.quality.tolist() == [0, 0, Quality.GAP_BEFORE, 0]


def test_pain_25_persons_and_wearables_are_kept_apart(store: Store) -> None:
    store.commit(
        Batch(
            readings=[
                rr(START, 800, device="AA"),
                rr(START + 1.0, 810, device="BB"),
                rr(START + 0.5, 700, person="bert", device="CC"),
            ]
        )
    )
    assert everything(store).values.tolist() == [800 * TICK_MS, 810 * TICK_MS]
    assert everything(store, person="bert").values.tolist() == [700 * TICK_MS]
    assert list(store.signals.last_readings("anna", "BB")) == [Channel.RR_INTERVAL]


def test_the_last_reading_of_each_channel_is_known(store: Store) -> None:
    late = rr(START - 100.0, 500)
    newest = rr(START, 800, 850, quality=Quality.NO_CONTACT)
    battery = sample(Channel.BATTERY, START + 0.5, 80.0)
    store.commit(Batch(readings=[newest, battery]))
    store.commit(Batch(readings=[late]))
    last = store.signals.last_readings("anna", "AA")
    assert last[Channel.BATTERY].values == (80.0,)
    assert last[Channel.RR_INTERVAL].values == (850 * TICK_MS,)
    assert last[Channel.RR_INTERVAL].end == pytest.approx(newest.end, abs=1e-6)
    assert last[Channel.RR_INTERVAL].received_at == newest.received_at
    assert last[Channel.RR_INTERVAL].quality == Quality.NO_CONTACT
    assert store.signals.last_readings("anna", "unknown") == {}


def test_what_is_too_old_is_forgotten_by_whole_blocks(store: Store) -> None:
    day = 24 * 3600.0
    for days in range(3):
        for hour in range(24):
            begin = START + days * day + hour * 3600.0
            store.commit(Batch(readings=[rr(begin + n, 1024) for n in range(3600)]))
    store.forget_before(START + day)
    series = everything(store)
    assert START + 0.9 * day < series.times[0] <= START + day + 1.0
    assert series.times[-1] == START + 3 * day


def test_a_wearable_that_went_away_is_forgotten_too(store: Store) -> None:
    store.commit(Batch(readings=[rr(START, 800)]))
    store.forget_before(START + 60.0)
    assert everything(store).times.size == 0
    store.commit(Batch(readings=[rr(START + 100.0 + n, 1024) for n in range(2 * BLOCK_SIZE)]))
    assert everything(store).times.size == 2 * BLOCK_SIZE


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_value_that_is_no_number_is_refused_and_harms_nothing(store: Store, value: float) -> None:
    store.commit(Batch(readings=[rr(START, 800)]))
    broken = Reading("anna", "AA", Channel.HEART_RATE, "bpm", START, START, (value,))
    with pytest.raises(StoreError, match=r"readings of heart_rate from AA: .* report this fault"):
        store.commit(Batch(readings=[rr(START + 1.0, 800), broken]))
    assert everything(store).times.size == 1


def test_a_damaged_block_is_told(store: Store) -> None:
    ticks = np.random.default_rng(1).integers(600, 1000, 3 * BLOCK_SIZE)
    store.commit(Batch(readings=[rr(START + n, int(tick)) for n, tick in enumerate(ticks)]))
    store._connection.execute("UPDATE blocks SET samples = substr(samples, 1, 300)")
    with pytest.raises(StoreError, match=r"a block of [0-9]+ samples is damaged"):
        everything(store)


def test_columns_of_a_reading_are_whole_steps() -> None:
    columns = columns_of([rr(START, 800, 810), rr(START + 3.0, 790)])
    assert columns.values.tolist() == [800, 810, 790]
    assert (columns.times - int(START) * 1024).tolist() == [800, 1610, 3 * 1024 + 790]


def test_pain_25_the_beats_of_strap_and_watch_can_be_told_apart(store: Store) -> None:
    numbers = range(2 * BLOCK_SIZE)
    for device, ticks in (("AA", 1024), ("BB", 1000)):
        store.commit(Batch(readings=[rr(START + number, ticks, device=device) for number in numbers[:-10]]))
        store.commit(Batch(readings=[rr(START + number, ticks, device=device) for number in numbers[-10:]]))
    assert store.signals.devices("anna", Channel.RR_INTERVAL, START) == ["AA", "BB"]
    assert store.signals.devices("anna", Channel.RR_INTERVAL, START + 3 * BLOCK_SIZE) == []
    for device, ticks in (("AA", 1024), ("BB", 1000)):
        series = store.signals.series("anna", Channel.RR_INTERVAL, START, START + 1e6, device)
        assert len(series.times) == 2 * BLOCK_SIZE
        assert set(series.values.tolist()) == {ticks * TICK_MS}
