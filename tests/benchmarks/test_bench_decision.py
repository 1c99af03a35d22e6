"""The design's bar for a decision: window, features, invoke and policy cost at most 1.3 times the bare invoke."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.readings import Channel, Reading, Risk, Source
from edge.risks.catalogue import load_models
from edge.signals import acceleration, glucose
from edge.watches.risk import watch_risk

ROUNDS = 30
START = 1_800_000_000.0
SOURCE = Source("ann", "wearable")


def per_decision(work: Callable[[], object], decisions: int) -> float:
    """Seconds a decision, the median of several rounds."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) / decisions)
    return statistics.median(times)


def rr_packets(spread: float) -> list[Reading]:
    """Half an hour of RR intervals as a strap sends them: an interval or two in each packet."""
    rr_ms = np.random.default_rng(1).normal(800.0, 800.0 * spread, 2700).clip(300.0, 2000.0).round()
    starts = START + np.concatenate(([0.0], np.cumsum(rr_ms)[:-1] / 1000.0))
    return [
        Reading("ann", "strap", Channel.RR_INTERVAL, "ms", float(start), float(start), (float(interval),))
        for start, interval in zip(starts, rr_ms, strict=True)
    ]


def glucose_days() -> list[Reading]:
    """Two days of a glucose sensor."""
    mg_dl = 130.0 + 60.0 * np.sin(np.arange(576) / 20.0) + np.random.default_rng(2).normal(0.0, 2.0, 576)
    return list(glucose.readings_of(SOURCE, START + 300.0 * np.arange(576, dtype=np.float64), mg_dl.round()))


def ten_minutes_of_walking() -> list[Reading]:
    """An accelerometer at 50 Hz, with a blow now and then."""
    chance, samples = np.random.default_rng(3), 30_000
    moment = np.arange(samples)[:, np.newaxis] / 50.0
    mg = (
        np.array([0.0, 0.0, 1000.0])
        + 300.0 * np.sin(12.0 * moment + np.arange(3.0))
        + chance.normal(0, 60, (samples, 3))
    )
    mg[::400] *= 3.0
    return list(acceleration.readings_of(SOURCE, START + moment[:, 0], mg))


STREAMS: dict[str, tuple[Risk, Callable[[], list[Reading]]]] = {
    "sinus rhythm": (Risk.ATRIAL_FIBRILLATION, lambda: rr_packets(0.02)),
    "fibrillation": (Risk.ATRIAL_FIBRILLATION, lambda: rr_packets(0.2)),
    "half an hour of sleep": (Risk.SLEEP_APNOEA, lambda: rr_packets(0.04)),
    "glucose": (Risk.HYPOGLYCAEMIA, glucose_days),
    "walking": (Risk.FALL, ten_minutes_of_walking),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_bench_decision(benchmark: BenchmarkFixture, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    risk, make = STREAMS[stream]
    model, readings = load_models()[risk], make()

    def decide() -> int:
        watch = watch_risk("ann", model)
        assessments = [model.assess(window) for reading in readings for window in watch.windows.push(reading)]
        for assessment in assessments:
            watch.episodes.weigh(assessment)
        assert all(earlier.end <= later.end for earlier, later in pairwise(assessments))
        return sum(assessment.score is not None for assessment in assessments)

    decisions = decide()
    assert decisions
    invoke = model.network._interpreter.invoke
    bare = per_decision(lambda: [invoke() for _ in range(decisions)], decisions)
    ours = per_decision(decide, decisions)
    benchmark(decide)
    with capsys.disabled():
        print(  # noqa: T201  the ratio is what the benchmark is for
            f"\ndecision cost, {risk.value} ({stream}): {ours * 1e6:.0f} us, bare invoke {bare * 1e6:.0f} us, "
            f"ratio {ours / bare:.2f} (bar 1.30)"
        )
    benchmark.extra_info["ratio"] = ours / bare
