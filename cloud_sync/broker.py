"""The MQTT broker: how to reach it, and its refusals in our own words."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync.refusals import BUSY, MENDS
from edge.errors import BrokerBusyError, BrokerError, BrokerRefusedError

# After so long without a word the client asks whether the broker is there; paho's own default.
KEEP_ALIVE_S: Final = 60
# How long the broker keeps what it holds for a home that is away; our choice.
SESSION_EXPIRY_S: Final = 24 * 3600
# How long a home may be lost before the broker says so; our choice: a router that restarts takes less.
WILL_DELAY_S: Final = 60
# What a broker may send us at once: messages that are not acknowledged, and bytes in one packet. Our choice: commands,
# receipts and parts of models are smaller, and a small machine has no memory for MQTT's own 256 MB.
RECEIVE_MAXIMUM: Final = 20
LARGEST_PACKET: Final = 64 * 1024

# What a host name or address with a port has none of, and how long it may be (RFC 1035, 2.3.4).
_NOT_OF_A_HOST: Final = re.compile(r"[^0-9A-Za-z.:\[\]-]")
_LONGEST_HOST: Final = 255
# Codes of OpenSSL's x509_vfy.h, as in ssl.SSLCertVerificationError.verify_code.
_NOT_YET_VALID: Final = 9
_HAS_EXPIRED: Final = 10
_OF_ANOTHER_HOST: Final = frozenset({62, 64})  # by its name, by its address


@dataclass(frozen=True, slots=True)
class Broker:
    """How to reach a broker; the password is read from its file whenever a connection is made.

    `receipts` says that behind it is a collector that tells what it has stored (see receipts.py).
    """

    host: str
    port: int = 8883
    protocol: Literal["5", "3.1.1"] = "5"
    tls: bool = True
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    receipts: bool = False
    keep_alive_s: int = KEEP_ALIVE_S
    will_delay_s: int = WILL_DELAY_S

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    def fingerprint(self) -> tuple[object, ...]:
        """What changes when somebody mends one of the files."""
        files = (self.ca_file, self.certificate_file, self.key_file, self.password_file)
        return tuple(_version(file) for file in files if file is not None)


def make_client(broker: Broker, client_id: str, *, keeps_session: bool = True, comes_back: bool = False) -> mqtt.Client:
    """A client, whose session `broker` keeps or not; raises BrokerError when a file of the settings cannot be used."""
    if broker.protocol == "5":
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
    else:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=not keeps_session,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=comes_back,
        )
    if broker.tls:
        client.tls_set_context(_tls_context(broker))
    if broker.username is not None:
        client.username_pw_set(broker.username, _password(broker.password_file))
    return client


def set_will(client: mqtt.Client, broker: Broker, topic: str, payload: bytes) -> None:
    """What the broker is to say, retained, when the home is lost for longer than the delay.

    A home that is back in time is not said to have been away (MQTT 5.0, 3.1.3.2.2).
    """
    properties = None
    if broker.protocol == "5":
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]  # paho has no types here
        properties.WillDelayInterval = broker.will_delay_s
    client.will_set(topic, payload, qos=1, retain=True, properties=properties)


def send_connect(
    client: mqtt.Client,
    broker: Broker,
    *,
    session_expiry_s: int = SESSION_EXPIRY_S,
    receive_maximum: int = RECEIVE_MAXIMUM,
    largest_packet: int = LARGEST_PACKET,
) -> None:
    """Reach the broker and ask for a session, kept for so long after; raises BrokerError when it cannot be reached."""
    try:
        if broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
            properties.SessionExpiryInterval = session_expiry_s
            properties.ReceiveMaximum = receive_maximum
            properties.MaximumPacketSize = largest_packet
            client.connect(broker.host, broker.port, broker.keep_alive_s, clean_start=False, properties=properties)
        else:
            client.connect(broker.host, broker.port, broker.keep_alive_s)
    except OSError as error:
        raise _unreachable(error, broker) from error
    except UnicodeError as error:  # a host that IDNA cannot write
        raise BrokerRefusedError(
            "this is no host name", where=broker.address, mend="check host under [broker]"
        ) from error


def silence(what: str, broker: Broker) -> BrokerError:
    """What went wrong where the broker gave no reason."""
    return BrokerError(what, where=broker.address, mend="check that it runs, and port, tls and protocol under [broker]")


def refusal(what: str, reason: ReasonCode, broker: Broker, properties: Properties | None = None) -> BrokerError:
    """What the broker says, as what, where and how to mend it; by its kind one can tell whether waiting helps.

    Another server that it names is told, but not believed: our password goes to nobody whom the settings do not name.
    """
    mend = MENDS.get(reason.value)
    told = f"{what}: {str(reason).lower()}"
    if another := _NOT_OF_A_HOST.sub("", str(getattr(properties, "ServerReference", ""))[:_LONGEST_HOST]):
        told = f"{told}, which is {another}"
    if mend is not None:
        return BrokerRefusedError(told, where=broker.address, mend=mend)
    if reason.value in BUSY:
        return BrokerBusyError(told, where=broker.address, mend="look into the broker's log if it goes on")
    return BrokerError(told, where=broker.address, mend="look into the broker's log")


def hung_up(alert: str, broker: Broker) -> BrokerRefusedError:
    """The broker gave a TLS alert, in OpenSSL's words, instead of an answer.

    Under TLS 1.3 a client's handshake is over before the server has looked at the client's certificate, so that a
    refusal comes where an answer is awaited (RFC 8446, 6.2). It comes at the next attempt when TCP has thrown it away,
    which it does where the server closes with our CONNECT unread.
    """
    return BrokerRefusedError(
        f"it refuses our certificate: {alert.rpartition('] ')[2].partition(' (')[0]}",
        where=broker.address,
        mend="check certificate_file and key_file under [broker], and until when the certificate is valid",
    )


def _tls_context(broker: Broker) -> ssl.SSLContext:
    file = broker.ca_file
    try:
        # With a file only its authorities are trusted, not the system's.
        context = ssl.create_default_context(cafile=file)
        # Older ones are not to be used any more (RFC 8996).
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if broker.certificate_file is not None:
            file = broker.certificate_file
            # A password, though none is needed, keeps OpenSSL from asking for one at a terminal.
            context.load_cert_chain(file, broker.key_file, password="")
    except OSError as error:
        raise BrokerRefusedError(
            f"certificate cannot be used: {error.strerror or error}",
            where=str(file or broker.address),
            mend="name readable PEM files as ca_file, certificate_file and key_file under [broker]",
        ) from error
    return context


def _password(path: Path | None) -> str | None:
    """The first line of the password's file, read anew each time; it is in no message."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise BrokerRefusedError(
            f"password cannot be read: {why}", where=str(path), mend="make it readable for the user hearthbeat"
        ) from error


def _version(file: Path) -> tuple[int, int] | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size


def _unreachable(error: OSError, broker: Broker) -> BrokerError:
    kind = BrokerError
    match error:
        case ssl.SSLCertVerificationError():
            return _untrusted(error, broker)
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason and ("CERT" in reason or reason.endswith("CA")):
            return hung_up(reason.replace("_", " ").lower(), broker)
        case ssl.SSLError():
            what, mend = f"no encrypted connection: {error.reason}", "check port and tls under [broker]"
        case socket.gaierror():
            what, mend = "no such host is known", "check host under [broker], and the network"
        case _:
            what, mend = f"cannot be reached: {error.strerror or error}", "check host and port under [broker]"
    return kind(what, where=broker.address, mend=mend)


def _untrusted(error: ssl.SSLCertVerificationError, broker: Broker) -> BrokerError:
    """What is wrong with the broker's certificate, which may be what is wrong with our clock."""
    today = datetime.now(UTC).date().isoformat()
    if error.verify_code == _NOT_YET_VALID:
        # Nobody hands out certificates of the future: time mends it, when the network sets the clock.
        return BrokerError(
            f"by this machine's clock ({today}) its certificate is not valid yet",
            where=broker.address,
            mend="set this machine's clock, or wait until the network does",
        )
    if error.verify_code == _HAS_EXPIRED:
        return BrokerRefusedError(
            f"by this machine's clock ({today}) its certificate has expired",
            where=broker.address,
            mend="renew the broker's certificate, or set this machine's clock if it is ahead",
        )
    if error.verify_code in _OF_ANOTHER_HOST:
        return BrokerRefusedError(
            "its certificate is another host's",
            where=broker.address,
            mend="name it under [broker] host as its certificate does",
        )
    return BrokerRefusedError(
        f"its certificate is not trusted: {error.verify_message}",
        where=broker.address,
        mend="name its certificate authority as ca_file under [broker]",
    )
