"""What is in flight, against a broker that acknowledges only when told."""

from __future__ import annotations

import queue
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.broker import Broker
from cloud_sync.publisher import Publisher
from edge.notices import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.fakes.scripted_broker import ScriptedBroker


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    scripted = ScriptedBroker()
    yield scripted
    scripted.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        opened.commit(
            Batch(messages=[OutboxMessage(f"id-{n}", f"t/{n}", b"", Priority.SUMMARY, float(n)) for n in range(10)])
        )
        yield opened


@pytest.fixture
def publisher(broker: ScriptedBroker, store: Store) -> Iterator[Publisher]:
    started = Publisher(
        Broker("127.0.0.1", broker.port, tls=False),
        store.path,
        "home",
        pace=0.01,
        chance=random.Random(1),
    )
    started.start()
    yield started
    broker.hang_up()
    started.stop()


def waiting(store: Store) -> list[str]:
    return [message.id for message in store.outbox.next_messages(100)]


def say_online(broker: ScriptedBroker) -> None:
    identifier, topic = broker.next()
    while topic != "hearthbeat/v1/home/status":  # what was sent before the connection was lost
        identifier, topic = broker.next()
    broker.acknowledge(identifier)


def test_a_row_stays_until_its_acknowledgement(broker: ScriptedBroker, store: Store, publisher: Publisher) -> None:
    say_online(broker)
    first, topic = broker.next()
    assert topic == "t/0"
    assert len(waiting(store)) == 10
    broker.acknowledge(first)
    broker.next()  # the next row is sent only after the acknowledgement was taken in
    assert publisher.state().sent <= 1
    broker.hang_up()
    say_online(broker)
    assert broker.next()[1] == "t/1"
    assert waiting(store) == [f"id-{n}" for n in range(1, 10)]


def test_no_more_is_in_flight_than_the_broker_takes(broker: ScriptedBroker, publisher: Publisher) -> None:
    say_online(broker)
    identifier, _ = broker.next()
    with pytest.raises(queue.Empty):
        broker.published.get(timeout=0.2)  # one alone, until the broker has taken it
    broker.acknowledge(identifier)
    in_flight = [broker.next()[0] for _ in range(3)]
    with pytest.raises(queue.Empty):
        broker.published.get(timeout=0.2)
    broker.acknowledge(in_flight[0])
    assert broker.next()[1] == "t/4"


def test_only_a_failure_for_good_parks_a_row(broker: ScriptedBroker, store: Store, publisher: Publisher) -> None:
    say_online(broker)
    broker.acknowledge(broker.next()[0], reason=0x10)  # no matching subscribers: a success
    for reason in (0x90, 0x99, 0x83):
        broker.acknowledge(broker.next()[0], reason)
    for place in range(4, 10):  # the one that may go another time holds up nothing
        identifier, topic = broker.next()
        assert topic == f"t/{place}"
        broker.acknowledge(identifier)
    broker.hang_up()
    say_online(broker)
    assert waiting(store) == ["id-3"]
    assert [parked.reason for parked in store.outbox.parked()] == [
        "Payload format invalid (0x99)",
        "Topic name invalid (0x90)",
    ]


def test_a_quota_stops_everything_and_parks_nothing(broker: ScriptedBroker, store: Store, publisher: Publisher) -> None:
    say_online(broker)
    broker.acknowledge(broker.next()[0])
    for _ in range(3):
        broker.acknowledge(broker.next()[0], 0x97)
    with pytest.raises(queue.Empty):
        broker.published.get(timeout=0.2)
    assert store.outbox.parked() == []
    assert publisher.state().connected
    assert publisher.state().complaint == "it takes no more for now, since a quota is used up"


def test_a_refusal_is_heard_although_the_broker_hangs_up(
    broker: ScriptedBroker, store: Store, publisher: Publisher
) -> None:
    for _ in range(3):
        say_online(broker)
        broker.acknowledge(broker.next()[0], 0x87)
        broker.hang_up()
    say_online(broker)
    assert broker.next()[1] == "t/3"
    assert [parked.message.id for parked in store.outbox.parked()] == ["id-2", "id-1", "id-0"]
