"""What a GATT profile must know to turn the bytes of its characteristics into Readings."""

from __future__ import annotations

from typing import ClassVar, Protocol

from edge.readings import Reading, Source


def assigned_uuid(number: int) -> str:
    """128-bit UUID, in lower case, of a 16-bit number that the Bluetooth SIG has assigned.

    The base is that of the Bluetooth Core Specification 5.4, volume 3, part B, 2.5.1.
    """
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


class Profile(Protocol):
    """One GATT service of a wearable; pure: bytes in, Readings or plain facts out.

    A module of this package that defines `PROFILE` is found by itself. All UUIDs are the 128-bit form in lower case.
    `notify` are the characteristics to subscribe to, where the wearable has them; `streams` are those of them that a
    worn wearable sends steadily, so that their silence is a fault; `read` are to be read once after connecting.
    """

    name: ClassVar[str]
    service: ClassVar[str]
    notify: ClassVar[tuple[str, ...]] = ()
    streams: ClassVar[tuple[str, ...]] = ()
    read: ClassVar[tuple[str, ...]] = ()

    def readings(
        self, _characteristic: str, _payload: bytes, _source: Source, _received_at: float, /
    ) -> tuple[Reading, ...]:
        """Readings of one packet, oldest first; none where it holds no measurement.

        The last argument is when the packet reached us, in seconds since 1970. Raises DecodeError for a packet that is
        not what its specification says, and nothing else.
        """
        return ()

    def facts(self, _characteristic: str, _payload: bytes, /) -> dict[str, str]:
        """What a packet tells of the wearable itself, such as its maker, by name; nothing for most profiles.

        Raises DecodeError for a packet that is not what its specification says, and nothing else.
        """
        return {}
