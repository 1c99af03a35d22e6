"""One connection to the broker: outbox rows out, acknowledgements in.

The outbox is the queue and our half of the session's state; paho holds only what is in flight. A row leaves the outbox
when the broker has acknowledged it with success, and never before, so that whatever dies in between, the row is sent
again. A row that the broker refuses is parked with the broker's reason, and so is one that it says is too large.

Until the first row is acknowledged, only one is in flight: mosquitto closes the connection behind a refusal
(eclipse-mosquitto/mosquitto#2579), and what else was on its way to it then makes TCP throw the refusal away unread.
Sent alone, a row that is refused is sure to hear so, and cannot be sent for ever.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_sync import messages
from cloud_sync.broker import Broker, make_client, refusal, send_connect, silence
from edge.clock import Clock
from edge.readings import OutboxMessage
from edge.store.outbox import Outbox

# Rows that are read, and acknowledged ones that are deleted, in one transaction. Our choice: some 40 kB.
ROWS: Final = 200
# Without being woken, the outbox is looked at this often, s; also the step in which keep-alives are noticed.
LOOK_EVERY_S: Final = 30.0
STEP_S: Final = 5.0
# How long the broker may take to answer CONNECT, and to acknowledge what is in flight when we stop, s. Our choice.
ANSWER_LIMIT_S: Final = 10.0
FAREWELL_LIMIT_S: Final = 3.0
# What a PUBLISH packet has beside topic and payload: fixed header, lengths, identifier, properties (MQTT 5.0, 3.3).
_PUBLISH_OVERHEAD: Final = 12
_SEND_RETAINED: Final = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
_SEND_NONE_RETAINED: Final = SubscribeOptions.RETAIN_DO_NOT_SEND
_FIRST_FAILURE: Final = 0x80  # reason codes from here on are failures (MQTT 5.0, 2.4)

_log = structlog.get_logger("publisher")


class Hearing(Protocol):
    """Takes what the broker sends to this home; called in the thread of the Session."""

    def topics(self) -> Mapping[str, bool]:
        """What is to be subscribed to now; True where what is retained there is wanted."""

    def subscribed(self, topic: str, refusal: str | None) -> None:
        """Take the broker's answer: why it refuses, None where it does not."""

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take a message: when this returns it is on disk, or not wanted. Raises StoreError, and it comes again."""


class Session:
    """A connection of `home` to `broker`; `window` is the most messages in flight, `hearing` takes what comes.

    `wake` is readable when there may be new rows, or an end is wanted. Used by one thread.
    """

    def __init__(
        self,
        broker: Broker,
        home: str,
        outbox: Outbox,
        clock: Clock,
        wake: socket.socket,
        window: int,
        hearing: Hearing | None = None,
    ) -> None:
        self._broker = broker
        self._home = home
        self._outbox = outbox
        self._clock = clock
        self._wake = wake
        self._window = window
        self._open = 1  # messages that may be in flight now
        self._largest: int | None = None
        self._waiting: deque[OutboxMessage] = deque()
        self._look_at = 0.0
        self._in_flight: dict[int, str | None] = {}  # packet identifier: id of the row, None for a status
        self._acknowledged: list[str] = []
        self._answer: ReasonCode | None = None
        self._farewell: ReasonCode | None = None
        self._hearing = hearing
        self._subscribed: frozenset[str] = frozenset()
        self._subscribing: dict[int, str] = {}
        self.sent = 0
        self.parked = 0
        self._client = make_client(broker, f"hearthbeat-{home}")
        self._client.max_inflight_messages_set(window)
        self._client.will_set(messages.status_topic(home), messages.status(online=False), qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def connect(self) -> None:
        """Open the connection and say that the home is online; raises BrokerError when the broker does not take it."""
        send_connect(self._client, self._broker)
        limit = time.monotonic() + ANSWER_LIMIT_S
        while self._answer is None:
            if time.monotonic() > limit:
                raise silence("it does not answer", self._broker)
            self._step(limit - time.monotonic())
        if self._answer.is_failure:
            raise refusal("it refuses the connection", self._answer, self._broker)
        self._publish_status(online=True)

    def exchange(self) -> None:
        """Send what may be sent, then wait until something happens; raises BrokerError when the connection is lost."""
        self._fill_window()
        self._listen()
        self._step(STEP_S)
        if not self._in_flight or len(self._acknowledged) >= ROWS:
            self._delete_acknowledged()

    def farewell(self) -> None:
        """Say that the home is offline, and end; what is not acknowledged soon stays in the outbox."""
        limit = time.monotonic() + FAREWELL_LIMIT_S
        self._await_acknowledgements(limit)
        self._publish_status(online=False)
        self._await_acknowledgements(limit)
        self._delete_acknowledged()
        self._client.disconnect()

    def close(self) -> None:
        """Let go of the socket; without a farewell, the broker publishes the last will."""
        connection = self._client.socket()
        if connection is not None:
            connection.close()

    def _await_acknowledgements(self, limit: float) -> None:
        while self._in_flight and time.monotonic() < limit:
            self._step(limit - time.monotonic())

    def _step(self, timeout: float) -> None:
        """One turn of the network: at most `timeout` seconds, or until something can be read or written."""
        connection = self._client.socket()
        if connection is None:
            self._delete_acknowledged()
        if self._farewell is not None:
            raise refusal("it ended the connection", self._farewell, self._broker)
        if connection is None:
            raise silence("the connection was lost", self._broker)
        # What TLS has already taken off the wire is not readable for select.
        buffered = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        writers = [connection] if self._client.want_write() else []
        readable, writable, _ = select.select(
            [connection, self._wake], writers, [], 0.0 if buffered else max(timeout, 0.0)
        )
        if self._wake in readable:
            self._wake.recv(4096)
            self._waiting.clear()  # what is new may be more urgent than what was read before
            self._look_at = 0.0
        if buffered or connection in readable:
            self._client.loop_read()
        if connection in writable:
            self._client.loop_write()
        self._client.loop_misc()

    def _fill_window(self) -> None:
        while len(self._in_flight) < self._open:
            if not self._waiting and not self._read_rows():
                return
            message = self._waiting.popleft()
            size = len(message.payload) + len(message.topic.encode()) + _PUBLISH_OVERHEAD
            if self._largest is not None and size > self._largest:
                self._park(message.id, f"{size} bytes, the broker takes {self._largest} at most")
                continue
            self._in_flight[self._client.publish(message.topic, message.payload, qos=1).mid] = message.id

    def _read_rows(self) -> bool:
        """Read further rows, most urgent first; whether there are any."""
        if time.monotonic() < self._look_at:
            return False
        self._delete_acknowledged()
        in_flight = {identifier for identifier in self._in_flight.values() if identifier is not None}
        self._waiting.extend(self._outbox.next_messages(ROWS, in_flight))
        if len(self._waiting) < ROWS:
            self._look_at = time.monotonic() + LOOK_EVERY_S
        return bool(self._waiting)

    def _delete_acknowledged(self) -> None:
        if self._acknowledged:
            self._outbox.delete_messages(self._acknowledged)
            self._acknowledged.clear()

    def _park(self, identifier: str, reason: str) -> None:
        self._outbox.park_message(identifier, reason)
        self.parked += 1
        _log.warning("the broker refused a message, which is set aside", id=identifier, reason=reason)

    def _listen(self) -> None:
        """Subscribe to what is wanted now, and to no more.

        What we say ourselves does not come back, and of commands nothing that was retained does (MQTT 5.0, 3.8.3.1); an
        older broker knows neither, and marks what was retained.
        """
        if self._hearing is None:
            return
        topics = self._hearing.topics()
        for topic in self._subscribed - topics.keys():
            self._client.unsubscribe(topic)
        for topic in topics.keys() - self._subscribed:
            if self._broker.protocol == "5":
                handling = _SEND_RETAINED if topics[topic] else _SEND_NONE_RETAINED
                options = SubscribeOptions(qos=1, noLocal=True, retainHandling=handling)
                identifier = self._client.subscribe(topic, options=options)[1]
            else:
                identifier = self._client.subscribe(topic, qos=1)[1]
            if identifier is not None:
                self._subscribing[identifier] = topic
        self._subscribed = frozenset(topics)

    def _publish_status(self, *, online: bool) -> None:
        payload = messages.status(online=online, at=self._clock.wall())
        self._in_flight[self._client.publish(messages.status_topic(self._home), payload, qos=1, retain=True).mid] = None

    def _on_connect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answer = reason
        # The broker's own limits on what it takes (MQTT 5.0, 3.2.2.3.3 and 3.2.2.3.6); absent where it has none.
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))
        self._largest = getattr(properties, "MaximumPacketSize", None)

    def _on_publish(
        self, _client: mqtt.Client, _userdata: object, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        identifier = self._in_flight.pop(mid)
        if identifier is None:
            if reason.value >= _FIRST_FAILURE:
                _log.warning("the broker refused the home's status", reason=str(reason))
        elif reason.value >= _FIRST_FAILURE:
            self._park(identifier, f"{reason} (0x{reason.value:02X})")
        else:
            self._acknowledged.append(identifier)
            self.sent += 1
            self._open = self._window

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        topic = self._subscribing.pop(mid, None)
        if topic is not None and self._hearing is not None and reasons:
            self._hearing.subscribed(topic, str(reasons[0]) if reasons[0].value >= _FIRST_FAILURE else None)

    def _on_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        """Hand over what came; paho sends the PUBACK when this returns, and none when it raises StoreError."""
        if self._hearing is None:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # a broker that sends what nobody can have subscribed to
        self._hearing.take(topic, bytes(message.payload), retained=message.retain)

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._farewell = reason
