"""The packets of a strap, without a radio: for tests of what comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge.bluetooth.link import Packet
from edge.wearables.heart_rate import MEASUREMENT, HeartRateMeasurement, encode

STRAP = "C0:DE:00:00:00:01"


def strap_packets(
    rr_ms: Iterable[float], *, start: float, address: str = STRAP, contact: bool | None = True
) -> Iterator[Packet]:
    """One packet a second from `start` (s since 1970) on, with the beats since the last, as a strap sends them."""
    second, beat = 0, 0.0
    due: list[int] = []
    for rr in rr_ms:
        beat += rr / 1000.0
        while beat > second:
            yield _packet(start + second, due, address, contact)
            second, due = second + 1, []
        due.append(round(rr * 1.024))
    yield _packet(start + second, due, address, contact)


def _packet(at: float, rr_ticks: list[int], address: str, contact: bool | None) -> Packet:
    rate = round(60 * 1024 * len(rr_ticks) / sum(rr_ticks)) if rr_ticks else 60
    payload = encode(HeartRateMeasurement(rate, contact, None, tuple(rr_ticks)))
    return Packet(address, MEASUREMENT, payload, at)
