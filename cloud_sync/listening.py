"""What a home hears from the broker: subscriptions, and handing over what comes, in the Session's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_sync.refusals import FIRST_FAILURE

_SEND_RETAINED: Final = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
_SEND_NONE_RETAINED: Final = SubscribeOptions.RETAIN_DO_NOT_SEND

_log = structlog.get_logger("publisher")


class Hearing(Protocol):
    """Takes what the broker sends to this home; called in the thread of the Session."""

    def topics(self) -> Mapping[str, bool]:
        """What is to be subscribed to now; True where what is retained there is wanted."""

    def subscribed(self, topic: str, refusal: str | None) -> None:
        """Take the broker's answer: why it refuses, None where it does not."""

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take a message: when this returns it is on disk, or not wanted. Raises StoreError, and it comes again."""


class Listening:
    """The subscriptions of one connection: those that `hearing` wishes for, and those that are added."""

    def __init__(self, client: mqtt.Client, protocol: Literal["5", "3.1.1"], hearing: Hearing | None) -> None:
        self._client = client
        self._protocol = protocol
        self._hearing = hearing
        self._own: dict[str, Callable[[bytes], None]] = {}
        self._subscribed: frozenset[str] = frozenset()
        self._subscribing: dict[int, str] = {}
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def add(self, topic: str, take: Callable[[bytes], None]) -> None:
        """Subscribe to `topic` too, for as long as the connection lasts; before the first `listen`."""
        self._own[topic] = take

    def listen(self) -> None:
        """Subscribe to what is wanted now, and to no more.

        What we say ourselves does not come back, and of commands nothing that was retained does (MQTT 5.0, 3.8.3.1); an
        older broker knows neither, and marks what was retained.
        """
        topics = dict.fromkeys(self._own, False)
        if self._hearing is not None:
            topics.update(self._hearing.topics())
        for topic in self._subscribed - topics.keys():
            self._client.unsubscribe(topic)
        for topic in topics.keys() - self._subscribed:
            if self._protocol == "5":
                handling = _SEND_RETAINED if topics[topic] else _SEND_NONE_RETAINED
                options = SubscribeOptions(qos=1, noLocal=True, retainHandling=handling)
                identifier = self._client.subscribe(topic, options=options)[1]
            else:
                identifier = self._client.subscribe(topic, qos=1)[1]
            if identifier is not None:
                self._subscribing[identifier] = topic
        self._subscribed = frozenset(topics)

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        topic = self._subscribing.pop(mid, None)
        if topic is None or not reasons:
            return
        refusal = str(reasons[0]) if reasons[0].value >= FIRST_FAILURE else None
        if topic not in self._own and self._hearing is not None:
            self._hearing.subscribed(topic, refusal)
        elif refusal is not None:
            _log.warning("the broker does not let us listen", topic=topic, reason=refusal)

    def _on_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        """Hand over what came; paho sends the PUBACK when this returns, and none when it raises StoreError."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # a broker that sends what nobody can have subscribed to
        if topic in self._own:
            self._own[topic](bytes(message.payload))
        elif self._hearing is not None:
            self._hearing.take(topic, bytes(message.payload), retained=message.retain)
