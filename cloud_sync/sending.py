"""Words for homes on their way to the broker: sent, and known to be there, or an error."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync.broker import Broker, make_client, refusal, send_connect, silence

# How long the broker may take to answer, s. Our choice: that of a session.
ANSWER_LIMIT_S: Final = 10.0
_STEP_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Words:
    """What is to be said on a topic; retained, or forgotten by the broker after `expiry_s` (s)."""

    topic: str
    payload: bytes
    retained: bool = False
    expiry_s: int | None = None


def send(broker: Broker, words: Sequence[Words]) -> None:
    """Send all, and end when the broker has acknowledged each. Raises BrokerError with the broker's reason."""
    answers: list[ReasonCode] = []
    waiting: set[int] = set()
    refused: list[ReasonCode] = []

    def on_connect(
        _client: mqtt.Client, _userdata: object, _flags: mqtt.ConnectFlags, answer: ReasonCode, _: Properties | None
    ) -> None:
        answers.append(answer)

    def on_publish(_client: mqtt.Client, _userdata: object, mid: int, reason: ReasonCode, _: Properties | None) -> None:
        waiting.discard(mid)
        if reason.is_failure:
            refused.append(reason)

    client = make_client(broker, f"hearthbeat-sender-{uuid.uuid4().hex[:8]}", keeps_session=False)
    client.on_connect, client.on_publish = on_connect, on_publish
    try:
        send_connect(client, broker, session_expiry_s=0)
        _until(client, broker, lambda: bool(answers))
        if answers[0].is_failure:
            raise refusal("it refuses the connection", answers[0], broker)
        for one in words:
            waiting.add(client.publish(one.topic, one.payload, qos=1, retain=one.retained, properties=_expiry(one)).mid)
        _until(client, broker, lambda: not waiting)
        if refused:
            raise refusal("it refuses the message", refused[0], broker)
        client.disconnect()
    finally:
        connection = client.socket()
        if connection is not None:
            connection.close()


def _until(client: mqtt.Client, broker: Broker, done: Callable[[], bool]) -> None:
    limit = time.monotonic() + ANSWER_LIMIT_S
    while not done():
        if client.loop(_STEP_S) != mqtt.MQTT_ERR_SUCCESS and not done():
            raise silence("the connection was lost", broker)
        if time.monotonic() > limit:
            raise silence("it does not answer", broker)


def _expiry(words: Words) -> Properties | None:
    if words.expiry_s is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
    properties.MessageExpiryInterval = words.expiry_s
    return properties
