"""The design's bar for the sync: a backlog drains at 80 % or more of a bare paho QoS 1 loop with the same window."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from pytest_benchmark.fixture import BenchmarkFixture

from cloud_sync.broker import Broker
from cloud_sync.publisher import WINDOW, Publisher
from edge.readings import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.fakes.broker import Mosquitto, mosquitto

__all__ = ["mosquitto"]

MESSAGES = 5000
ROUNDS = 5
BAR = 0.8
TOPIC = "hearthbeat/v1/home/anna/summary/minute"
PAYLOAD = bytes(400)  # a minute of two channels


def bare(broker: Mosquitto) -> float:
    """Messages a second of paho alone, from RAM."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    free, connected, done = threading.Semaphore(WINDOW), threading.Event(), threading.Event()
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        free.release()
        if acknowledged == MESSAGES:
            done.set()

    client.on_publish = on_publish
    client.on_connect = lambda *_: connected.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert connected.wait(20.0)
    began = time.perf_counter()
    for _ in range(MESSAGES):
        free.acquire()
        client.publish(TOPIC, PAYLOAD, qos=1)
    assert done.wait(60.0)
    rate = MESSAGES / (time.perf_counter() - began)
    client.disconnect()
    client.loop_stop()
    return rate


def bare_without_threads(broker: Mosquitto) -> float:
    """The same with paho's loop in this thread: no lock is fought for."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1

    client.on_publish = on_publish
    client.connect(broker.host, broker.port)
    while not client.is_connected():
        client.loop()
    began = time.perf_counter()
    published = 0
    while acknowledged < MESSAGES:
        while published < MESSAGES and published - acknowledged < WINDOW:
            client.publish(TOPIC, PAYLOAD, qos=1)
            published += 1
        client.loop()
    rate = MESSAGES / (time.perf_counter() - began)
    client.disconnect()
    return rate


def ours(broker: Mosquitto, path: Path) -> float:
    """Messages a second of the publisher, from the outbox on disk, connecting included."""
    with Store(path) as store:
        rows = [
            OutboxMessage(f"{path.name}-{n:036}", TOPIC, PAYLOAD, Priority.SUMMARY, float(n)) for n in range(MESSAGES)
        ]
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
        rates["threads"].append(bare(mosquitto))
        rates["one thread"].append(bare_without_threads(mosquitto))
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
