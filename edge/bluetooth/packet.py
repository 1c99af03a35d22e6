"""What comes from a wearable, as it came."""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """One value of one characteristic as it came: `received_at` is in seconds since 1970.

    A named tuple, since a link makes one of every notification and a frozen dataclass takes twice as long.
    """

    address: str
    characteristic: str
    payload: bytes
    received_at: float
