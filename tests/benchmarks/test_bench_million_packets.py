"""A million random packets through all decoders: nothing crashes, no value is out of its range without a mark."""

from __future__ import annotations

import logging
import time

import pytest
import structlog
from pytest_benchmark.fixture import BenchmarkFixture

from tests.edge.wearables.flood import flood

PACKETS = 1_000_000


@pytest.mark.timeout(1800)
def test_bench_million_packets(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    begun = time.process_time()
    # pytest-benchmark left its methods untyped.
    found = benchmark.pedantic(lambda: flood(PACKETS, seed=7), rounds=1)  # type: ignore[no-untyped-call]
    cpu = time.process_time() - begun
    assert sum(found.readings.values()) > PACKETS / 10
    with capsys.disabled():
        print(  # noqa: T201  the figures are what it is for
            f"\n{PACKETS} random packets: {found.understood} understood, {sum(found.readings.values())} readings of "
            f"{len(found.readings)} channels, all in range or marked; {cpu:.0f} s of CPU time"
        )
