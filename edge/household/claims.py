"""Whose measurement was it, of a cuff, a thermometer or a scale that several people use? A guess, never a decision.

The people are ranked by how near the measurement is to what each has measured before, in value and in the time of day,
and by the user number that the device sends, if those who were asked before have told whose it is.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from edge.readings import NOBODY, Channel, Claim, Quality, Reading

# Packets of one weighing (weight, then body fat) come within this time, in seconds, and are one measurement. Our
# choice, short, since a measurement that waits is not yet on disk.
TOGETHER_S: Final = 3.0
# Without an answer for this long a measurement stays nobody's. Our choice: whoever was away for a week has forgotten.
PATIENCE_S: Final = 7 * 86_400.0
# Who is less likely than the likeliest by more than this factor is not asked. Our choice.
ASKED_FROM: Final = 0.05
# How many of a person's newest values are looked at, and how far back, in seconds. Our choice.
MOST_VALUES: Final = 50
LOOK_BACK_S: Final = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class _Spread:
    """How a channel varies: within a person from one time to the next, and the middle and the spread among people."""

    within: float
    usual: float
    among: float


# Rough figures, our choice, in the channel's unit: they only rank. Channels that a wearable streams all day (pulse,
# oxygen) are left out: in them everybody resembles everybody.
_SPREADS: Final[Mapping[Channel, _Spread]] = MappingProxyType(
    {
        Channel.SYSTOLIC: _Spread(9.0, 130.0, 25.0),
        Channel.DIASTOLIC: _Spread(6.0, 80.0, 15.0),
        Channel.WEIGHT: _Spread(1.0, 70.0, 20.0),
        Channel.BODY_FAT: _Spread(1.5, 28.0, 9.0),
        Channel.TEMPERATURE: _Spread(0.5, 36.8, 0.8),
        Channel.BLOOD_GLUCOSE: _Spread(30.0, 120.0, 50.0),
    }
)
RANKED: Final = tuple(_SPREADS)

# By how much a person's middle may have moved, of `within`, in each root of a month. Our choice.
_DRIFT: Final = 1.0
_MONTH_S: Final = 30 * 86_400.0
# How near to an earlier time of day is near, in seconds, and how often people keep to no time. Our choice.
_HABIT_S: Final = 5400.0
_NO_HABIT: Final = 0.5
_DAY_S: Final = 86_400.0
# Degrees of freedom of the tails: far-off values happen, and must not rule somebody out for ever. Our choice.
_FREEDOM: Final = 3.0
# What counts for those who have never said that they are the user of a number, beside the answers of those who have.
# Our choice: one answer speaks twentyfold for a person, as devices keep to their numbers, but people answer wrongly.
_UNTOLD: Final = 0.05


@dataclass(frozen=True, slots=True)
class Past:
    """A person's earlier values of one channel, with their times (seconds since 1970), oldest first."""

    times: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Readings of one packet of a shared device, with the user number that came with them."""

    readings: tuple[Reading, ...]
    user: int | None = None


@dataclass(slots=True)
class _Gathered:
    readings: list[Reading] = field(default_factory=list)
    user: int | None = None

    def takes(self, measurement: Measurement) -> bool:
        """Whether a packet tells more of the same measurement: of the same time, and no other value of a channel."""
        known = {reading.channel: reading.values for reading in self.readings}
        return all(
            abs(one.start - self.readings[0].start) <= TOGETHER_S
            and known.get(one.channel, one.values) == one.values
            and (self.user is None or measurement.user in (None, self.user))
            for one in measurement.readings
        )


def claims_of(device: str, measurements: Iterable[Measurement]) -> list[Claim]:
    """What a device has measured, in the order of its packets; packets of one measurement are put together."""
    gathered: list[_Gathered] = []
    for measurement in measurements:
        for start in dict.fromkeys(reading.start for reading in measurement.readings):
            part = Measurement(tuple(r for r in measurement.readings if r.start == start), measurement.user)
            place = next((one for one in gathered if one.takes(part)), None)
            if place is None:
                place = _Gathered()
                gathered.append(place)
            known = {reading.channel for reading in place.readings}
            place.readings += [reading for reading in part.readings if reading.channel not in known]
            place.user = part.user if place.user is None else place.user
    return [_claim(device, tuple(one.readings), one.user) for one in gathered]


def _claim(device: str, readings: tuple[Reading, ...], user: int | None) -> Claim:
    told = sorted((reading.channel.value, round(reading.start * 8.0), reading.values) for reading in readings)
    return Claim(
        id=hashlib.sha256(f"{device} {told}".encode()).hexdigest()[:12],
        device=device,
        measured_at=readings[0].start,
        received_at=max(reading.received_at for reading in readings),
        readings=tuple(replace(reading, person=NOBODY) for reading in readings),
        user=user,
    )


def claimed(claim: Claim, person: str) -> tuple[Reading, ...]:
    """The Readings as that person's."""
    return tuple(replace(reading, person=person) for reading in claim.readings)


def ranked(
    claim: Claim,
    people: Sequence[str],
    past: Mapping[str, Mapping[Channel, Past]],
    answers: Iterable[tuple[int, str]] = (),
) -> Claim:
    """The claim with `people` as its candidates, the likeliest first.

    `past` is what each has measured before; `answers` are the user numbers of earlier measurements of this device with
    those who have said that they were theirs.
    """
    told = Counter(answers)
    logs = {person: _nearness(claim, past.get(person, {})) + _by_number(claim.user, person, told) for person in people}
    highest = max(logs.values(), default=0.0)
    weights = {person: math.exp(log - highest) for person, log in logs.items()}
    total = sum(weights.values())
    shares = [(person, weight / total) for person, weight in weights.items()]
    return replace(claim, candidates=tuple(sorted(shares, key=lambda share: -share[1])))


def asked(claim: Claim) -> tuple[str, ...]:
    """The candidates who are likely enough to be asked, the likeliest first."""
    likeliest = max((share for _, share in claim.candidates), default=0.0)
    return tuple(person for person, share in claim.candidates if share >= ASKED_FROM * likeliest)


def _nearness(claim: Claim, past: Mapping[Channel, Past]) -> float:
    """Logarithm of how well a measurement fits to what a person has measured before, up to what is alike for all."""
    log, times = 0.0, dict[float, None]()
    for reading in claim.readings:
        spread = _SPREADS.get(reading.channel)
        if spread is None or reading.quality & (Quality.OUT_OF_RANGE | Quality.NO_CONTACT):
            continue
        known = past.get(reading.channel)
        log += _by_value(reading.values[-1], spread, known, claim.measured_at)
        times.update(dict.fromkeys(() if known is None else known.times[-MOST_VALUES:]))
    return log + _by_time(claim.measured_at, list(times))


def _by_value(value: float, spread: _Spread, past: Past | None, now: float) -> float:
    if past is None or not past.values:
        return _log_density(value, spread.usual, spread.among)
    values = sorted(past.values[-MOST_VALUES:])
    middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2.0
    away = sorted(abs(one - middle) for one in values)[len(values) // 2]
    # 1.4826 makes a standard deviation of a normal distribution's median absolute deviation.
    within = max(spread.within, 1.4826 * away)
    months = max(0.0, now - past.times[-1]) / _MONTH_S
    wide = min(within * math.sqrt(1.0 + 1.0 / len(values) + _DRIFT * months), math.hypot(within, spread.among))
    return _log_density(value, middle, wide)


def _log_density(value: float, middle: float, width: float) -> float:
    """Logarithm of Student's density, up to a constant."""
    return -math.log(width) - 0.5 * (_FREEDOM + 1.0) * math.log1p(((value - middle) / width) ** 2 / _FREEDOM)


def _by_time(at: float, times: Sequence[float]) -> float:
    """Logarithm of how usual the time of day is for a person, 0 where nothing is known."""
    if not times:
        return 0.0
    apart = [abs((at - time + _DAY_S / 2.0) % _DAY_S - _DAY_S / 2.0) for time in times]
    habit = sum(math.exp(-0.5 * (one / _HABIT_S) ** 2) for one in apart) / len(times)
    # Relative to any time of the day being alike: a normal density of that width times the day.
    relative = habit * _DAY_S / (_HABIT_S * math.sqrt(2.0 * math.pi))
    return math.log(_NO_HABIT + (1.0 - _NO_HABIT) * relative)


def _by_number(user: int | None, person: str, told: Counter[tuple[int, str]]) -> float:
    """Logarithm of how often this user number was this person's, of what was answered, up to what is alike for all."""
    return 0.0 if user is None else math.log(told[(user, person)] + _UNTOLD)
