"""The outbox reaches a real mosquitto, whatever happens on the way."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud_sync.broker import Broker
from cloud_sync.publisher import LOST, Publisher, retry_delay
from cloud_sync.session import Session
from edge.notices import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.fakes.broker import Arrival, Mosquitto, Subscriber

STATUS = "hearthbeat/v1/home/status"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def rows(count: int, first: int = 0, priority: Priority = Priority.SUMMARY) -> list[OutboxMessage]:
    topic = "hearthbeat/v1/home/anna/summary/minute"
    return [
        OutboxMessage(f"id-{n}", topic, b'{"id":"id-%d"}' % n, priority, float(n)) for n in range(first, first + count)
    ]


def ids(arrivals: list[Arrival]) -> Counter[str]:
    return Counter(arrival.fields["id"] for arrival in arrivals if arrival.topic != STATUS)


def online(arrivals: list[Arrival]) -> list[bool]:
    return [arrival.fields["online"] for arrival in arrivals if arrival.topic == STATUS]


def broker_of(mosquitto: Mosquitto) -> Broker:
    return Broker(mosquitto.host, mosquitto.port, tls=False)


@contextmanager
def publishing(broker: Broker, store: Store, pace: float = 0.05) -> Iterator[Publisher]:
    publisher = Publisher(broker, store.path, "home", pace=pace, chance=random.Random(1))
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()
        assert not publisher.is_alive()


def test_rows_arrive_and_leave_the_outbox(store: Store, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    store.commit(Batch(messages=rows(500)))
    with publishing(broker_of(mosquitto), store) as publisher:
        subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 500)
        store.commit(Batch(messages=rows(1, first=500)))
        publisher.wake()
        arrived = ids(subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 501))
        assert publisher.state().connected
        assert publisher.state().error is None
    assert set(arrived.values()) == {1}
    assert store.outbox.outbox_depth() == 0
    assert publisher.state().sent == 501


def test_alerts_overtake_summaries(store: Store, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    store.commit(Batch(messages=[*rows(100), *rows(1, first=100, priority=Priority.ALERT)]))
    with publishing(broker_of(mosquitto), store):
        arrived = subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 101)
    assert next(iter(ids(arrived))) == "id-100"


def test_the_home_says_when_it_comes_and_goes(store: Store, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    with publishing(broker_of(mosquitto), store):
        subscriber.wait_for(lambda arrivals: online(arrivals) == [True])
    subscriber.wait_for(lambda arrivals: online(arrivals) == [True, False])
    later = Subscriber(mosquitto, STATUS, identifier="later")
    kept = later.wait_for(bool)
    later.close()
    assert [(arrival.retained, arrival.fields["online"]) for arrival in kept] == [(True, False)]


def _publish_for_ever(path: Path, port: int) -> None:
    Publisher(Broker("127.0.0.1", port, tls=False, will_delay_s=0), path, "home").start()
    signal.pause()


def test_the_last_will_tells_of_a_home_that_was_killed(
    store: Store, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_publish_for_ever, args=(store.path, mosquitto.port))
    process.start()
    subscriber.wait_for(lambda arrivals: online(arrivals) == [True])
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    subscriber.wait_for(lambda arrivals: online(arrivals) == [True, False])


def test_pain_22_rows_wait_on_disk_for_a_broker_that_is_not_there(store: Store, tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    store.commit(Batch(messages=rows(50)))
    with publishing(broker_of(mosquitto), store) as publisher:
        error = _first_error(publisher)
        assert not publisher.state().refused, "it comes back by itself"
        assert f"127.0.0.1:{mosquitto.port}: cannot be reached" in error
        assert store.outbox.outbox_depth() == 50
        mosquitto.start()
        subscriber = Subscriber(mosquitto)
        subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 50)
    subscriber.close()
    mosquitto.stop()
    assert store.outbox.outbox_depth() == 0


def test_pain_22_nothing_is_lost_when_the_broker_restarts(
    store: Store, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    with publishing(broker_of(mosquitto), store) as publisher:
        for restart in range(2):
            store.commit(Batch(messages=rows(400, first=1000 * restart)))
            publisher.wake()
            arrived = len(ids(subscriber.arrivals))
            subscriber.wait_for(lambda arrivals, least=arrived: len(ids(arrivals)) > least)  # type: ignore[misc]
            mosquitto.stop()
            store.commit(Batch(messages=rows(400, first=1000 * restart + 400)))
            publisher.wake()
            mosquitto.start()
        arrived_ids = ids(subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 1600))
    assert set(arrived_ids) == {f"id-{1000 * restart + n}" for restart in range(2) for n in range(800)}
    assert store.outbox.outbox_depth() == 0


def test_what_the_broker_refuses_is_parked_with_its_reason(store: Store, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic read #\ntopic write hearthbeat/v1/home/status\ntopic write hearthbeat/v1/home/+/alert\n")
    mosquitto = Mosquitto(tmp_path / "mosquitto", options=f"acl_file {rules}")
    mosquitto.start()
    subscriber = Subscriber(mosquitto)
    allowed = OutboxMessage("allowed", "hearthbeat/v1/home/anna/alert", b'{"id":"allowed"}', Priority.SUMMARY, 9.0)
    store.commit(Batch(messages=[*rows(3), allowed]))
    with publishing(broker_of(mosquitto), store):
        subscriber.wait_for(lambda arrivals: "allowed" in ids(arrivals))
    subscriber.close()
    mosquitto.stop()
    assert [parked.message.id for parked in store.outbox.parked()] == ["id-2", "id-1", "id-0"]
    assert {parked.reason for parked in store.outbox.parked()} == {"Not authorized (0x87)"}
    assert store.outbox.outbox_depth() == 0


def test_what_is_too_large_for_the_broker_is_parked_and_holds_up_nothing(store: Store, tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path / "mosquitto", options="max_packet_size 1000")
    mosquitto.start()
    subscriber = Subscriber(mosquitto)
    large = OutboxMessage("large", "hearthbeat/v1/home/anna/alert", bytes(1000), Priority.ALERT, 0.0)
    store.commit(Batch(messages=[large, *rows(3)]))
    with publishing(broker_of(mosquitto), store):
        subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 3)
    subscriber.close()
    mosquitto.stop()
    assert [parked.message.id for parked in store.outbox.parked()] == ["large"]
    assert "the broker takes 1000 at most" in store.outbox.parked()[0].reason


def test_a_wrong_password_is_one_clear_line_and_is_mended_by_the_file(store: Store, tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path / "mosquitto", users={"home": "right"})
    mosquitto.start()
    secret = tmp_path / "password"
    secret.write_text("quite-wrong\n")
    broker = Broker(mosquitto.host, mosquitto.port, tls=False, username="home", password_file=secret)
    store.commit(Batch(messages=rows(3)))
    with publishing(broker, store, pace=1.0) as publisher:  # half a minute, but for the file
        error = _first_error(publisher)
        assert publisher.state().refused, "somebody must mend it"
        assert error == (
            f"127.0.0.1:{mosquitto.port}: it refuses the connection: not authorized; "
            "check username and password_file under [broker]"
        )
        assert "quite-wrong" not in error
        assert not publisher.state().connected
        assert store.outbox.outbox_depth() == 3
        secret.write_text("right\n")
        subscriber = Subscriber(mosquitto, user=("home", "right"))
        subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 3)
        assert not publisher.state().refused
    subscriber.close()
    mosquitto.stop()


def test_a_password_that_cannot_be_read_says_which_file(store: Store, mosquitto: Mosquitto, tmp_path: Path) -> None:
    missing = tmp_path / "nothing-here"
    broker = Broker(mosquitto.host, mosquitto.port, tls=False, username="home", password_file=missing)
    with publishing(broker, store) as publisher:
        assert _first_error(publisher).startswith(f"{missing}: password cannot be read: No such file")


def test_a_broker_of_mqtt_3_1_1_is_served_too(store: Store, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    store.commit(Batch(messages=rows(30)))
    with publishing(Broker(mosquitto.host, mosquitto.port, protocol="3.1.1", tls=False), store):
        subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 30)
    assert store.outbox.outbox_depth() == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_pain_22_a_dead_thread_is_noticed_and_another_goes_on(
    store: Store, mosquitto: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = threading.Event()

    def break_down(_session: Session) -> None:
        died.set()
        raise RuntimeError

    store.commit(Batch(messages=rows(30)))
    with monkeypatch.context() as patch:
        patch.setattr(Session, "exchange", break_down)
        publisher = Publisher(broker_of(mosquitto), store.path, "home")
        publisher.start()
        assert died.wait(20.0)
        publisher.stop()
    assert not publisher.is_alive()
    assert not publisher.state().connected
    with publishing(broker_of(mosquitto), store):
        arrived = subscriber.wait_for(lambda arrivals: len(ids(arrivals)) == 30)
    assert set(ids(arrived).values()) == {1}


@pytest.mark.parametrize("failures", [1, 2, 7, 1000])
def test_retries_come_ever_more_slowly_and_not_all_at_once(failures: int) -> None:
    delays = [retry_delay(failures, random.Random(seed)) for seed in range(100)]
    longest = min(LOST.longest, 2.0 ** (failures - 1))
    assert longest / 2 <= min(delays) < max(delays) <= longest


def _first_error(publisher: Publisher) -> str:
    """The publisher's fault, as soon as it has one."""
    told = threading.Event()
    while (error := publisher.state().error) is None:
        assert publisher.is_alive()
        told.wait(0.01)
    return error
