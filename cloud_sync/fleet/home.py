"""A simulated home: an outbox in RAM, a connection, and no lie about what arrived."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, socket
from typing import Final

from cloud_sync.fleet import wire
from cloud_sync.fleet.traffic import Traffic
from cloud_sync.messages.making import status, status_topic
from cloud_sync.receipts import read_receipt, receipt_topic
from edge.errors import BrokerError
from edge.notices import OutboxMessage

# As the daemon's own; and how long the broker keeps a home's session: longer than a simulation lasts. Our choice.
KEEP_ALIVE_S: Final = 60
SESSION_EXPIRY_S: Final = 3600
# Messages in flight, as the daemon's own publisher has them.
WINDOW: Final = 20
_STATUS: Final = 65_535  # packet identifiers of what is not in the outbox
_SUBSCRIBE: Final = 65_534
_MOST_IDENTIFIERS: Final = 60_000


@dataclass(slots=True)
class SimulatedHome:
    """One home; times are monotonic, s. `receipts` says whether it keeps a message until the collector has it.

    `lags` are the times from making a message to knowing that it is safe, `sent` counts PUBLISH packets of messages.
    """

    traffic: Traffic
    receipts: bool = True
    connection: socket | None = None
    connected: bool = False
    failures: int = 0
    made: dict[str, float] = field(default_factory=dict)
    waiting: deque[OutboxMessage] = field(default_factory=deque)
    kept: dict[str, OutboxMessage] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    sent: int = 0
    refused: int = 0
    last_write: float = 0.0
    _in_flight: dict[int, str] = field(default_factory=dict)
    _identifier: int = 0
    _out: bytearray = field(default_factory=bytearray)
    _decoder: wire.Decoder = field(default_factory=wire.Decoder)
    _messages: Iterator[OutboxMessage] | None = None

    @property
    def name(self) -> str:
        """Its id."""
        return self.traffic.home.id

    def make(self, now: float) -> None:
        """Make the next message, and send it when there is a connection."""
        if self._messages is None:
            self._messages = self.traffic.messages()
        message = next(self._messages)
        self.made[message.id] = now
        self.kept[message.id] = message
        self.waiting.append(message)
        self._fill(now)

    def open(self, address: tuple[str, int], now: float) -> socket:
        """Begin to connect; raises OSError where that fails at once."""
        connection = socket(AF_INET6 if ":" in address[0] else AF_INET, SOCK_STREAM)
        connection.settimeout(0.0)
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        result = connection.connect_ex(address)
        if result not in {0, errno.EINPROGRESS}:
            connection.close()
            raise OSError(result, "connect")
        self.connection = connection
        self._decoder = wire.Decoder()
        will = (status_topic(self.name), status(online=False))
        self._out = bytearray(wire.connect(self.name, KEEP_ALIVE_S, SESSION_EXPIRY_S, will))
        self.last_write = now
        return connection

    def drop(self) -> None:
        """The connection is gone: everything that is not safe goes again."""
        if self.connection is not None:
            self.connection.close()
        self.connection, self.connected = None, False
        self._in_flight.clear()
        self._out.clear()
        self.waiting = deque(self.kept.values())

    def wants_to_write(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._out)

    def write(self, now: float) -> None:
        """Send what can be sent; raises OSError when the connection is lost."""
        if self.connection is None:
            return
        try:
            size = self.connection.send(self._out)
        except BlockingIOError:
            return
        del self._out[:size]
        self.last_write = now

    def read(self, now: float, wall: float) -> None:
        """Take in what has come; raises OSError or BrokerError when the connection is lost."""
        if self.connection is None:
            return
        try:
            data = self.connection.recv(65_536)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        for packet in self._decoder.feed(data):
            self._heard(packet, now, wall)
        self._fill(now)

    def keep_alive(self, now: float) -> None:
        """Say that we are there, when there was nothing else to say."""
        if self.connected and now - self.last_write > KEEP_ALIVE_S / 2:
            self._out += wire.PINGREQ
            self.last_write = now

    def say_goodbye(self) -> None:
        """Leave without a last will."""
        if self.connected:
            self._out += wire.DISCONNECT

    def _heard(self, packet: wire.Packet, now: float, wall: float) -> None:
        match packet.type:
            case wire.PacketType.CONNACK if packet.reason == 0:
                self.connected, self.failures = True, 0
                if self.receipts:
                    self._out += wire.subscribe(receipt_topic(self.name), _SUBSCRIBE)
                self._out += wire.publish(status_topic(self.name), status(online=True, at=wall), _STATUS, retain=True)
            case wire.PacketType.PUBACK if packet.identifier != _STATUS:
                identifier = self._in_flight.pop(packet.identifier)
                self.refused += packet.reason >= 0x80
                if not self.receipts and packet.reason < 0x80:
                    self._safe(identifier, now)
            case wire.PacketType.PUBLISH:
                for identifier in read_receipt(packet.payload):
                    self._safe(identifier, now)
            case wire.PacketType.DISCONNECT | wire.PacketType.CONNACK:
                raise BrokerError(
                    f"it refuses: {packet.reason:#04x}", where="the broker", mend="let it take simulated homes"
                )

    def _safe(self, identifier: str, now: float) -> None:
        if self.kept.pop(identifier, None) is not None:
            self.lags.append(now - self.made[identifier])

    def _fill(self, now: float) -> None:
        while self.connected and self.waiting and len(self._in_flight) < WINDOW:
            message = self.waiting.popleft()
            if message.id not in self.kept:
                continue
            self._identifier = self._identifier % _MOST_IDENTIFIERS + 1
            self._in_flight[self._identifier] = message.id
            self._out += wire.publish(message.topic, message.payload, self._identifier)
            self.sent += 1
            self.last_write = now
