"""From the broker into PostgreSQL."""

from __future__ import annotations

import asyncio
import json

import pytest

from cloud_sync.collector import intake, service
from cloud_sync.collector.intake import Intake
from cloud_sync.collector.service import Collector
from cloud_sync.messages.topics import Kind, Topic
from tests.fakes.broker import Mosquitto
from tests.fakes.collecting import Sender, collecting, collector_settings, number, rows, told, until

ALL = "SELECT count(*) FROM hearthbeat.minute_messages"


async def test_every_message_is_stored_once_however_often_it_is_sent(
    mosquitto: Mosquitto, database: str, sender: Sender
) -> None:
    messages = told(50)
    minutes = sum(message.topic.endswith("minute") for message in messages)
    async with collecting(collector_settings(mosquitto, database)) as collector:
        for _ in range(3):
            await asyncio.to_thread(sender.send, messages)

        async def all_counted() -> bool:
            counted = collector.metrics.registry.get_sample_value("hearthbeat_collector_received_total")
            return counted == 3 * len(messages)

        await until(all_counted)
        await until(lambda: _idle(collector))
        stored = collector.metrics.registry.get_sample_value("hearthbeat_collector_stored_total")
        repeats = collector.metrics.registry.get_sample_value("hearthbeat_collector_repeats_total")
    assert (stored, repeats) == (len(messages), 2 * len(messages))
    assert await number(database, ALL) == minutes
    assert await number(database, "SELECT count(*) FROM hearthbeat.hour_messages") == len(messages) - minutes


async def _idle(collector: Collector) -> bool:
    return collector.health().waiting == 0


async def test_what_cannot_be_read_is_kept_aside_and_holds_nothing_up(
    mosquitto: Mosquitto, database: str, sender: Sender
) -> None:
    good = told(3)
    odd = [
        (str(Topic("home-1", Kind.ALERT, "p-1")), b"not JSON"),
        (str(Topic("home-1", Kind.FAULT)), json.dumps({"v": 2, "id": "x"}).encode()),
        ("hearthbeat/v1/home-1/p-1/horoscope", b"{}"),
        (str(Topic("home-1", Kind.HEALTH)), b"x" * 300_000),
        ("hearthbeat/v1/home-1/command", b"what the cloud asks of a home passes by"),
    ]
    async with collecting(collector_settings(mosquitto, database)):
        await asyncio.to_thread(sender.publish, odd)
        await asyncio.to_thread(sender.send, good)
        await until(lambda: _are(database, ALL, 3))
    found = await rows(database, "SELECT reason, bytes, length(payload) FROM hearthbeat.refused ORDER BY reason")
    assert found == [
        ("kind", 2, 2), ("not_json", 8, 8), ("too large", 300_000, 16_384), ("version", 19, 19)
    ]  # fmt: skip


async def _are(database: str, statement: str, count: int) -> bool:
    return await number(database, statement) == count


async def test_large_messages_wait_with_the_broker_and_not_in_our_memory(
    mosquitto: Mosquitto, database: str, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_HELD", 100_000)
    monkeypatch.setattr(service, "MOST_OF_A_BATCH", 50_000)
    held: list[int] = []
    pause = Intake._pause

    def noted(self: Intake) -> None:
        held.append(self._held)
        pause(self)

    monkeypatch.setattr(Intake, "_pause", noted)
    large = [(str(Topic("home-1", Kind.HEALTH)), bytes([0x20]) * 20_000 + str(number).encode()) for number in range(60)]
    async with collecting(collector_settings(mosquitto, database)):
        await asyncio.to_thread(sender.publish, large)
        await until(lambda: _are(database, "SELECT count(*) FROM hearthbeat.refused", len(large)))
    assert held
    assert max(held) < 150_000


async def test_a_fault_of_our_own_ends_the_collector_and_is_not_waited_out(
    mosquitto: Mosquitto, database: str, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Collector, "_count", broken)
    collector = Collector(collector_settings(mosquitto, database))
    running = asyncio.create_task(collector.run())
    await until(lambda: _connected(collector))
    await asyncio.to_thread(sender.send, told(1))
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(running, 10.0)
    assert caught.group_contains(ZeroDivisionError)


async def _connected(collector: Collector) -> bool:
    return collector.health().broker == "connected"
