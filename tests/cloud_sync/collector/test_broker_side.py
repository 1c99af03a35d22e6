"""The collector and its broker: shared load, refusals, loss, and what is sealed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloud_sync.broker import Broker, make_client, send_connect
from cloud_sync.collector import reading
from cloud_sync.collector.entries import Arrival, Refusal, Row, Sealed
from cloud_sync.collector.reading import claimed_id, read
from cloud_sync.collector.service import Collector
from cloud_sync.collector.settings import load_settings
from cloud_sync.fleet.traffic import Traffic
from cloud_sync.messages.making import Home
from cloud_sync.messages.sealing import new_key, public_half
from cloud_sync.receipts import read_receipt, receipt_topic
from edge.errors import SettingsError
from tests.fakes.broker import Mosquitto, Subscriber
from tests.fakes.certificates import Authority
from tests.fakes.collecting import Sender, collecting, collector_settings, number, told, until

ALL = "SELECT (SELECT count(*) FROM hearthbeat.minute_messages) + (SELECT count(*) FROM hearthbeat.hour_messages)"


def count(collector: Collector, of: str) -> float:
    return collector.metrics.registry.get_sample_value(f"hearthbeat_collector_{of}_total") or 0.0


async def test_two_collectors_share_the_load_evenly(mosquitto: Mosquitto, database: str, sender: Sender) -> None:
    messages = told(200)
    async with (
        collecting(collector_settings(mosquitto, database, name="one")) as one,
        collecting(collector_settings(mosquitto, database, name="two")) as two,
    ):
        await asyncio.to_thread(sender.send, messages)
        await until(lambda: _stored(database, len(messages)))
        shares = [count(collector, "stored") / len(messages) for collector in (one, two)]
    assert sum(shares) == 1.0
    assert min(shares) > 0.45


async def _stored(database: str, wanted: int) -> bool:
    return await number(database, ALL) == wanted


async def test_the_broker_is_killed_and_forgets_and_comes_back(
    mosquitto: Mosquitto, database: str, sender: Sender
) -> None:
    async with collecting(collector_settings(mosquitto, database)) as collector:
        for _ in range(2):
            await asyncio.to_thread(mosquitto.kill)
            await until(lambda: _is(collector, "away"))
            assert "broker" in str(collector.health().why)
            await asyncio.to_thread(mosquitto.start)
            await until(lambda: _is(collector, "connected"))
        again = Sender(mosquitto)
        await asyncio.to_thread(again.send, told(3))
        again.close()
        await until(lambda: _stored(database, 3))


async def _is(collector: Collector, how: str) -> bool:
    return collector.health().broker == how


async def test_a_wrong_password_is_told_and_mended_by_a_right_one(tmp_path: Path, database: str) -> None:
    mosquitto = Mosquitto(tmp_path / "mosquitto", users={"collector": "right"})
    mosquitto.start()
    password = tmp_path / "password"
    settings = collector_settings(mosquitto, database)
    broker = settings.broker.model_copy(update={"username": "collector", "password_file": password})
    collector = Collector(settings.model_copy(update={"broker": broker}))
    running = asyncio.create_task(collector.run())
    try:
        await until(lambda: _says(collector, "password cannot be read"))
        password.write_text("wrong")
        await until(lambda: _says(collector, "check username and password_file"))
        password.write_text("right")
        await until(lambda: _is(collector, "connected"))
    finally:
        collector.stop()
        await running
        mosquitto.stop()


async def test_both_sides_show_certificates(tmp_path: Path, database: str) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("broker")
    options = f"cafile {authority.ca_file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true"
    mosquitto = Mosquitto(tmp_path / "mosquitto", options=options)
    mosquitto.start()
    mine, my_key = authority.issue("collector")
    settings = collector_settings(mosquitto, database)
    files = {"tls": True, "ca_file": authority.ca_file, "certificate_file": mine, "key_file": my_key}
    async with collecting(settings.model_copy(update={"broker": settings.broker.model_copy(update=files)})):
        told_by = Broker(
            mosquitto.host, mosquitto.port, ca_file=authority.ca_file, certificate_file=certificate, key_file=key
        )
        client = make_client(told_by, "home", keeps_session=False)
        send_connect(client, told_by, session_expiry_s=0)
        client.loop_start()
        messages = told(60)
        infos = [client.publish(message.topic, message.payload, qos=1) for message in messages]
        for info in infos:
            await asyncio.to_thread(info.wait_for_publish, 20.0)
        await until(lambda: _stored(database, len(messages)))
        client.disconnect()
        client.loop_stop()
    mosquitto.stop()


async def _says(collector: Collector, words: str) -> bool:
    return words in str(collector.health().why)


async def test_homes_hear_what_is_stored_what_was_there_and_what_is_set_aside(
    mosquitto: Mosquitto, database: str, sender: Sender
) -> None:
    listening = Subscriber(mosquitto, receipt_topic("home-1"))
    (message,) = told(1)
    newer = message.topic.replace("/v1/", "/v2/"), message.payload
    async with collecting(collector_settings(mosquitto, database)):
        await asyncio.to_thread(sender.publish, [(message.topic, message.payload)])
        await until(lambda: _stored(database, 1))
        await asyncio.to_thread(sender.send, [message])
        arrivals = await asyncio.to_thread(listening.wait_for, lambda arrivals: len(arrivals) >= 2)
    listening.close()
    assert [read_receipt(arrival.payload) for arrival in arrivals] == [[message.id], [message.id]]
    refused = read(Arrival(*newer, received=1e9), 1 << 20)
    assert isinstance(refused, Refusal)
    assert claimed_id(message.payload) == message.id


def test_what_is_sealed_is_kept_as_it_is_or_opened_with_the_key() -> None:
    key = new_key()
    traffic = Traffic(1, 29_000_000)
    traffic.home = Home(traffic.home.id, traffic.home.pseudonyms, public_half(key))
    message = next(traffic.messages())
    arrival = Arrival(message.topic, message.payload, 29_000_000 * 60.0 + 1e6)
    sealed = read(arrival, 1 << 20)
    assert isinstance(sealed, Sealed)
    assert (sealed.id, sealed.payload) == (message.id, message.payload)
    opened = read(arrival, 1 << 20, key)
    assert isinstance(opened, Row)
    assert opened.id == message.id
    assert isinstance(read(arrival, 1 << 20, new_key()), Refusal)


def test_a_fault_of_the_reader_stops_no_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reading, "parse", broken)
    (message,) = told(1)
    refused = read(Arrival(message.topic, message.payload, 1e9), 1 << 20)
    assert isinstance(refused, Refusal)
    assert refused.reason == "fault"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[broker]\nhost = "a"\n', "database: Field required"),
        ('[broker]\nhost = "a"\n[database]\nconninfo = "password=secret"\n', "a password does not belong here"),
        ('[broker]\nhost = "a"\n[database]\nconninfo = "postgresql://me:secret@db/hb"\n', "a password does not belong"),
        ("not TOML", "not TOML"),
        ('[broker]\nhost = "a"\nport = 0\n[database]\nconninfo = ""\n', "broker.port"),
    ],
)
def test_wrong_settings_are_told_in_one_line_without_secrets(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "collector.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words) as caught:
        load_settings(path)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
