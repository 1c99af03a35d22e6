"""The design's bar for a decision: window, features, invoke and policy cost at most 1.3 times the bare invoke."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.pipeline import watch_risk
from edge.readings import Channel, Reading, Risk
from edge.risks.catalogue import load_models

ROUNDS = 30


def per_decision(work: Callable[[], object], decisions: int) -> float:
    """Seconds a decision, the median of several rounds."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) / decisions)
    return statistics.median(times)


@pytest.mark.parametrize("spread", [0.02, 0.2], ids=["sinus rhythm", "fibrillation"])
def test_bench_decision(benchmark: BenchmarkFixture, spread: float, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_models()[Risk.ATRIAL_FIBRILLATION]
    rr_ms = np.random.default_rng(1).normal(800.0, 800.0 * spread, 1500).clip(300.0, 2000.0).round()
    starts = 1_800_000_000.0 + np.concatenate(([0.0], np.cumsum(rr_ms)[:-1] / 1000.0))
    # As a strap sends them: an interval or two in each packet.
    readings = [
        Reading("ann", "strap", Channel.RR_INTERVAL, "ms", float(start), float(start), (float(interval),))
        for start, interval in zip(starts, rr_ms, strict=True)
    ]

    def decide() -> int:
        watch = watch_risk("ann", model)
        assessments = [model.assess(window) for reading in readings for window in watch.windows.push(reading)]
        for assessment in assessments:
            watch.episodes.weigh(assessment)
        return len(assessments)

    decisions = decide()
    invoke = model.network._interpreter.invoke
    bare = per_decision(lambda: [invoke() for _ in range(decisions)], decisions)
    ours = per_decision(decide, decisions)
    benchmark(decide)
    with capsys.disabled():
        print(  # noqa: T201  the ratio is what the benchmark is for
            f"\ndecision cost ({spread:.0%} spread): {ours * 1e6:.0f} us, bare invoke {bare * 1e6:.0f} us, "
            f"ratio {ours / bare:.2f} (bar 1.30)"
        )
    benchmark.extra_info["ratio"] = ours / bare
