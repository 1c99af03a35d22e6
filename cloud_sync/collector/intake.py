"""The connection to the broker: messages in, acknowledgements and receipts out, in the collector's event loop.

Collectors of one group share what homes send (MQTT 5.0, 4.8.2). A message stays the broker's until its PUBACK, which is
sent when the message is committed; what a broken connection leaves unacknowledged comes again. Packet identifiers count
for one connection only, so that a mark of an earlier one acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_sync.broker import make_client, refusal, send_connect, silence
from cloud_sync.collector.entries import Arrival
from cloud_sync.collector.settings import BrokerSection, CollectorSection
from edge.errors import BrokerError, BrokerRefusedError

TOPICS: Final = "hearthbeat/v1/#"
# How long a broker may take to answer a connection, s; our choice.
ANSWER_LIMIT_S: Final = 10.0
# Packets that are read in one go before others get their turn; our choice: some 10 ms.
_PACKETS: Final = 200
_MISC_EVERY_S: Final = 1.0
# So many bytes may wait here to be stored: whoever fills `in_flight` with payloads as large as they may be must not
# fill the memory. Our choice: a hundred times what homes send.
MOST_HELD: Final = 64 * 1024 * 1024
_TAKEN_OVER: Final = 0x8E  # MQTT 5.0, 3.14.2.1


class Intake:
    """One connection; `arrivals` holds what has come, `take` takes it, `on_arrival` is called when there is more."""

    def __init__(self, broker: BrokerSection, settings: CollectorSection, on_arrival: Callable[[], None]) -> None:
        self.arrivals: deque[Arrival] = deque()
        self.received = 0
        self.unacknowledged: set[int] = set()
        self._where = broker.broker()
        self._settings = settings
        self._on_arrival = on_arrival
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._held = 0  # bytes in `arrivals`
        self._paused = False
        self._writing = False
        self._connecting = True  # in a thread of its own, which must not touch the loop
        self._client = make_client(self._where, f"hearthbeat-collector-{settings.name}")
        self._client.manual_ack_set(on=True)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._came
        self._client.on_disconnect = self._disconnected
        # Registered, this keeps paho from writing at once: packets go out when the loop says that they can.
        self._client.on_socket_register_write = self._wants_to_write
        self._client.on_socket_unregister_write = self._has_written
        self._client.on_socket_close = self._closes

    async def connect(self) -> None:
        """Connect and subscribe; raises BrokerError."""
        await asyncio.to_thread(
            send_connect,
            self._client,
            self._where,
            session_expiry_s=round(self._settings.session_hours * 3600),
            receive_maximum=self._settings.in_flight,
            largest_packet=self._largest_packet(),
        )
        self._connecting = False
        self._loop.add_reader(self._socket(), self._read)
        self._loop.call_later(_MISC_EVERY_S, self._keep_alive)
        self._wants_to_write()
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._until(self._ready)
        except TimeoutError as error:
            raise silence("it does not answer", self._where) from error

    async def lost(self) -> None:
        """Return never; raises BrokerError when the connection ends."""
        await self._ended

    def take(self) -> Arrival:
        """The oldest arrival; raises IndexError where there is none."""
        arrival = self.arrivals.popleft()
        self._held -= len(arrival.payload)
        if self._paused and self._held < MOST_HELD // 2:
            self._paused = False
            connection = self._client.socket()
            if connection is not None and not self._ended.done():
                self._loop.add_reader(connection, self._read)
                self._loop.call_soon(self._read_on)
        return arrival

    def acknowledge(self, marks: Iterable[int]) -> None:
        """Tell the broker that these messages are ours now."""
        for mark in marks:
            if mark in self.unacknowledged:
                self.unacknowledged.discard(mark)
                self._client.ack(mark, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message that may be lost."""
        self._client.publish(topic, payload, qos=0)

    def close(self) -> None:
        """Leave; the broker keeps the session, and what was not acknowledged in it."""
        connection = self._client.socket()
        if connection is not None:
            self._client.disconnect()
            self._client.loop_write()
        connection = self._client.socket()
        if connection is not None:
            self._unwatch(connection)
            connection.close()
        if not self._ended.done():
            self._ended.cancel()
        if not self._ready.done():
            self._ready.cancel()

    async def _until(self, future: asyncio.Future[None]) -> None:
        await asyncio.wait({future, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        await (self._ended if self._ended.done() else future)

    def _largest_packet(self) -> int:
        """Of what is larger, the broker rids itself (MQTT 5.0, 3.1.2.11.4): leave room to see and refuse it."""
        return 2 * self._settings.largest_payload + 65_536

    def _socket(self) -> mqtt.SocketLike:
        connection = self._client.socket()
        if connection is None:
            raise silence("the connection was lost", self._where)
        return connection

    def _read(self) -> None:
        """Read until nothing more is there: paho reads one packet at a time."""
        for _ in range(_PACKETS):
            if self._held > MOST_HELD:
                self._pause()
                break
            before = self.received
            if self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                self._end(silence("the connection was lost", self._where))
                return
            if self.received == before and not self._buffered():
                break
        else:
            self._loop.call_soon(self._read_on)
        if self.arrivals:
            self._on_arrival()

    def _pause(self) -> None:
        """Leave what comes to the network; when that lasts, the broker ends the connection and keeps the messages."""
        connection = self._client.socket()
        if connection is not None:
            self._paused = True
            self._loop.remove_reader(connection)

    def _buffered(self) -> bool:
        """Whether TLS has taken something off the wire that the socket will not become readable for."""
        connection = self._client.socket()
        return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0

    def _read_on(self) -> None:
        if not self._paused and not self._ended.done() and self._client.socket() is not None:
            self._read()

    def _wants_to_write(self, *_: object) -> None:
        connection = self._client.socket()
        if not self._connecting and not self._writing and connection is not None and not self._ended.done():
            self._writing = True
            self._loop.add_writer(connection, self._write)

    def _has_written(self, _client: mqtt.Client, _userdata: object, connection: mqtt.SocketLike) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(connection)

    def _closes(self, _client: mqtt.Client, _userdata: object, connection: mqtt.SocketLike) -> None:
        """Paho closes a lost connection by itself: the loop must let go first, or it takes the next one for this."""
        if not self._connecting:
            self._unwatch(connection)

    def _unwatch(self, connection: mqtt.SocketLike) -> None:
        self._writing = False
        self._loop.remove_reader(connection)
        self._loop.remove_writer(connection)

    def _write(self) -> None:
        if self._client.loop_write() != mqtt.MQTT_ERR_SUCCESS:
            self._end(silence("the connection was lost", self._where))

    def _keep_alive(self) -> None:
        if self._ended.done():
            return
        if self._client.loop_misc() != mqtt.MQTT_ERR_SUCCESS:
            self._end(silence("the connection was lost", self._where))
        else:
            self._loop.call_later(_MISC_EVERY_S, self._keep_alive)

    def _end(self, error: BrokerError) -> None:
        connection = self._client.socket()
        if connection is not None:
            self._unwatch(connection)
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # asked for, so that asyncio does not warn where nobody waits

    def _connected(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._end(refusal("it refuses the connection", reason, self._where))
        elif getattr(properties, "SharedSubscriptionAvailable", 1) == 0:
            self._end(self._not_shared())
        else:
            # What was retained is no news, and a shared subscription gets none of it anyway.
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            client.subscribe(f"$share/{self._settings.group}/{TOPICS}", options=options)

    def _subscribed(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.value == 0x9E for reason in reasons):
            self._end(self._not_shared())
        elif any(reason.is_failure for reason in reasons):
            self._end(refusal("it refuses the subscription", reasons[0], self._where))
        elif not self._ready.done():
            self._ready.set_result(None)

    def _not_shared(self) -> BrokerError:
        return BrokerRefusedError(
            "it has no shared subscriptions", where=self._where.address, mend="take one that has (MQTT 5.0, 4.8.2)"
        )

    def _came(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        self.received += 1
        mark = message.mid if message.qos else None
        if mark is not None:
            self.unacknowledged.add(mark)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(not UTF-8)"
        self._held += len(message.payload)
        self.arrivals.append(Arrival(topic, bytes(message.payload), time.time(), mark))

    def _disconnected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.value == _TAKEN_OVER:
            self._end(
                BrokerRefusedError(
                    "another client has our name",
                    where=self._where.address,
                    mend="give every collector a name of its own under [collector]",
                )
            )
        elif flags.is_disconnect_packet_from_server:
            self._end(refusal("it ended the connection", reason, self._where))
        else:
            self._end(silence("the connection was lost", self._where))
