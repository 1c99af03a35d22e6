"""paho alone, from RAM: what the publisher is measured against."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.fakes.broker import Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that logs no packets: this process would read each line, beside what is measured."""
    broker = Mosquitto(tmp_path / "mosquitto", quiet=True)
    broker.start()
    yield broker
    broker.stop()


def bare(broker: Mosquitto, topic: str, payload: bytes, messages: int, window: int) -> float:
    """Messages a second of paho with its own thread."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(window)
    free, connected, done = threading.Semaphore(window), threading.Event(), threading.Event()
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        free.release()
        if acknowledged == messages:
            done.set()

    client.on_publish = on_publish
    client.on_connect = lambda *_: connected.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert connected.wait(20.0)
    began = time.perf_counter()
    for _ in range(messages):
        free.acquire()
        client.publish(topic, payload, qos=1)
    assert done.wait(60.0)
    rate = messages / (time.perf_counter() - began)
    client.disconnect()
    client.loop_stop()
    return rate


def bare_without_threads(broker: Mosquitto, topic: str, payload: bytes, messages: int, window: int) -> float:
    """The same with paho's loop in this thread: no lock is fought for."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(window)
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
    while acknowledged < messages:
        while published < messages and published - acknowledged < window:
            client.publish(topic, payload, qos=1)
            published += 1
        client.loop()
    rate = messages / (time.perf_counter() - began)
    client.disconnect()
    return rate
