"""The design's bar for the sync: a backlog drains at 80 % or more of a bare paho QoS 1 loop with the same window."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from cloud_sync.broker import Broker
from cloud_sync.publisher import WINDOW, Publisher
from edge.notices import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.benchmarks.paho_loop import bare, bare_without_threads, mosquitto
from tests.fakes.broker import Mosquitto

__all__ = ["mosquitto"]

MESSAGES = 5000
ROUNDS = 5
BAR = 0.8
TOPIC = "hearthbeat/v1/home/anna/summary/minute"
PAYLOAD = bytes(400)  # a minute of two channels


def ours(broker: Mosquitto, path: Path) -> float:
    """Messages a second of the publisher, from the outbox on disk, connecting included."""
    with Store(path) as store:
        rows = [OutboxMessage(str(uuid4()), TOPIC, PAYLOAD, Priority.SUMMARY, float(n)) for n in range(MESSAGES)]
        store.commit(Batch(messages=rows))
        publisher = Publisher(Broker(broker.host, broker.port, tls=False), path, "home")
        moment = threading.Event()
        began = time.perf_counter()
        publisher.start()
        while publisher.state().sent < MESSAGES:
            moment.wait(0.005)
        rate = MESSAGES / (time.perf_counter() - began)
        publisher.stop()
        assert store.outbox.outbox_depth() == 0
    return rate


def test_bench_draining(
    benchmark: BenchmarkFixture, mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates: dict[str, list[float]] = {"ours": [], "threads": [], "one thread": []}

    def once() -> None:
        rates["threads"].append(bare(mosquitto, TOPIC, PAYLOAD, MESSAGES, WINDOW))
        rates["one thread"].append(bare_without_threads(mosquitto, TOPIC, PAYLOAD, MESSAGES, WINDOW))
        rates["ours"].append(ours(mosquitto, tmp_path / f"{len(rates['ours'])}.db"))

    benchmark.pedantic(once, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
    mine = statistics.median(rates["ours"])
    with capsys.disabled():
        for peer in ("threads", "one thread"):
            theirs = statistics.median(rates[peer])
            print(  # noqa: T201 -- the ratio is what the benchmark is for
                f"\nsync: {mine:,.0f} messages a second, bare paho ({peer}) {theirs:,.0f}, "
                f"ratio {mine / theirs:.2f} (bar {BAR})"
            )
            benchmark.extra_info[f"ratio to bare paho, {peer}"] = mine / theirs
