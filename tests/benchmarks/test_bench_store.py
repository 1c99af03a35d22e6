"""The design's bars for the store, all in: at most 1.0 byte per RR or HR sample and 1.2 per sample of an axis of
acceleration, and 500,000 samples a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from cloud_sync.messages import Home, minute_summaries
from edge.readings import CHANNELS, Channel, Quality, Reading
from edge.store.store import Batch, Store
from edge.virtual.recording import read_rr

BYTES_BAR = 1.0
RAW_BYTES_BAR = 1.2
SAMPLES_BAR = 500_000.0
PEOPLE = 4
GROUP_S = 10.0
START = 1_780_000_000.0


def rr_readings(person: str, rr_ms: NDArray[np.float64]) -> list[Reading]:
    """One Reading a beat, as a strap sends them, in whole 1/1024 s."""
    ticks = np.rint(rr_ms * 1.024)
    begins = START + np.concatenate(([0.0], np.cumsum(ticks[:-1]))) / 1024.0
    return [
        Reading(person, "strap", Channel.RR_INTERVAL, "ms", begin, begin + 1.0, (tick * 1000.0 / 1024.0,))
        for begin, tick in zip(begins.tolist(), ticks.tolist(), strict=True)
    ]


def hr_readings(person: str, rr_ms: NDArray[np.float64], chance: np.random.Generator) -> list[Reading]:
    """One Reading a second, stamped on arrival, with the rounded rate of the beats before."""
    beats = np.cumsum(rr_ms) / 1000.0
    seconds = np.arange(5.0, beats[-1])
    newest = np.searchsorted(beats, seconds)
    rates = np.rint(60.0 * 4.0 / (beats[newest] - beats[newest - 4]))
    arrivals = START + seconds + chance.uniform(0.0, 0.1, seconds.size)
    return [
        Reading(person, "strap", Channel.HEART_RATE, "bpm", arrival, arrival, (rate,), Quality.GOOD)
        for arrival, rate in zip(arrivals.tolist(), rates.tolist(), strict=True)
    ]


def grouped(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    """Group commits of 10 s."""
    group: list[Reading] = []
    for reading in sorted(readings, key=lambda reading: reading.start):
        if group and reading.start >= group[0].start + GROUP_S:
            yield group
            group = []
        group.append(reading)
    yield group


def stored_bytes(path: Path, people: Sequence[Sequence[Reading]]) -> float:
    """Bytes of the file for each sample, all in: tables, indexes and pages that are not full.

    As in the daemon, minutes are told while the samples come, and the broker takes what tells them.
    """
    with Store(path) as store:
        for readings in people:
            for number, group in enumerate(grouped(readings)):
                store.commit(Batch(readings=group))
                if number % 60 == 0:
                    tell_minutes(store, group[0].start)
            tell_minutes(store, float("inf"))
        store.maintain()
    return path.stat().st_size / count(people)


def count(people: Sequence[Sequence[Reading]]) -> int:
    """Samples, of each axis."""
    return sum(len(reading.values) for readings in people for reading in readings)


def tell_minutes(store: Store, before: float) -> None:
    """Put the summaries of the minutes before into the outbox, and take them out again."""
    while dirty := store.minutes.dirty_minutes(before):
        home = Home("home", store.pseudonyms)
        told = [minute_summaries(home, [(minute, {})]) for minute in dirty]
        store.minutes.commit_summaries(dirty, told)
        store.outbox.delete_messages([message.id for message in told])


@pytest.fixture(scope="module")
def people(recordings: Path) -> list[NDArray[np.float64]]:
    """RR intervals of a day of some people, in ms."""
    records = sorted((recordings / "nsr2db").glob("*.hea"))[:PEOPLE]
    return [read_rr(record).rr_ms for record in records]


def show(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(f"\n{line}")  # noqa: T201 -- the ratio is what the benchmark is for


@pytest.mark.parametrize("what", ["RR intervals", "heart rate", "both"])
def test_bench_bytes(
    benchmark: BenchmarkFixture,
    people: list[NDArray[np.float64]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    chance = np.random.default_rng(1)
    stored = []
    for number, rr_ms in enumerate(people):
        rr = rr_readings(f"p{number}", rr_ms) if what != "heart rate" else []
        stored.append(rr + (hr_readings(f"p{number}", rr_ms, chance) if what != "RR intervals" else []))
    per_sample = benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
        stored_bytes, args=(tmp_path / "hearthbeat.db", stored), rounds=1
    )
    benchmark.extra_info["ratio"] = per_sample / BYTES_BAR
    ratio = per_sample / BYTES_BAR
    show(capsys, f"store, {what}: {per_sample:.3f} bytes a sample over {count(stored):,}, ratio {ratio:.2f} (bar 1.00)")


def frames(channel: Channel, values: NDArray[np.float64], hertz: float, size: int) -> list[Reading]:
    """Readings of so many samples each, as a Polar strap sends them: its clock is not quite ours, and steadied."""
    chance = np.random.default_rng(1)
    starts = START + np.arange(0, len(values), size) / hertz * (1.0 + 2e-5)
    starts += np.cumsum(chance.normal(0.0, 1e-4, starts.size))
    return [
        Reading(
            "anna",
            "strap",
            channel,
            CHANNELS[channel].unit,
            start,
            start + 1.0,
            tuple(values[size * number : size * (number + 1)].ravel().tolist()),
            interval_s=1.0 / hertz,
        )
        for number, start in enumerate(starts.tolist())
    ]


def acceleration(recordings: Path) -> list[Reading]:
    """Five hours of people who walk, sit, jump, climb and fall, one trial after the other."""
    mg = np.load(recordings / "prepared" / "sisfall_acc50.npz")["acc_mg"][:900_000]
    return frames(Channel.ACCELERATION, mg.astype(np.float64), 50.0, 36)


def ecg(recordings: Path) -> list[Reading]:
    """Half an hour of MIT-BIH record 100, in format 212 (https://wfdb.io/spec/wfdb-signals.html), at 130 Hz."""
    octets = np.fromfile(recordings / "mitdb" / "100.dat", np.uint8).reshape(-1, 3).astype(np.int64)
    adu = octets[:, 0] | (octets[:, 1] & 0x0F) << 8
    adu = np.where(adu > 2047, adu - 4096, adu)
    seconds = np.arange(len(adu)) / 360.0
    # 200 units are a mV; between them lies the noise of any amplifier.
    uv = np.interp(np.arange(0.0, seconds[-1], 1.0 / 130.0), seconds, adu * 5.0)
    noise = np.random.default_rng(1).normal(0.0, 3.0, uv.size)
    return frames(Channel.ECG, np.rint(uv + noise), 130.0, 73)


@pytest.mark.parametrize("made", [acceleration, ecg])
def test_bench_bytes_of_raw_channels(
    benchmark: BenchmarkFixture,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    made: Callable[[Path], list[Reading]],
) -> None:
    stored = [made(recordings)]
    per_sample = benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
        stored_bytes, args=(tmp_path / "hearthbeat.db", stored), rounds=1
    )
    ratio = per_sample / RAW_BYTES_BAR
    benchmark.extra_info["ratio"] = ratio
    line = f"{per_sample:.3f} bytes a sample of an axis over {count(stored):,}, ratio {ratio:.2f} (bar 1.00)"
    show(capsys, f"store, {made.__name__}: {line}")


@pytest.mark.parametrize("made", [acceleration, ecg])
def test_bench_ingest_of_raw_channels(
    benchmark: BenchmarkFixture,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    made: Callable[[Path], list[Reading]],
) -> None:
    readings = [reading for reading in made(recordings) if reading.start < START + 3600.0]
    samples = count([readings]) // CHANNELS[readings[0].channel].axes
    rates: list[float] = []

    def once() -> None:
        with Store(tmp_path / f"{len(rates)}.db") as store:
            began = time.perf_counter()
            store.commit(Batch(readings=readings))
            rates.append(samples / (time.perf_counter() - began))

    benchmark.pedantic(once, rounds=5)  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
    rate = float(np.median(rates))
    ratio = rate / SAMPLES_BAR
    benchmark.extra_info["ratio"] = ratio
    hours = (readings[-1].start - START) / 3600.0
    line = f"{rate:,.0f} samples a second with all axes, ratio {ratio:.2f} to {SAMPLES_BAR:,.0f}"
    show(capsys, f"store, {hours:.1f} h of {made.__name__} a commit: {line}")


@pytest.mark.parametrize(
    ("what", "straps", "seconds"),
    [("an hour of a strap", 1, 3600.0), ("10 s of 20 straps", 20, 10.0), ("10 s of one strap", 1, 10.0)],
)
def test_bench_ingest_of_the_store(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    straps: int,
    seconds: float,
) -> None:
    chance = np.random.default_rng(1)
    rr_ms = chance.normal(850.0, 40.0, 40_000)
    readings = rr_readings("anna", rr_ms) + hr_readings("anna", rr_ms, chance)
    readings.sort(key=lambda reading: reading.start)
    hours = int(4 * 3600.0 / seconds / straps) * straps
    batches = [
        [
            Reading(f"p{strap}", r.device, r.channel, r.unit, r.start, r.received_at, r.values)
            for strap in range(straps)
            for r in readings
            if begin <= r.start < begin + seconds
        ]
        for begin in START + seconds * np.arange(min(hours, 40))
    ]
    samples = sum(len(batch) for batch in batches)

    def ingest(path: Path) -> float:
        with Store(path) as store:
            began = time.perf_counter()
            for batch in batches:
                store.commit(Batch(readings=batch))
            return samples / (time.perf_counter() - began)

    rounds = iter(range(100))
    rates = []

    def once() -> None:
        rates.append(ingest(tmp_path / f"{next(rounds)}.db"))

    benchmark.pedantic(once, rounds=5)  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
    rate = float(np.median(rates))
    ratio = rate / SAMPLES_BAR
    benchmark.extra_info["ratio"] = ratio
    show(capsys, f"store, {what} a commit: {rate:,.0f} samples a second, ratio {ratio:.2f} to {SAMPLES_BAR:,.0f}")
