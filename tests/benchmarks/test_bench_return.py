"""The bar for a return after a month: all rows once, in order, at 80 % of a bare paho loop; decisions unaffected."""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from cloud_sync.broker import Broker
from cloud_sync.publisher import WINDOW, Publisher
from edge.notices import OutboxMessage, Priority
from edge.readings import Risk
from edge.risks.catalogue import load_models
from edge.running.precedence import UrgentExecutor, take_short_turns
from edge.store.store import Batch, Store
from edge.watches.risk import watch_risk
from tests.benchmarks.paho_loop import bare, mosquitto
from tests.benchmarks.test_bench_decision import rr_packets
from tests.fakes.broker import Arrival, Mosquitto, Subscriber

__all__ = ["mosquitto"]

DAYS = 30
MINUTES = DAYS * 24 * 60
ALERTS = 60
FAULTS = 240
ROUNDS = 3
RATE_BAR = 0.8
DECISION_BAR = 1.2
START = 1_800_000_000.0
TOPICS = {
    Priority.ALERT: "hearthbeat/v1/home/anna/alert",
    Priority.FAULT: "hearthbeat/v1/home/fault",
    Priority.SUMMARY: "hearthbeat/v1/home/anna/summary/minute",
}


def month() -> list[OutboxMessage]:
    """What a month leaves in the outbox, in the order in which it came about."""
    span = DAYS * 86_400.0
    made = [
        OutboxMessage(str(uuid4()), TOPICS[priority], b"%d" % n + b" " * 394, priority, START + span * n / count)
        for priority, count in ((Priority.SUMMARY, MINUTES), (Priority.FAULT, FAULTS), (Priority.ALERT, ALERTS))
        for n in range(count)
    ]
    return sorted(made, key=lambda message: message.created)


@contextmanager
def away(path: Path, count: int | None = None) -> Iterator[Store]:
    """A home whose outbox holds a month."""
    with Store(path) as store:
        rows = month() if count is None else month()[:count]
        for first in range(0, len(rows), 1000):
            store.commit(Batch(messages=rows[first : first + 1000]))
        yield store


def drained(broker: Mosquitto, store: Store, give_way: Callable[[], None] = lambda: None) -> float:
    """Messages a second from the outbox on disk, connecting included."""
    settings, moment = Broker(broker.host, broker.port, tls=False), threading.Event()
    publisher = Publisher(settings, store.path, "home", give_way=give_way)
    rows = store.outbox.outbox_depth()
    began = time.perf_counter()
    publisher.start()
    while publisher.state().sent < rows:
        assert publisher.is_alive()
        moment.wait(0.01)
    rate = rows / (time.perf_counter() - began)
    publisher.stop()
    assert store.outbox.outbox_depth() == 0
    return rate


def test_bench_return_after_a_month(
    benchmark: BenchmarkFixture, mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = list[float](), list[float]()

    def once() -> None:
        with away(tmp_path / f"{len(ours)}.db") as store:
            count = store.outbox.outbox_depth()
            theirs.append(bare(mosquitto, TOPICS[Priority.SUMMARY], bytes(400), count, WINDOW))
            ours.append(drained(mosquitto, store))

    benchmark.pedantic(once, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
    mine, bare_rate = statistics.median(ours), statistics.median(theirs)
    benchmark.extra_info["ratio to bare paho"] = mine / bare_rate
    with capsys.disabled():
        print(  # noqa: T201 -- the ratio is what the benchmark is for
            f"\nreturn after {DAYS} days: {mine:,.0f} messages a second, bare paho {bare_rate:,.0f}, "
            f"ratio {mine / bare_rate:.2f} (bar {RATE_BAR})"
        )


def test_bench_return_brings_all_once_and_in_order(
    benchmark: BenchmarkFixture, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    subscriber = Subscriber(mosquitto)

    def once() -> list[Arrival]:
        with away(tmp_path / "month.db") as store:
            drained(mosquitto, store)
        count = MINUTES + FAULTS + ALERTS
        arrived = subscriber.wait_for(lambda arrivals: len(arrivals) >= count + 2, 120.0)  # and two statuses
        return [arrival for arrival in arrived if arrival.topic in TOPICS.values()]

    arrived = benchmark.pedantic(once, rounds=1)  # type: ignore[no-untyped-call]
    subscriber.close()
    assert [(arrival.topic, int(arrival.payload)) for arrival in arrived] == [
        (TOPICS[priority], n)
        for priority, count in ((Priority.ALERT, ALERTS), (Priority.FAULT, FAULTS), (Priority.SUMMARY, MINUTES))
        for n in range(count)
    ]


def decisions(inference: Executor, seconds: float, ended: threading.Event | None = None) -> list[float]:
    """Seconds from each window to its decision, a beat every few ms, for so long or until `ended`."""
    model = load_models()[Risk.ATRIAL_FIBRILLATION]
    packets, times, pause, until = rr_packets(0.1), list[float](), threading.Event(), time.perf_counter() + seconds
    while True:
        watch = watch_risk("ann", model)
        for packet in packets:
            if time.perf_counter() > until or (ended is not None and ended.is_set()):
                return times
            for window in watch.windows.push(packet):
                began = time.perf_counter()
                watch.episodes.weigh(inference.submit(model.assess, window).result())
                times.append(time.perf_counter() - began)
            pause.wait(0.0005)


def test_bench_decisions_during_a_return(
    benchmark: BenchmarkFixture, mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A broker is another machine: here it has what the home leaves.
    os.setpriority(os.PRIO_PROCESS, mosquitto.process_id, 15)
    quiet, busy, rates = list[float](), list[float](), list[float]()

    def once(inference: UrgentExecutor) -> None:
        quiet.extend(decisions(inference, 4.0))
        with away(tmp_path / f"{len(rates)}.db") as store:
            ended = threading.Event()

            def drain() -> None:
                rates.append(drained(mosquitto, store, inference.give_way))
                ended.set()

            thread = threading.Thread(target=drain)
            thread.start()
            busy.extend(decisions(inference, 60.0, ended))
            thread.join()

    interval = sys.getswitchinterval()
    take_short_turns()
    with UrgentExecutor("inference") as inference:
        decisions(inference, 1.0)  # warm up
        benchmark.pedantic(once, args=(inference,), rounds=ROUNDS)  # type: ignore[no-untyped-call]
    sys.setswitchinterval(interval)
    for share in (50, 90, 99):
        q, b = (float(np.percentile(times, share)) * 1e6 for times in (quiet, busy))
        benchmark.extra_info[f"ratio of p{share}"] = b / q
        with capsys.disabled():
            print(  # noqa: T201 -- the ratio is what the benchmark is for
                f"\ndecisions while a month is sent ({statistics.median(rates):,.0f} messages a second): "
                f"p{share} {b:,.0f} us of {len(busy)}, in quiet {q:,.0f} us of {len(quiet)}, "
                f"ratio {b / q:.2f} (bar {DECISION_BAR} for p99)"
            )
