"""How a broker is reached, and what is said when it is not."""

from __future__ import annotations

import datetime as dt
import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from cloud_sync.broker import Broker, make_client, send_connect
from cloud_sync.publisher import Publisher
from edge.errors import BrokerError
from edge.notices import OutboxMessage, Priority
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


class Listener:
    """A broker's TLS, with a certificate of its own choice, that takes one handshake and says no more."""

    def __init__(self, host: str, certificate: Path, key: Path, newest: ssl.TLSVersion) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
        self._context = context
        self._server = socket.create_server((host, 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._server, self._server.accept()[0] as connection, suppress(OSError):
            self._context.wrap_socket(connection, server_side=True).close()

    def close(self) -> None:
        """Wait for the handshake."""
        self._thread.join(20.0)


def told_by(
    authority: Authority,
    certificate: tuple[Path, Path],
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    host: str = "127.0.0.1",
) -> str:
    """What is said of a broker with this certificate, whose newest TLS is this one; nothing where it is taken."""
    listener = Listener(host, *certificate, newest)
    broker = Broker(host, listener.port, ca_file=authority.ca_file)
    try:
        client = make_client(broker, "home")
        send_connect(client, broker)
    except BrokerError as error:
        told = str(error)
    else:
        told = ""
        connection = client.socket()
        assert connection is not None
        connection.close()
    listener.close()
    gc.collect()  # paho drops the socket of a failed handshake unclosed
    return told


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pain_23_a_certificate_of_the_future_is_the_clocks_matter_and_one_of_the_past_perhaps(
    authority: Authority,
) -> None:
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    today = now.date().isoformat()
    early = told_by(authority, authority.issue("early", now + day, now + 9 * day))
    assert early.partition(": ")[2] == (
        f"by this machine's clock ({today}) its certificate is not valid yet; "
        "set this machine's clock, or wait until the network does"
    )
    late = told_by(authority, authority.issue("late", now - 9 * day, now - day))
    assert late.partition(": ")[2] == (
        f"by this machine's clock ({today}) its certificate has expired; "
        "renew the broker's certificate, or set this machine's clock if it is ahead"
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_a_certificate_of_another_host_is_told_as_that(authority: Authority, host: str) -> None:
    told = told_by(authority, authority.issue("another"), host=host)
    assert told.endswith("its certificate is another host's; name it under [broker] host as its certificate does")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_tls_older_than_1_2_is_spoken(authority: Authority) -> None:
    certificate = authority.issue("old")
    assert "no encrypted connection" in told_by(authority, certificate, ssl.TLSVersion.TLSv1_1)
    assert told_by(authority, certificate, ssl.TLSVersion.TLSv1_2) == ""


def told_of_our_certificate(settings: Broker, store: Store) -> str:
    """What is said, at one of the first attempts, of a broker that does not take our certificate."""
    publisher, moment = Publisher(settings, store.path, "home", pace=0.01), threading.Event()
    publisher.start()
    while "it refuses our certificate: " not in (error := publisher.state().error or ""):
        assert publisher.is_alive()
        moment.wait(0.001)
    assert publisher.state().refused
    publisher.stop()
    return error.partition("our certificate: ")[2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_of_ours_that_the_broker_does_not_take_is_told_as_that(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue("broker")
    options = f"cafile {authority.ca_file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true"
    broker = Mosquitto(tmp_path / "mosquitto", options=options)
    broker.start()
    now = dt.datetime.now(dt.UTC)
    past = authority.issue("past", now - dt.timedelta(days=9), now - dt.timedelta(days=1))
    stranger = Authority(tmp_path / "stranger", "another authority").issue("stranger")
    with Store(tmp_path / "hearthbeat.db") as store:
        for files, why in (((None, None), "certificate required"), (past, "certificate expired"), (stranger, "ca")):
            settings = replace(trusted(broker, authority), certificate_file=files[0], key_file=files[1])
            told = told_of_our_certificate(settings, store)
            assert why in told.partition(";")[0]
            assert told.endswith("and until when the certificate is valid")
    broker.stop()
    gc.collect()


def test_a_key_with_a_password_is_told_and_asks_nobody(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("locked")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    told = refused(Broker("127.0.0.1", certificate_file=certificate, key_file=locked))
    assert told.startswith(f"{certificate}: certificate cannot be used: ")


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
