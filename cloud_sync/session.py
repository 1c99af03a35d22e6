"""One connection to the broker: outbox rows out, acknowledgements and what is sent to the home in.

The outbox is the queue and our half of the session's state; paho holds only what is in flight. A row leaves the outbox
when the broker has acknowledged it with success, or when the collector says that it has stored it where receipts are
asked for, and never before, so that whatever dies in between, the row is sent again. A row that the broker refuses for
good is parked with the broker's reason; one that it may take another time stands back behind the others.

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
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync import messages
from cloud_sync.broker import KEEP_ALIVE_S, Broker, hung_up, make_client, refusal, send_connect, set_will, silence
from cloud_sync.listening import Hearing, Listening
from cloud_sync.packets import EXPIRING, never_goes
from cloud_sync.pulse import STEPS, Pulse
from cloud_sync.receipts import read_receipt, receipt_topic
from cloud_sync.receipts_awaited import ReceiptsAwaited
from cloud_sync.refusals import (
    ABOUT_THE_MESSAGE,
    FIRST_FAILURE,
    NOT_AUTHORISED,
    QUOTA_EXCEEDED,
    UNHEARD,
    Doubts,
    Verdict,
)
from edge.clock import Clock
from edge.errors import BrokerError, BrokerRefusedError
from edge.notices import OutboxMessage
from edge.store.outbox import Outbox

# Rows that are read, and acknowledged ones that are deleted, in one transaction. Our choice: some 40 kB.
ROWS: Final = 200
# Without being woken, the outbox is looked at this often, s; also the step in which keep-alives are noticed.
LOOK_EVERY_S: Final = 30.0
STEP_S: Final = 5.0
# How long the broker may take to answer CONNECT, and to acknowledge what is in flight when we stop, s. Our choice.
ANSWER_LIMIT_S: Final = 10.0
FAREWELL_LIMIT_S: Final = 3.0
# How long nothing is sent when the broker says that its quota is used up, s, doubling. Our choice: quotas are counted
# by the minute, the hour or the day.
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 900.0
_log = structlog.get_logger("publisher")


class Session:
    """A connection of `home` to `broker`; `window` is the most messages in flight, `hearing` takes what comes.

    `wake` is readable when there may be new rows, or an end is wanted; `doubts` outlive the connection, and `alive` is
    called at each turn of the network and each message. Used by one thread.
    """

    def __init__(
        self,
        broker: Broker,
        home: str,
        outbox: Outbox,
        clock: Clock,
        wake: socket.socket,
        window: int,
        *,
        hearing: Hearing | None = None,
        doubts: Doubts | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._broker = broker
        self._home = home
        self._outbox = outbox
        self._clock = clock
        self._wake = wake
        self._window = window
        self._doubts = Doubts() if doubts is None else doubts
        self._alive = alive
        self._open = 1  # messages that may be in flight now
        self._largest: int | None = None
        self._retains = True
        self._waiting: deque[OutboxMessage] = deque()
        self._look_at = 0.0
        self._in_flight: dict[int, OutboxMessage | None] = {}  # by packet identifier; None is a status
        self._acknowledged: list[str] = []
        self._awaited = ReceiptsAwaited() if broker.receipts else None
        self._closed_topics = outbox.parked_topics(_reason(NOT_AUTHORISED))
        self._quiet_until = float("-inf")
        self._pause_s = FIRST_PAUSE_S
        self._answer: ReasonCode | None = None
        self._farewell: ReasonCode | None = None
        self._said: Properties | None = None
        self._pulse = Pulse()
        self._why = self._alert = ""
        self._client = make_client(broker, f"hearthbeat-{home}")
        self._listening = Listening(self._client, broker.protocol, hearing)
        if self._awaited is not None:
            self._listening.add(receipt_topic(home), self._take_receipt)
        self.sent = 0
        self.parked = 0
        self.dropped = False  # the broker took us, and then closed the connection without a word
        self._client.max_inflight_messages_set(window)
        set_will(self._client, broker, messages.status_topic(home), messages.status(online=False))
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        self._client.on_log = self._on_log

    def connect(self) -> None:
        """Open the connection and say that the home is online; raises BrokerError when the broker does not take it."""
        send_connect(self._client, self._broker)
        self._pulse.heard()
        limit = time.monotonic() + ANSWER_LIMIT_S
        while self._answer is None:
            if time.monotonic() > limit:
                raise silence("it does not answer", self._broker)
            self._step(limit - time.monotonic())
        self._client.on_log = None
        if self._answer.is_failure:
            raise refusal("it refuses the connection", self._answer, self._broker, self._said)
        self._publish_status(online=True)

    def exchange(self) -> None:
        """Send what may be sent, then wait until something happens; raises BrokerError when the connection is lost."""
        self._listening.listen()
        self._fill_window()
        self._step(min(STEP_S, (self._client.keepalive or KEEP_ALIVE_S) / STEPS))
        if not self._in_flight or len(self._acknowledged) >= ROWS:
            self._delete_acknowledged()

    def complaint(self) -> str | None:
        """What is wrong although the connection stands, None when nothing is."""
        if self._quiet_until > time.monotonic() or self._pause_s > FIRST_PAUSE_S:
            return "it takes no more for now, since a quota is used up"
        return None if self._awaited is None else self._awaited.complaint(time.monotonic())

    def farewell(self) -> None:
        """Say that the home is offline, and end; what is not acknowledged soon stays in the outbox."""
        limit = time.monotonic() + FAREWELL_LIMIT_S
        self._await_acknowledgements(limit)
        if len(self._in_flight) >= self._window:
            return  # the broker takes no further message: it will say so itself, by the last will
        self._publish_status(online=False)
        self._await_acknowledgements(limit)
        self._delete_acknowledged()
        self._client.disconnect()

    def hang_up(self) -> None:
        """Cut the connection, from another thread."""
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            with suppress(OSError):  # it is closed
                connection.shutdown(socket.SHUT_RDWR)

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
            self._lost()
        # What TLS has already taken off the wire is not readable for select.
        buffered = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        writers = [connection] if self._client.want_write() else []
        readable, writable, _ = select.select(
            [connection, self._wake], writers, [], 0.0 if buffered else max(timeout, 0.0)
        )
        self._alive()
        if self._wake in readable:
            self._wake.recv(4096)
            self._waiting.clear()  # what is new may be more urgent than what was read before
            self._look_at = 0.0
        if buffered or connection in readable:
            self._pulse.heard()
            if self._client.loop_read() == mqtt.MQTT_ERR_PROTOCOL:
                self._why = "it sent what is no MQTT"
        if connection in writable:
            self._client.loop_write()
        self._client.loop_misc()
        trouble = self._pulse.trouble(self._client.keepalive, waiting=bool(self._in_flight))
        if self._answer is not None and trouble is not None:
            self._end(silence(trouble, self._broker))

    def _lost(self) -> NoReturn:
        """The connection has ended."""
        if self._farewell is not None:
            self._end(refusal("it ended the connection", self._farewell, self._broker, self._said))
        if self._alert:
            self._end(hung_up(self._alert, self._broker))
        taken = self._answer is not None
        self.dropped = taken and not self._why
        lost = "the connection was lost" if taken else "it closes the connection instead of answering"
        self._end(silence(self._why or lost, self._broker))

    def _end(self, error: BrokerError) -> NoReturn:
        """Draw the lesson from what was in flight, and raise `error`."""
        self._delete_acknowledged()
        rows = [message for message in self._in_flight.values() if message is not None]
        if len(rows) == len(self._in_flight) == 1:
            code = 0 if self._farewell is None else self._farewell.value
            if code in ABOUT_THE_MESSAGE:
                self._refused(rows[0], code)
            elif self._doubts.lost_with(rows[0].id, time.monotonic()) is Verdict.NEVER:
                self._park(rows[0], "the connection ended whenever it was sent")
        self._in_flight.clear()
        raise error

    def _fill_window(self) -> None:
        now = time.monotonic()
        if self._awaited is not None and self._awaited.overdue(now):
            self._waiting.clear()
            self._look_at = now
        while len(self._in_flight) < self._open and now >= self._quiet_until:
            if not self._waiting and not self._read_rows():
                return
            message = self._waiting[0]
            if self._awaited is not None and not self._awaited.has_room(message):
                return
            doubtful = self._doubts.is_doubtful(message.id)
            if doubtful and self._in_flight:
                return  # it goes alone
            self._waiting.popleft()
            why = never_goes(message, self._largest)
            if why is None and self._doubts.is_shut(message.topic, now):
                why = _reason(NOT_AUTHORISED)  # as those before it; each would cost a connection
            if why is not None:
                self._park(message, why)
                continue
            self._alive()
            self._send(message)
            if doubtful:
                return

    def _send(self, message: OutboxMessage) -> None:
        if not self._in_flight:
            self._pulse.moved()
        properties = None if self._broker.protocol != "5" else EXPIRING[message.priority]
        sending = self._client.publish(message.topic, message.payload, qos=1, properties=properties)
        self._in_flight[sending.mid] = message

    def _read_rows(self) -> bool:
        """Read further rows, most urgent first; whether there are any."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._delete_acknowledged()
        for topic in self._closed_topics:
            if self._doubts.may_knock(topic, now):
                self._outbox.release(topic, _reason(NOT_AUTHORISED), 1)
        apart = {message.id for message in self._in_flight.values() if message is not None} | self._doubts.held(now)
        if self._awaited is not None:
            apart.update(self._awaited.ids())
        self._waiting.extend(self._outbox.next_messages(ROWS, apart))
        if len(self._waiting) < ROWS:
            self._look_at = min(now + LOOK_EVERY_S, self._doubts.next_end(now))
        return bool(self._waiting)

    def _delete_acknowledged(self) -> None:
        if self._acknowledged:
            self._outbox.delete_messages(self._acknowledged)
            self._acknowledged.clear()

    def _park(self, message: OutboxMessage, reason: str) -> None:
        self._outbox.park_message(message.id, reason)
        self.parked += 1
        _log.warning("the broker refused a message, which is set aside", id=message.id, reason=reason)

    def _publish_status(self, *, online: bool) -> None:
        payload = messages.status(online=online, at=self._clock.wall())
        sending = self._client.publish(messages.status_topic(self._home), payload, qos=1, retain=self._retains)
        self._in_flight[sending.mid] = None
        self._pulse.moved()

    def _took(self, message: OutboxMessage, code: int) -> None:
        self.sent += 1
        self._open = self._window
        self._pause_s = FIRST_PAUSE_S
        self._doubts.took(message.id, message.topic)
        if self._awaited is None or self._awaited.taken(message.id, time.monotonic(), heard=code != UNHEARD):
            self._acknowledged.append(message.id)
        if message.topic in self._closed_topics:  # somebody has mended it
            self._closed_topics.discard(message.topic)
            self._outbox.release(message.topic, _reason(NOT_AUTHORISED))
            self._look_at = 0.0

    def _refused(self, message: OutboxMessage, code: int) -> None:
        now = time.monotonic()
        if code == QUOTA_EXCEEDED:
            self._quiet_until = now + self._pause_s
            self._pause_s = min(LONGEST_PAUSE_S, 2.0 * self._pause_s)
            _log.warning("the broker takes no more for now", reason=_reason(code))
        if code == NOT_AUTHORISED:
            self._doubts.shut(message.topic, now)
        if self._doubts.refused(message.id, code, now) is Verdict.NEVER:
            self._park(message, _reason(code))
        self._look_at = min(self._look_at, self._doubts.next_end(now))

    def _take_receipt(self, payload: bytes) -> None:
        try:
            identifiers = read_receipt(payload)
        except BrokerError as error:
            _log.warning("a receipt is passed over", error=str(error))
            return
        in_flight = {message.id for message in self._in_flight.values() if message is not None}
        assert self._awaited is not None  # noqa: S101 -- it listens only then
        self._acknowledged.extend(self._awaited.received(identifiers, in_flight))
        self._look_at = 0.0

    def _on_connect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answer, self._said = reason, properties
        # The broker's own limits (MQTT 5.0, 3.2.2.3.3 to 3.2.2.3.6), absent where it has none; it may not say 0.
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", 0) or self._window)
        self._largest = getattr(properties, "MaximumPacketSize", None)
        self._retains = bool(getattr(properties, "RetainAvailable", True))
        if not reason.is_failure and getattr(properties, "MaximumQoS", 1) == 0:
            raise BrokerRefusedError(
                "it takes QoS 0 only", where=self._broker.address, mend="let the broker accept QoS 1"
            )

    def _on_publish(
        self, _client: mqtt.Client, _userdata: object, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._alive()
        message = self._in_flight.pop(mid)
        self._pulse.moved()
        failed = reason.value >= FIRST_FAILURE
        if message is not None:
            if failed:
                self._refused(message, reason.value)
            else:
                self._took(message, reason.value)
        elif failed:
            _log.warning("the broker refused the home's status", reason=str(reason))

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._farewell, self._said = reason, properties

    def _on_log(self, _client: mqtt.Client, _userdata: object, level: int, text: str) -> None:
        # In the middle of connecting, only what TLS says is of interest.
        if level == mqtt.MQTT_LOG_ERR and " alert " in text:
            self._alert = text


def _reason(code: int) -> str:
    """A failure as parked rows tell it."""
    name = next(iter(ReasonCode.names.get(code, {"Unknown": []})))
    return f"{name} (0x{code:02X})"
