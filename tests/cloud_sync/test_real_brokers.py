"""Real mosquittos that are killed, slow, closed, bridged, or behind a network on which packets vanish."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from cloud_sync import receipts_awaited, refusals, session
from cloud_sync.broker import Broker
from cloud_sync.publisher import Publisher
from edge.notices import Priority
from edge.store.store import Batch, Store
from tests.fakes.broker import Mosquitto, Subscriber
from tests.fakes.narrow_link import NarrowLink
from tests.fakes.numbered import TOPIC, Collecting, bridged, numbers, rows
from tests.fakes.vanishing import network


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


@contextmanager
def publishing(broker: Broker, store: Store) -> Iterator[Publisher]:
    publisher = Publisher(broker, store.path, "home", pace=0.05, chance=random.Random(1))
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()
        assert not publisher.is_alive()


def reached(mosquitto: Mosquitto) -> Broker:
    return Broker(mosquitto.host, mosquitto.port, tls=False)


def test_pain_22_a_broker_that_is_killed_and_remembers_nothing_loses_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_awaited, "UNHEARD_WAIT_S", 0.2)
    monkeypatch.setattr(session, "STEP_S", 0.1)
    monkeypatch.setattr(session, "LOOK_EVERY_S", 0.1)
    mosquitto = Mosquitto(tmp_path / "mosquitto", persistence=False)
    mosquitto.start()
    collecting = Collecting(mosquitto, "hearthbeat/v1/#")
    broker = Broker(mosquitto.host, mosquitto.port, tls=False, receipts=True)
    store.commit(Batch(messages=rows(2000)))
    with publishing(broker, store) as publisher:
        collecting.wait_for(lambda arrivals: len(set(numbers(arrivals))) > 100)
        mosquitto.kill()
        mosquitto.start()
        collecting.wait_for(lambda arrivals: len(set(numbers(arrivals))) == 2000)
        while store.outbox.outbox_depth():
            assert publisher.is_alive()
    collecting.close()
    mosquitto.stop()


def test_a_topic_that_is_closed_is_left_alone_and_told_all_when_it_is_opened(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules"
    opened = "topic read #\ntopic write hearthbeat/v1/home/status\ntopic write hearthbeat/v1/home/+/alert\n"
    rules.write_text(opened)
    mosquitto = Mosquitto(tmp_path / "mosquitto", options=f"acl_file {rules}")
    mosquitto.start()
    subscriber = Subscriber(mosquitto)
    monkeypatch.setattr(refusals, "KNOCK_S", 1.5)
    alert = "hearthbeat/v1/home/anna/alert"
    store.commit(Batch(messages=[*rows(200), *rows(1, first=900, topic=alert)]))
    with publishing(reached(mosquitto), store) as publisher:
        subscriber.wait_for(lambda arrivals: numbers(arrivals) == [900])
        refused = [line for line in mosquitto.log if "Denied PUBLISH" in line]
        assert len(refused) == refusals.MOST_OF_A_TOPIC, "each costs a connection"
        assert len(store.outbox.parked()) == 200
        rules.write_text(opened + f"topic write {TOPIC}\n")
        mosquitto.reload()
        store.commit(Batch(messages=rows(1, first=901, topic=alert)))
        publisher.wake()
        # A publisher that is started anew tries at once what the one before it gave up.
    with publishing(reached(mosquitto), store):
        arrived = subscriber.wait_for(lambda arrivals: len(numbers(arrivals)) == 202)
    assert set(Counter(numbers(arrived)).values()) == {1}
    assert store.outbox.parked() == []
    subscriber.close()
    mosquitto.stop()


def test_an_alert_overtakes_what_waits_for_a_slow_link(store: Store, mosquitto: Mosquitto) -> None:
    link = NarrowLink(mosquitto.port, 500_000.0)
    subscriber = Subscriber(mosquitto)
    store.commit(Batch(messages=[replace(row, payload=row.payload.zfill(400)) for row in rows(400)]))
    with publishing(Broker("127.0.0.1", link.port, tls=False), store) as publisher:
        subscriber.wait_for(lambda arrivals: len(numbers(arrivals)) >= 50)
        store.commit(Batch(messages=rows(1, first=9999, priority=Priority.ALERT)))
        publisher.wake()
        arrived = numbers(subscriber.wait_for(lambda arrivals: len(numbers(arrivals)) == 401))
    assert arrived.index(9999) < 250
    assert [n for n in arrived if n != 9999] == list(range(400))
    subscriber.close()
    link.close()


def test_what_one_broker_has_taken_reaches_the_other_over_a_bridge(store: Store, tmp_path: Path) -> None:
    near, far = bridged(tmp_path)
    far.start()
    subscriber = Subscriber(far)
    near.start()
    store.commit(Batch(messages=rows(200)))
    with publishing(reached(near), store):
        arrived = numbers(subscriber.wait_for(lambda arrivals: len(set(numbers(arrivals))) == 200))
    assert store.outbox.outbox_depth() == 0
    assert set(arrived) == set(range(200))
    subscriber.close()
    near.stop()
    far.stop()


def test_messages_are_given_an_end_at_the_broker(store: Store, mosquitto: Mosquitto) -> None:
    expiries: dict[str, int] = {}

    class Looking(Subscriber):
        def _received(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
            expiries[message.topic] = getattr(message.properties, "MessageExpiryInterval", 0)
            super()._received(client, userdata, message)

    subscriber = Looking(mosquitto)
    kinds = (Priority.SUMMARY, Priority.FAULT, Priority.ALERT)
    store.commit(
        Batch(messages=[row for n, kind in enumerate(kinds) for row in rows(1, n, kind, f"hearthbeat/v1/home/{kind}")])
    )
    with publishing(reached(mosquitto), store):
        subscriber.wait_for(lambda arrivals: len(numbers(arrivals)) == 3)
    days = {topic.rpartition("/")[2]: round(seconds / 86_400) for topic, seconds in expiries.items()}
    assert days == {"summary": 35, "fault": 40, "alert": 90, "status": 0}
    subscriber.close()


def test_a_home_that_is_soon_back_was_never_away(store: Store, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    link = NarrowLink(mosquitto.port, 1e6)
    online = [True, True, False]
    with publishing(Broker("127.0.0.1", link.port, tls=False, will_delay_s=20), store) as publisher:
        subscriber.wait_for(lambda arrivals: len(arrivals) == 1)
        connection = publisher._session
        assert connection is not None
        connection.hang_up()
        subscriber.wait_for(lambda arrivals: len(arrivals) == 2)
    arrived = subscriber.wait_for(lambda arrivals: len(arrivals) == 3)
    assert [arrival.fields["online"] for arrival in arrived] == online
    link.close()


def test_two_homes_of_one_id_come_to_rest_whatever_the_broker_says(
    store: Store, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    with Store(tmp_path / "other.db") as other:
        pair = [Publisher(reached(mosquitto), one.path, "home", pace=0.005) for one in (store, other)]
        for publisher in pair:
            publisher.start()
        try:
            while not any(publisher.state().refused for publisher in pair):
                assert all(publisher.is_alive() for publisher in pair)
                pair[0]._stopping.wait(0.01)
            (told, *_) = [state.error for publisher in pair if (state := publisher.state()).refused]
        finally:
            for publisher in pair:
                publisher.stop()
        # mosquitto 2.0.11 ends the older connection without a word, 2.0.21 says why.
        assert re.search("(again and again, without a word|session taken over); let no other Hearthbeat use", str(told))


def test_packets_that_vanish_are_noticed_and_cost_nothing(store: Store, tmp_path: Path) -> None:
    with network() as far:
        mosquitto = Mosquitto(tmp_path / "mosquitto", host=far.address, prefix=far.prefix)
        mosquitto.start()
        subscriber = Subscriber(mosquitto)
        settings = Broker(mosquitto.host, mosquitto.port, tls=False, keep_alive_s=1)
        with publishing(settings, store) as publisher:
            store.commit(Batch(messages=rows(100)))
            publisher.wake()
            subscriber.wait_for(lambda arrivals: len(numbers(arrivals)) == 100)
            far.cut()
            store.commit(Batch(messages=rows(100, first=100)))
            publisher.wake()
            while publisher.state().connected:
                assert publisher.is_alive()
                publisher._stopping.wait(0.01)
            assert "nothing comes from it any more" in str(publisher.state().error)
            far.mend()
            arrived = numbers(subscriber.wait_for(lambda arrivals: len(set(numbers(arrivals))) == 200, 60.0))
        assert set(arrived) == set(range(200))
        assert store.outbox.outbox_depth() == 0
        subscriber.close()
        mosquitto.stop()
