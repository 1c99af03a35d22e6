"""Which of a person's wearables counts, channel by channel, when several measure the same.

The first in the person's order of preference counts while it sends and is worn. When it falls silent, or says that it
is not worn, the next that is worn takes over; when the better one is back, and has stayed for a while, it is given
back. At any moment one wearable counts and no other, and none comes and goes by the second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from edge.readings import UNSOUND, Channel, Quality


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a wearable may be silent before the next takes over, and how long it must be back to count again, s."""

    silence_s: float
    steady_s: float


# A strap sends a packet a second, so that this is many lost ones in a row, and many kept ones. Our choice.
USUAL: Final = Patience(silence_s=30.0, steady_s=30.0)
# A glucose sensor sends every five minutes at most: three of its readings, the age at which Nightscout calls its data
# stale, and two readings in a row. Our choice.
SLOW: Final[Mapping[Channel, Patience]] = MappingProxyType({Channel.GLUCOSE: Patience(900.0, 240.0)})

# Says of a sample that it is no sign that its wearable measures somebody.
_NO_SIGN: Final = UNSOUND


@dataclass(slots=True)
class _Candidate:
    """What is known of one wearable on one channel: its last good sample, and since when it is back.

    One that was good from the first sample on is back for ever, one that is not worn not at all (None).
    """

    last_good: float = -math.inf
    since: float | None = -math.inf

    def hear(self, at: float, quality: Quality, patience: Patience) -> bool:
        """Take a sample; whether it is a good one."""
        # Arithmetic of flags is slow, and nearly every sample is good.
        if quality is not Quality.GOOD and quality & _NO_SIGN:
            if quality & Quality.NO_CONTACT or self.last_good == -math.inf:
                self.since = None
            return False
        lost = -math.inf < self.last_good <= at - patience.silence_s
        if lost or self.since is None:
            self.since = at
        self.last_good = at
        return True


@dataclass(slots=True)
class _Choice:
    device: str | None = None
    candidates: dict[str, _Candidate] = field(default_factory=dict)


class Sources:
    """One person's sources; pure, told of every sample in the order of time.

    `preferred` are the person's wearables, the best first; `orders` are those channels' that differ, and need not name
    all: who is not named comes after, as in `preferred`.
    """

    def __init__(self, preferred: Sequence[str], orders: Mapping[Channel, Sequence[str]] | None = None) -> None:
        self._choices: dict[Channel, _Choice] = {}
        self.prefer(preferred, orders)

    def prefer(self, preferred: Sequence[str], orders: Mapping[Channel, Sequence[str]] | None = None) -> None:
        """Take another order; a wearable that is not in it any more counts for nothing."""
        self._preferred = tuple(preferred)
        self._orders = dict(orders or {})
        self._choices = {channel: one for channel, one in self._choices.items() if one.device in self._preferred}

    def order(self, channel: Channel) -> tuple[str, ...]:
        """The wearables in the order of preference for a channel."""
        first = tuple(self._orders.get(channel, ()))
        return first + tuple(device for device in self._preferred if device not in first)

    def current(self, channel: Channel) -> str | None:
        """The wearable that counts; None before any has sent."""
        choice = self._choices.get(channel)
        return None if choice is None else choice.device

    def begin(self, channel: Channel, device: str, at: float) -> None:
        """Take that `device` has counted until `at`, as before a restart."""
        self._choices[channel] = _Choice(device, {device: _Candidate(at)})

    def takes(self, channel: Channel, device: str, at: float, quality: Quality = Quality.GOOD) -> bool:
        """Whether a sample of this quality counts, that `device` sent at `at`, in s on a clock that never goes back."""
        choice = self._choices.get(channel)
        if choice is None:
            choice = self._choices[channel] = _Choice()
        candidate = choice.candidates.get(device)
        if candidate is None:
            candidate = choice.candidates[device] = _Candidate()
        patience = SLOW.get(channel, USUAL)
        good = candidate.hear(at, quality, patience)
        if choice.device == device:
            return True
        if choice.device is None or (good and self._is_better(channel, device, at, choice, patience)):
            choice.device = device
            return True
        return False

    def _is_better(self, channel: Channel, device: str, at: float, choice: _Choice, patience: Patience) -> bool:
        """Whether `device`, which has just sent a good sample, counts rather than the one that has until now."""
        present = choice.device
        assert present is not None  # noqa: S101 -- somebody has sent before
        if at - choice.candidates[present].last_good >= patience.silence_s:
            return True
        since = choice.candidates[device].since
        is_back = since is not None and at - since >= patience.steady_s
        return is_back and self._rank(channel, device) < self._rank(channel, present)

    def _rank(self, channel: Channel, device: str) -> int:
        """The place in the order; one that is in none, as after it was given away, is the last."""
        order = self.order(channel)
        return order.index(device) if device in order else len(order)
