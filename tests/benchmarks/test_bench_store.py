"""The design's bars for the store: at most 1.0 byte per RR or HR sample, all in, and 500,000 samples a second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from cloud_sync.messages import minute_summary
from edge.readings import Channel, Quality, Reading
from edge.store.store import Batch, Store
from edge.virtual.recording import read_rr

BYTES_BAR = 1.0
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
    return path.stat().st_size / sum(len(readings) for readings in people)


def tell_minutes(store: Store, before: float) -> None:
    """Put the summaries of the minutes before into the outbox, and take them out again."""
    while dirty := store.minutes.dirty_minutes(before):
        told = [(minute, minute_summary("home", minute, {})) for minute in dirty]
        store.minutes.commit_summaries(told)
        store.outbox.delete_messages([message.id for _, message in told])


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
    count, ratio = sum(len(readings) for readings in stored), per_sample / BYTES_BAR
    show(capsys, f"store, {what}: {per_sample:.3f} bytes a sample over {count:,}, ratio {ratio:.2f} (bar 1.00)")


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
