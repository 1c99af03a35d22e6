"""A broker that does only what a test tells it to: for what no real broker can be made to do at will.

It answers CONNECT, and nothing else by itself: no PUBLISH, no SUBSCRIBE, no PINGREQ.
"""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import suppress
from typing import Final

CONNECT: Final = 1
PUBLISH: Final = 3
# CONNACK with success and a receive maximum of 3, PUBACK without properties (MQTT 5.0, 3.2 and 3.4).
_CONNACK: Final = bytes([0x20, 6, 0, 0, 3, 0x21, 0, 3])


class ScriptedBroker:
    """Listens on a free loopback port, takes one connection after another; its receive maximum is 3.

    `answer` is its CONNACK.
    """

    def __init__(self, answer: bytes = _CONNACK) -> None:
        self.answer = answer
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.published: queue.Queue[tuple[int, str]] = queue.Queue()  # packet identifier and topic
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def next(self) -> tuple[int, str]:
        """Packet identifier and topic of the next PUBLISH."""
        return self.published.get(timeout=20.0)

    def acknowledge(self, identifier: int, reason: int = 0) -> None:
        """Send PUBACK."""
        assert self._connection is not None
        self._connection.sendall(bytes([0x40, 4, *identifier.to_bytes(2, "big"), reason, 0]))

    def deliver(self, topic: str, payload: bytes) -> None:
        """Send PUBLISH with QoS 0, of less than 128 bytes."""
        body = len(topic).to_bytes(2, "big") + topic.encode() + b"\0" + payload
        self.send(bytes([0x30, len(body)]) + body)

    def disconnect(self, reason: int) -> None:
        """Send DISCONNECT, and hang up."""
        self.send(bytes([0xE0, 2, reason, 0]))
        self.hang_up()

    def send(self, packet: bytes) -> None:
        """Send whatever this is."""
        assert self._connection is not None
        self._connection.sendall(packet)

    def hang_up(self) -> None:
        """Drop the connection."""
        assert self._connection is not None
        with suppress(OSError):  # the client may have left first
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Drop everything."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(20.0)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:  # closed
                return
            with suppress(ConnectionError), connection, connection.makefile("rb") as stream:
                self._connection = connection
                while header := stream.read(1):
                    self._answer(header[0] >> 4, stream.read(_length(stream.read)))

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == CONNECT and self._connection is not None:
            self.connections += 1
            self._connection.sendall(self.answer)
        elif kind == PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            self.published.put((int.from_bytes(body[end : end + 2], "big"), body[2:end].decode()))


def _length(read: object) -> int:
    """A remaining length (MQTT 5.0, 1.5.5)."""
    assert callable(read)
    value, shift = 0, 0
    while True:
        byte: int = read(1)[0]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value
