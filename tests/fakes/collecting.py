"""A running collector, somebody who sends it messages, and a look into its database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud_sync.collector.service import Collector
from cloud_sync.collector.settings import CollectorSettings
from cloud_sync.fleet.traffic import Traffic
from edge.notices import OutboxMessage
from tests.fakes.broker import Mosquitto

PATIENCE_S = 20.0


def collector_settings(broker: Mosquitto, database: str, **collector: Any) -> CollectorSettings:
    """Settings of a collector between the two; `collector` are fields of [collector]."""
    return CollectorSettings.model_validate(
        {
            "broker": {"host": broker.host, "port": broker.port, "tls": False},
            "database": {"conninfo": database},
            "collector": {"name": "one", **collector},
            "metrics": {"port": 0},
        }
    )


@asynccontextmanager
async def collecting(settings: CollectorSettings) -> AsyncIterator[Collector]:
    """A collector that runs meanwhile; it is connected when the block begins."""
    collector = Collector(settings)
    task = asyncio.create_task(collector.run())
    try:
        await until(lambda: _connected(collector))
        yield collector
    finally:
        collector.stop()
        await task


async def until(condition: Callable[[], Awaitable[bool]], patience: float = PATIENCE_S) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 -- a database raises no event
            await asyncio.sleep(0.02)


async def _connected(collector: Collector) -> bool:
    return collector.health().broker == "connected"


async def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    """What a query answers."""
    async with await psycopg.AsyncConnection.connect(database) as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall()


async def number(database: str, statement: str) -> int:
    """The one number that a query answers; -1 where there is no such table yet."""
    try:
        ((value,),) = await rows(database, statement)
    except psycopg.errors.UndefinedTable:
        return -1
    return int(value)


def told(count: int, home: int = 1, first_minute: int | None = None) -> list[OutboxMessage]:
    """The first messages of a home since a day ago."""
    minute = int(time.time() / 60.0) - 1440 if first_minute is None else first_minute
    messages = Traffic(home, minute // 60 * 60).messages()
    return [next(messages) for _ in range(count)]


class Sender:
    """Publishes with QoS 1, as a home does."""

    def __init__(self, broker: Mosquitto) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "sender", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def send(self, messages: Iterable[OutboxMessage]) -> None:
        """Publish, and wait until the broker has them."""
        self.publish((message.topic, message.payload) for message in messages)

    def publish(self, payloads: Iterable[tuple[str, bytes]]) -> None:
        """Publish topics and payloads, and wait until the broker has them."""
        for info in [self._client.publish(topic, payload, qos=1) for topic, payload in payloads]:
            info.wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def sender(mosquitto: Mosquitto) -> Iterator[Sender]:
    """Somebody who publishes to the broker."""
    sending = Sender(mosquitto)
    yield sending
    sending.close()
