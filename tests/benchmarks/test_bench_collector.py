"""The collector's bars: 5,000 messages a second or 70 % of a bare subscriber with COPY; two share the load evenly.

The messages are those of simulated homes: a quarter of an hour of two channels, hours, now and then an alert.
"""

from __future__ import annotations

import os
import pickle
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.conftest import CHECKOUT
from tests.fakes.broker import Mosquitto, free_port
from tests.fakes.collecting import told
from tests.fakes.killing import COLLECTOR, TABLES, write_settings
from tests.fakes.postgres import Postgres, durable_postgres

__all__ = ["durable_postgres"]

MESSAGES = 20_000
A_HOME = 40
ROUNDS = 3
BAR_A_SECOND = 5000
BAR_RATIO = 0.7
STORED = "SELECT " + " + ".join(f"(SELECT count(*) FROM hearthbeat.{table})" for table in TABLES)


@contextmanager
def broker_of_its_own(folder: Path) -> Iterator[Mosquitto]:
    """One that holds nothing for anybody: with no bound on what is in flight, and without a line for each packet."""
    mosquitto = Mosquitto(folder / uuid4().hex, options="max_inflight_messages 0\nset_tcp_nodelay true", quiet=True)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A file of all that is to be published."""
    made = [(message.topic, message.payload) for home in range(MESSAGES // A_HOME) for message in told(A_HOME, home)]
    path = tmp_path / "messages"
    path.write_bytes(pickle.dumps(made))
    return path


def program(*arguments: str, talks: bool = False) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE if talks else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(connection: psycopg.Connection, query: str, count: int) -> None:
    moment, found = threading.Event(), None
    for _ in range(6000):
        try:
            found = connection.execute(query.encode()).fetchone()
        except psycopg.errors.UndefinedTable:
            found = None
        if found is not None and found[0] >= count:
            return
        moment.wait(0.02)
    raise AssertionError(found)


def wait_until_healthy(port: int) -> None:
    """Wait until the collector whose health is served at `port` is connected to all."""
    moment = threading.Event()
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
        except OSError:  # not there yet, or not healthy
            moment.wait(0.1)
        else:
            return
    raise AssertionError


def rate(broker: Mosquitto, messages: Path, database: str, query: str) -> float:
    """Messages a second, from the first that is published to the last that is committed."""
    with psycopg.connect(database, autocommit=True) as connection:
        publishing = program("-m", "tests.benchmarks.raw_publisher", str(broker.port), str(messages))
        wait_for(connection, query, 1)
        first = time.perf_counter()
        wait_for(connection, query, MESSAGES)
        ended = time.perf_counter()
        publishing.wait()
    return MESSAGES / (ended - first)


def bare(cluster: Postgres, messages: Path, folder: Path) -> float:
    database = cluster.make_database()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (topic text, payload bytea)")
    with broker_of_its_own(folder) as broker:
        module = "tests.benchmarks.bare_collector"
        collecting = program("-m", module, str(broker.port), database, str(MESSAGES), talks=True)
        assert collecting.stdout is not None
        assert collecting.stdout.readline() == b"ready\n"
        try:
            return rate(broker, messages, database, "SELECT count(*) FROM bare")
        finally:
            collecting.terminate()
            collecting.communicate()


def ours(cluster: Postgres, messages: Path, folder: Path, names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Messages a second, and each collector's share of them."""
    database, ports = cluster.make_database(), {name: free_port() for name in names}
    with broker_of_its_own(folder) as broker:
        collecting = []
        for name, port in ports.items():
            settings = write_settings(folder / f"{name}.toml", broker.port, database, name, port)
            collecting.append(program("-c", COLLECTOR, str(settings)))
            wait_until_healthy(port)
        try:
            together = rate(broker, messages, database, STORED)
            return together, {name: scraped(port) / MESSAGES for name, port in ports.items()}
        finally:
            for process in collecting:
                process.terminate()
                process.wait()


def test_bench_collecting(
    benchmark: BenchmarkFixture,
    durable_postgres: Postgres,
    messages: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rates: dict[str, list[float]] = {"ours": [], "bare": []}

    def once() -> None:
        rates["bare"].append(bare(durable_postgres, messages, tmp_path))
        rates["ours"].append(ours(durable_postgres, messages, tmp_path, ["one"])[0])

    benchmark.pedantic(once, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
    mine, theirs = statistics.median(rates["ours"]), statistics.median(rates["bare"])
    benchmark.extra_info["messages a second"] = mine
    benchmark.extra_info["ratio to a bare subscriber with COPY"] = mine / theirs
    with capsys.disabled():
        print(  # noqa: T201 -- the ratio is what the benchmark is for
            f"\ncollector: {mine:,.0f} messages a second (bar {BAR_A_SECOND:,}), a bare subscriber with COPY "
            f"{theirs:,.0f}, ratio {mine / theirs:.2f} (the other bar {BAR_RATIO})"
        )


def test_bench_two_collectors(
    benchmark: BenchmarkFixture,
    durable_postgres: Postgres,
    messages: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    together, shares = benchmark.pedantic(  # type: ignore[no-untyped-call]
        ours, args=(durable_postgres, messages, tmp_path, ["one", "two"]), rounds=1
    )
    benchmark.extra_info["shares"] = shares
    with capsys.disabled():
        told_shares = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
        print(f"\ntwo collectors: {told_shares}; together {together:,.0f} messages a second")  # noqa: T201


def scraped(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("hearthbeat_collector_stored_total"):
                return float(line.split()[1])
    raise AssertionError
