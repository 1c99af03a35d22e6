"""The MQTT broker: how to reach it, and its refusals in our own words."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import BrokerError, BrokerRefusedError

KEEP_ALIVE_S: Final = 60
# How long the broker keeps what it holds for a home that is away; our choice.
SESSION_EXPIRY_S: Final = 24 * 3600

_CREDENTIALS: Final = "check username and password_file under [broker]"
# Reason codes of CONNACK and DISCONNECT that somebody can do something about (MQTT 5.0, 3.2.2.2 and 3.14.2.1).
_MENDS: Final = {
    0x84: "set protocol under [broker] to one that it speaks",
    0x85: "choose another id under [home]",
    0x86: _CREDENTIALS,
    0x87: _CREDENTIALS,
    0x8E: "let no other Hearthbeat use the same id under [home]",
    0x90: "let the broker accept the topics hearthbeat/#",
    0x9A: "let the broker accept retained messages",
    0x9B: "let the broker accept QoS 1",
}


@dataclass(frozen=True, slots=True)
class Broker:
    """How to reach a broker; the password is read from its file whenever a connection is made."""

    host: str
    port: int = 8883
    protocol: Literal["5", "3.1.1"] = "5"
    tls: bool = True
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


def make_client(broker: Broker, client_id: str, *, keeps_session: bool = True) -> mqtt.Client:
    """A client, whose session `broker` keeps or not; raises BrokerError when a file of the settings cannot be used."""
    if broker.protocol == "5":
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
    else:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=not keeps_session,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
    if broker.tls:
        client.tls_set_context(_tls_context(broker))
    if broker.username is not None:
        client.username_pw_set(broker.username, _password(broker.password_file))
    return client


def send_connect(client: mqtt.Client, broker: Broker, *, session_expiry_s: int = SESSION_EXPIRY_S) -> None:
    """Reach the broker and ask for a session, kept for so long after; raises BrokerError when it cannot be reached."""
    try:
        if broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
            properties.SessionExpiryInterval = session_expiry_s
            client.connect(broker.host, broker.port, KEEP_ALIVE_S, clean_start=False, properties=properties)
        else:
            client.connect(broker.host, broker.port, KEEP_ALIVE_S)
    except OSError as error:
        raise _unreachable(error, broker) from error


def silence(what: str, broker: Broker) -> BrokerError:
    """What went wrong where the broker gave no reason."""
    return BrokerError(what, where=broker.address, mend="check that it runs, and port, tls and protocol under [broker]")


def refusal(what: str, reason: ReasonCode, broker: Broker) -> BrokerError:
    """What the broker says, as what, where and how to mend it; a BrokerRefusedError where it must be mended."""
    mend = _MENDS.get(reason.value)
    kind = BrokerError if mend is None else BrokerRefusedError
    return kind(f"{what}: {str(reason).lower()}", where=broker.address, mend=mend or "look into the broker's log")


def _tls_context(broker: Broker) -> ssl.SSLContext:
    file = broker.ca_file
    try:
        context = ssl.create_default_context(cafile=file)
        if broker.certificate_file is not None:
            file = broker.certificate_file
            context.load_cert_chain(file, broker.key_file)
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


def _unreachable(error: OSError, broker: Broker) -> BrokerError:
    kind = BrokerError
    match error:
        case ssl.SSLCertVerificationError():
            kind = BrokerRefusedError
            what = f"its certificate is not trusted: {error.verify_message}"
            mend = "name its certificate authority as ca_file under [broker]"
        case ssl.SSLError():
            what, mend = f"no encrypted connection: {error.reason}", "check port and tls under [broker]"
        case socket.gaierror():
            what, mend = "no such host is known", "check host under [broker], and the network"
        case _:
            what, mend = f"cannot be reached: {error.strerror or error}", "check host and port under [broker]"
    return kind(what, where=broker.address, mend=mend)
