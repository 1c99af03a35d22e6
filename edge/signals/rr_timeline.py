"""Places RR intervals on a time axis.

A Heart Rate Measurement carries RR intervals without times: none to nine in a packet, sometimes seconds late (Heart
Rate Service 1.0, 3.1.1.4). What can be known: consecutive intervals follow each other without a break, so the beats
themselves are the best clock; and a packet leaves the strap after its last beat and before the next one, so on an
undisturbed link

    0 <= arrival - last beat - (smallest such lag seen) < next RR interval

A packet that arrives later than that is either late, then the packets bunched behind it catch up, or others were lost
before it, then none of the following catches up. So it is held for at most HOLD_S until that is known. Late packets are
placed where the beats say; behind lost ones the chain goes on after a gap, marked GAP_BEFORE.

One lost beat can hide within that bound. But a strap sends once a second, with a beat or without, so that a pause
between two packets says where to look closer, unless as many packets follow it at once as it was long: behind it a lag
of SHARE of an interval, which none of the following falls below, is a lost beat. A packet that was lost without a beat
in it leaves no such lag.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from edge.readings import Quality, Reading

# What a link delays a packet by when nothing is wrong: a few connection intervals of 30 to 100 ms. Our choice.
JITTER_S: Final = 0.25
# How long a packet may be held until it is clear whether it was late or others were lost: three of the strap's packets,
# which come about once a second. Part of the loss bound, so short. Our choice.
HOLD_S: Final = 3.0
# From packet to packet: a second, or what is usual of a wearable that takes longer, by so many of its last. Our choice.
PERIOD_S: Final = 1.0
_PERIODS: Final = 9
# A pause in which another packet must have been lost, or be late: one and a half periods. Our choice.
PAUSE: Final = 1.5
# A lag behind a pause that says so, in intervals: a lost beat makes a whole one, and the beats' own phase, of which the
# smallest of a few packets counts, seldom a half. Our choice.
SHARE: Final = 0.5
# A lag that jumps by more than this, or falls by more than LEAP_BACK_S, is no lag: the wall clock was set. Our choice.
LEAP_FORWARD_S: Final = 120.0
LEAP_BACK_S: Final = 15.0
# The strap's crystal and ours differ by up to about 100 ppm; the smallest lag seen is let go at that rate so that the
# chain follows our clock. Two crystals of +-50 ppm, a usual tolerance.
DRIFT: Final = 1e-4
# Beyond this much the chain is pulled towards the packets' arrival, by at most SLEW of the time that passes: far less
# than beats vary, and never by moving one beat before another. Our choice.
SLACK_S: Final = 0.25
SLEW: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Packet:
    readings: tuple[Reading, ...]
    arrival: float
    duration: float


class RrTimeline:
    """The time axis of one wearable's RR intervals; pure, fed by `place` in order of arrival."""

    def __init__(self) -> None:
        self._end: float | None = None  # time of the last placed beat
        self._lag = 0.0  # smallest arrival - last beat of late, let go at DRIFT
        self._arrival = 0.0
        self._interval = 0.0  # last RR interval, s
        self._floor: float | None = None  # nothing is placed before this
        self._heard: float | None = None  # arrival of the last packet, with a beat or without
        self._pauses: deque[float] = deque(maxlen=_PERIODS)  # between the last packets
        self._period = PERIOD_S
        self._pause = False  # whether there was a pause since the last packet with a beat
        self._missing = 0.0  # packets that should have come since the last pause began, and did not
        self._missing_before = 0.0  # the same when it began
        self._held: list[_Packet] = []
        self._paused = False  # whether the first of what is held came behind a pause

    def hear(self, arrival: float) -> None:
        """Take that a packet has arrived, in seconds since 1970; `place` does so for those with a beat in them."""
        if self._heard is None:
            self._heard = arrival
            return
        pause, self._heard = arrival - self._heard, arrival
        periods = pause / self._period
        if periods >= PAUSE:
            self._pause, self._missing_before, self._missing = True, self._missing, 0.0
        self._missing += periods - 1.0
        self._pauses.append(pause)
        self._period = max(PERIOD_S, sorted(self._pauses)[len(self._pauses) // 2])

    def place(self, readings: Sequence[Reading]) -> list[Reading]:
        """The Readings whose time is now known, in order; those of this packet may be held back for up to HOLD_S.

        `readings` are the rr_interval Readings (ms) of one packet; `received_at` is their arrival.
        """
        if not readings:
            return []
        packet = _Packet(tuple(readings), readings[0].received_at, sum(sum(r.values) for r in readings) / 1000.0)
        self.hear(packet.arrival)
        paused, self._pause = self._pause, False
        if self._end is None:
            return self._anchor(packet)
        lag = self._lag_of([*self._held, packet])
        if lag > LEAP_FORWARD_S or lag < -LEAP_BACK_S:
            return [*self._release(gap=0.0), *self._anchor(packet, leap=True)]
        settled = []
        if paused:
            missing, self._missing = self._missing, self._missing_before
            settled = self._settle()
            self._paused, self._missing = True, missing
        self._held.append(packet)
        if self._lag_of(self._held) <= self._bound():
            return [*settled, *self._release(gap=0.0)]
        if packet.arrival - self._held[0].arrival < HOLD_S:
            return settled
        return [*settled, *self._settle()]

    def flush(self) -> list[Reading]:
        """What is held, placed as if it were late: for a link that ends."""
        return self._release(gap=0.0)

    def interrupt(self) -> list[Reading]:
        """The link was lost: what is held comes out, and the next packet begins a new chain behind a gap."""
        released = self.flush()
        self._floor = self._end
        self._end = None
        return released

    def _settle(self) -> list[Reading]:
        """Decide with what is known by now: whether others were lost before what is held."""
        if not self._held:
            return []
        gap = min(self._lag_of(self._held[: n + 1]) for n in range(len(self._held)))
        return self._release(gap=0.0 if gap <= self._bound() and self._paused else gap)

    def _bound(self) -> float:
        """The largest lag that means nothing."""
        if self._paused and self._missing >= PAUSE - 1.0:
            shortest = min(value for packet in self._held for reading in packet.readings for value in reading.values)
            return SHARE * min(self._interval, shortest / 1000.0)
        longest = max(value for reading in self._held[-1].readings for value in reading.values) / 1000.0
        return max(self._interval, longest) + JITTER_S

    def _lag_of(self, packets: Sequence[_Packet]) -> float:
        """By how much the last of these packets lags behind the quickest ones seen, if nothing was lost before them."""
        assert self._end is not None  # noqa: S101 -- callers have a chain
        return packets[-1].arrival - (self._end + sum(packet.duration for packet in packets)) - self._lag

    def _anchor(self, packet: _Packet, *, leap: bool = False) -> list[Reading]:
        """Begin a chain: the packet's last beat is taken to fall at its arrival."""
        start = packet.arrival - packet.duration
        if self._floor is not None and not leap:
            start = max(start, self._floor)
        self._end, self._lag, self._arrival = start, packet.arrival - packet.duration - start, packet.arrival
        return self._emit(packet, gap=True)

    def _release(self, *, gap: float) -> list[Reading]:
        packets, self._held, self._paused = self._held, [], False
        placed: list[Reading] = []
        for number, packet in enumerate(packets):
            assert self._end is not None  # noqa: S101 -- packets are held only when there is a chain
            if number == 0:
                self._end += gap
            placed += self._emit(packet, gap=number == 0 and gap > 0)
            self._follow(packet)
        return placed

    def _emit(self, packet: _Packet, *, gap: bool) -> list[Reading]:
        assert self._end is not None  # noqa: S101 -- see the callers
        placed = []
        for reading in packet.readings:
            quality = reading.quality | Quality.GAP_BEFORE if gap else reading.quality
            placed.append(replace(reading, start=self._end, quality=quality))
            self._end += sum(reading.values) / 1000.0
            self._interval = reading.values[-1] / 1000.0
            gap = False
        return placed

    def _follow(self, packet: _Packet) -> None:
        """Learn the lag from a packet just placed, and pull the chain towards it where they have drifted apart."""
        assert self._end is not None  # noqa: S101 -- see the callers
        elapsed = max(packet.arrival - self._arrival, 0.0)
        self._arrival = packet.arrival
        self._lag = min(self._lag + DRIFT * elapsed, packet.arrival - self._end)
        if abs(self._lag) > SLACK_S:
            limit = SLEW * packet.duration
            shift = max(-limit, min(limit, self._lag))
            self._end += shift
            self._lag -= shift
