"""How a broker is reached, and what is said when it is not."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_sync.broker import Broker, make_client, send_connect
from cloud_sync.publisher import Publisher
from edge.errors import BrokerError
from edge.readings import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.fakes.broker import Mosquitto, free_port
from tests.fakes.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def encrypted(authority: Authority, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that wants an encrypted connection and a certificate of the client."""
    certificate, key = authority.issue("broker")
    options = f"cafile {authority.ca_file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true"
    broker = Mosquitto(tmp_path / "mosquitto", options=options)
    broker.start()
    yield broker
    broker.stop()


def trusted(mosquitto: Mosquitto, authority: Authority) -> Broker:
    certificate, key = authority.issue("home")
    return Broker(mosquitto.host, mosquitto.port, ca_file=authority.ca_file, certificate_file=certificate, key_file=key)


def refused(broker: Broker) -> str:
    with pytest.raises(BrokerError) as caught:
        send_connect(make_client(broker, "home"), broker)
    told = str(caught.value)
    assert "\n" not in told
    del caught
    gc.collect()  # paho drops the socket of a failed handshake unclosed; the test that made it shall answer for it
    return told


def test_rows_travel_encrypted(encrypted: Mosquitto, authority: Authority, tmp_path: Path) -> None:
    messages = [OutboxMessage(f"id-{n}", "t", bytes(20_000), Priority.SUMMARY, float(n)) for n in range(50)]
    with Store(tmp_path / "hearthbeat.db") as store:
        store.commit(Batch(messages=messages))
        publisher = Publisher(trusted(encrypted, authority), store.path, "home")
        publisher.start()
        while publisher.state().sent < 50:
            assert publisher.is_alive()
            assert publisher.state().error is None
        publisher.stop()
        assert store.outbox.outbox_depth() == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_of_another_authority_is_not_trusted(
    encrypted: Mosquitto, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "another authority")
    told = refused(replace(trusted(encrypted, authority), ca_file=stranger.ca_file))
    assert told.startswith(f"127.0.0.1:{encrypted.port}: its certificate is not trusted: ")
    assert told.endswith("name its certificate authority as ca_file under [broker]")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_without_encryption_is_told_apart(mosquitto: Mosquitto) -> None:
    told = refused(Broker(mosquitto.host, mosquitto.port))
    assert told.endswith("check port and tls under [broker]") or "cannot be reached" in told


def test_a_certificate_that_is_none_names_its_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate\n")
    for broker in (Broker("h", ca_file=broken), Broker("h", certificate_file=broken)):
        assert refused(broker).startswith(f"{broken}: certificate cannot be used: ")


def test_a_broker_that_is_not_there_is_told_with_host_and_port() -> None:
    port = free_port()
    assert refused(Broker("127.0.0.1", port, tls=False)) == (
        f"127.0.0.1:{port}: cannot be reached: Connection refused; check host and port under [broker]"
    )


def test_an_unknown_host_is_told() -> None:
    told = refused(Broker("no-such-broker.invalid", tls=False))
    assert told == "no-such-broker.invalid:8883: no such host is known; check host under [broker], and the network"
