"""What a PUBLISH may hold, and for how long a broker is to keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.notices import OutboxMessage, Priority

# What the broker is to keep for receivers that are away, s from when it has it (MQTT 5.0, 3.3.2.3.3); a home that is
# away keeps its messages itself, without end. Our choice: an alert as long as the home keeps the signals that it rests
# on; a fault, and a minute, for a month's outage of the collector and some days to mend it. After that a minute is of
# use only to a history, which can be asked for anew, and the broker's disk is everybody's.
EXPIRY_S: Final = {Priority.ALERT: 90 * 86_400, Priority.FAULT: 40 * 86_400, Priority.SUMMARY: 35 * 86_400}
# What a packet has beside topic and payload: type, length (4 at most), the topic's length, identifier, length of the
# properties, expiry (MQTT 5.0, 2.1 and 3.3). There is no topic alias (3.3.2.3.4): it would save some 40 bytes of a
# summary that holds many minutes, and a broker that forgets one ends the connection.
OVERHEAD: Final = 1 + 4 + 2 + 2 + 1 + 5
# A string's length has two bytes (MQTT 5.0, 1.5.4), a packet's remaining length is below 2^28 (1.5.5).
LONGEST_TOPIC: Final = 65_535
LARGEST: Final = 2**28 - 1
# Wildcards, and the character that no string of MQTT may hold (MQTT 5.0, 4.7.1 and 1.5.4).
_FORBIDDEN: Final = frozenset("+#\0")


def never_goes(message: OutboxMessage, largest: int | None) -> str | None:
    """Why a message cannot be sent to a broker that takes packets of `largest` bytes; None where it can."""
    try:
        topic = len(message.topic.encode())
    except UnicodeEncodeError:
        topic = 0
    if not 0 < topic <= LONGEST_TOPIC or not _FORBIDDEN.isdisjoint(message.topic):
        return f"no topic of MQTT ({len(message.topic)} characters)"
    size, most = len(message.payload) + topic + OVERHEAD, largest or LARGEST
    return f"{size} bytes, the broker takes {most} at most" if size > most else None


class _Packed(Properties):
    """Properties that are packed once: paho would look at each of MQTT's 27 for every message, a tenth of its time."""

    def __init__(self, properties: Properties) -> None:
        object.__setattr__(self, "_packed", bytes(properties.pack()))  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        """As they go into a packet."""
        packed: bytes = object.__getattribute__(self, "_packed")
        return packed


def _expiring(seconds: int) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
    properties.MessageExpiryInterval = seconds
    return _Packed(properties)


EXPIRING: Final[Mapping[Priority, Properties]] = {
    priority: _expiring(seconds) for priority, seconds in EXPIRY_S.items()
}
