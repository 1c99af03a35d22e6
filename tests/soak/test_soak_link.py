"""Minutes of a bad link: packets vanish, brokers are killed and restarted; nothing is lost and nothing is stuck."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from cloud_sync import receipts_awaited
from cloud_sync.broker import Broker
from cloud_sync.publisher import Publisher
from edge.notices import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.fakes.broker import Arrival, Mosquitto, Subscriber
from tests.fakes.numbered import STATUS, Collecting, bridged, numbers, rows
from tests.fakes.vanishing import network

CUTS = 12
RESTARTS = 5
ALERT_TOPIC = "hearthbeat/v1/home/anna/alert"


def outbox_of(number: int) -> list[OutboxMessage]:
    """What a few minutes leave: mostly summaries, now and then an alert."""
    made = rows(40, first=1000 * number)
    return [*made, *rows(1, first=1000 * number + 900, priority=Priority.ALERT, topic=ALERT_TOPIC)]


def test_a_link_that_is_cut_and_a_broker_that_is_killed_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_awaited, "UNHEARD_WAIT_S", 1.0)
    monkeypatch.setattr(receipts_awaited, "FIRST_WAIT_S", 5.0)
    chance, moment, expected = random.Random(22), threading.Event(), set[int]()
    with network() as far, Store(tmp_path / "hearthbeat.db") as store:
        mosquitto = Mosquitto(tmp_path / "mosquitto", host=far.address, prefix=far.prefix, persistence=False)
        mosquitto.start()
        # The collector is here too, so that a cut takes its connection as well.
        collecting = Collecting(mosquitto, "hearthbeat/v1/#", keep_alive_s=2)
        settings = Broker(mosquitto.host, mosquitto.port, tls=False, receipts=True, keep_alive_s=2)
        publisher = Publisher(settings, store.path, "home", pace=0.2, chance=random.Random(1))
        publisher.start()
        number = 0

        def go_on(seconds: float) -> None:
            nonlocal number
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                made = outbox_of(number)
                number += 1
                expected.update(int(row.payload) for row in made)
                store.commit(Batch(messages=made))
                publisher.wake()
                moment.wait(0.2)
            assert publisher.is_alive()

        for cut in range(CUTS):
            go_on(chance.uniform(0.5, 3.0))
            if cut % 3 == 2:
                mosquitto.kill()
                go_on(chance.uniform(0.1, 1.0))
                mosquitto.start()
            else:
                far.cut()
                go_on(chance.uniform(0.5, 8.0))
                far.mend()
        arrived = collecting.wait_for(lambda arrivals: expected <= set(numbers(arrivals)), 120.0)
        until = time.monotonic() + 60.0
        while store.outbox.outbox_depth():
            assert time.monotonic() < until, "a row is stuck"
            moment.wait(0.1)
        assert store.outbox.parked() == []
        publisher.stop()
        collecting.close()
        mosquitto.stop()
    assert set(numbers(arrived)) == expected


def ids(arrivals: list[Arrival]) -> Counter[str]:
    return Counter(str(int(arrival.payload)) for arrival in arrivals if arrival.topic != STATUS)


def test_two_bridged_brokers_that_are_restarted_in_turn_lose_nothing(tmp_path: Path) -> None:
    near, far = bridged(tmp_path)
    far.start()
    near.start()
    subscriber = Subscriber(far)
    with Store(tmp_path / "hearthbeat.db") as store:
        publisher = Publisher(Broker(near.host, near.port, tls=False), store.path, "home", pace=0.05)
        publisher.start()
        for restart in range(RESTARTS):
            store.commit(Batch(messages=rows(300, first=1000 * restart)))
            publisher.wake()
            arrived = len(ids(subscriber.arrivals))
            subscriber.wait_for(lambda arrivals, least=arrived: len(ids(arrivals)) > least)  # type: ignore[misc]
            broker = (near, far)[restart % 2]
            broker.stop()
            store.commit(Batch(messages=rows(300, first=1000 * restart + 300)))
            publisher.wake()
            broker.start()
        subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 600 * RESTARTS, 60.0)
        publisher.stop()
        assert store.outbox.outbox_depth() == 0
    subscriber.close()
    near.stop()
    far.stop()
