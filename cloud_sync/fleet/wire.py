"""As much of MQTT 5 as ten thousand simulated homes need in one thread: bytes in, packets out, no sockets, no threads.

The daemon itself uses paho-mqtt, which takes a client object with locks, buffers and a socket pair for each connection.
Numbers in brackets are sections of MQTT Version 5.0, OASIS Standard, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge.errors import BrokerError

PINGREQ: Final = b"\xc0\x00"  # 3.12
DISCONNECT: Final = b"\xe0\x00"  # 3.14: normal disconnection, the last will is not sent
_SESSION_EXPIRY: Final = 0x11  # 3.1.2.11.2
_LARGEST: Final = 268_435_455  # 1.5.5: what four bytes of a length can say


class PacketType(IntEnum):
    """The first four bits of a packet (2.1.2), as far as a home hears them."""

    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBACK = 9
    PINGRESP = 13
    DISCONNECT = 14


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet from the broker, with what its type has: `reason` is the code of an answer."""

    type: PacketType
    identifier: int = 0
    reason: int = 0
    session_present: bool = False
    topic: str = ""
    payload: bytes = b""


class Decoder:
    """Cuts packets out of a stream of bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete now; raises BrokerError."""
        data = self._rest + data
        packets, start = [], 0
        while True:
            head = _length(data, start + 1)
            if head is None or head[1] + head[0] > len(data):
                break
            size, begin = head
            try:
                packets.append(_packet(data[start], data[begin : begin + size]))
            except (IndexError, ValueError) as error:
                raise _unexpected(f"not a packet that a home expects: {data[start]:#04x}") from error
            start = begin + size
        self._rest = data[start:]
        return packets


def connect(client_id: str, keep_alive_s: int, session_expiry_s: int, will: tuple[str, bytes] | None = None) -> bytes:
    """CONNECT (3.1) that takes up its session again; `will` is retained, with QoS 1."""
    properties = bytes([_SESSION_EXPIRY]) + session_expiry_s.to_bytes(4, "big")
    flags = 0 if will is None else 0x04 | 0x08 | 0x20  # 3.1.2: a will, its QoS 1, its retain
    body = _text("MQTT") + bytes([5, flags]) + keep_alive_s.to_bytes(2, "big") + _varint(len(properties)) + properties
    body += _text(client_id)
    if will is not None:
        topic, payload = will
        body += b"\x00" + _text(topic) + len(payload).to_bytes(2, "big") + payload
    return _framed(0x10, body)


def publish(topic: str, payload: bytes, identifier: int, *, retain: bool = False) -> bytes:
    """PUBLISH (3.3) with QoS 1."""
    body = _text(topic) + identifier.to_bytes(2, "big") + b"\x00" + payload
    return _framed(0x32 | retain, body)


def subscribe(topic: str, identifier: int) -> bytes:
    """SUBSCRIBE (3.8) with QoS 0."""
    return _framed(0x82, identifier.to_bytes(2, "big") + b"\x00" + _text(topic) + b"\x00")


def _unexpected(what: str) -> BrokerError:
    return BrokerError(what, where="MQTT", mend="check that a broker of MQTT 5 is there")


def _packet(first: int, body: bytes) -> Packet:
    kind = PacketType(first >> 4)
    match kind:
        case PacketType.CONNACK:
            return Packet(kind, session_present=bool(body[0] & 1), reason=body[1])
        case PacketType.PUBACK:
            return Packet(kind, int.from_bytes(_exactly(body, 2), "big"), body[2] if len(body) > 2 else 0)
        case PacketType.SUBACK:
            return Packet(kind, int.from_bytes(_exactly(body, 2), "big"), body[-1])
        case PacketType.PUBLISH:
            return _published(first, body)
        case PacketType.DISCONNECT:
            return Packet(kind, reason=body[0] if body else 0)
        case PacketType.PINGRESP:
            return Packet(kind)


def _published(first: int, body: bytes) -> Packet:
    if first & 0x06:
        message = "a home asks for QoS 0 only"
        raise ValueError(message)
    size = int.from_bytes(_exactly(body, 2), "big")
    topic = _exactly(body[2:], size).decode()
    properties = _length(body, 2 + size)
    if properties is None or properties[0] + properties[1] > len(body):
        message = "cut off"
        raise ValueError(message)
    return Packet(PacketType.PUBLISH, topic=topic, payload=body[sum(properties) :])


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) < size:
        message = "cut off"
        raise ValueError(message)
    return data[:size]


def _length(data: bytes, start: int) -> tuple[int, int] | None:
    """A variable byte integer (1.5.5) and where it ends; None where it is not complete yet."""
    value = 0
    for place in range(4):
        if start + place >= len(data):
            return None
        byte = data[start + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, start + place + 1
    raise _unexpected("a length of more than four bytes")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _framed(first: int, body: bytes) -> bytes:
    if len(body) > _LARGEST:
        raise _unexpected("too large for a packet")
    return bytes([first]) + _varint(len(body)) + body
