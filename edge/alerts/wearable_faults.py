"""What is wrong with the wearables: silent, empty, not worn, frozen, never seen, or wrong about the time; pure.

Silence has two measures. A wearable that is in reach and says nothing is broken, and that is told soon; one that is out
of reach has most likely gone out with whoever wears it, or lies in a drawer for the night, and is told when no day out
lasts that long, nor what has become usual for it. A battery that was low explains either. Durations are counted from
look to look by the monotonic clock, so that a clock that is set, or a machine that slept, makes nobody silent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from edge.alerts.limits import Limits, spoken
from edge.alerts.sights import Findings, WearableSight
from edge.alerts.wearable_words import MISSED, called
from edge.notices import Fault, FaultKind, Severity
from edge.phrases import in_turn, phrase, words
from edge.readings import Channel

_MINUTE: Final = 60.0

# A device that sends one of these is used now and then: the heart rate beside it does not come by itself either.
_SPOT: Final = frozenset(
    {Channel.SPO2, Channel.SYSTOLIC, Channel.WEIGHT, Channel.BODY_FAT, Channel.TEMPERATURE, Channel.BLOOD_GLUCOSE}
)
# What a wearable has not sent for this much longer than its other channels is no longer asked of it. Our choice.
_OUTGROWN_S: Final = 7 * 86_400.0
# Data no older than this share of their limit show that a silence is over: a glucose sensor sends every 5 minutes.
_FRESH_SHARE: Final = 0.2
# A link that was connected or connecting within this time is in reach. Our choice: a link that is silent reconnects
# every half minute, and backs off for a minute at most.
_REACH_S: Final = 10 * _MINUTE
# Out of reach with a battery that was low is more likely empty than out: this share of the limit. Our choice.
_EMPTY_SHARE: Final = 1.0 / 3.0
# A wearable for sports is away for days, again and again: two such absences within USUAL_S make as long a one, and this
# much more, usual, for as long as a week has days. Our choice.
USUAL_S: Final = 21 * 86_400.0
_USUAL_SHARE: Final = 1.25
_LONGEST_USUAL_S: Final = 8 * 86_400.0
# Shorter absences than this are not worth remembering, in seconds.
LEAST_ABSENCE_S: Final = 6 * 3600.0
# What is never taken off, and is lost at night, has not gone out.
_NEVER_OFF: Final = frozenset({Channel.GLUCOSE})
# After the radio was away, wearables need this long to be back. Our choice; see also START_S.
_RETURN_S: Final = 5 * _MINUTE
# Wearables that fell silent within this time did so together, and are told together.
_TOGETHER_S: Final = 5 * _MINUTE
# A battery is well again this far above its limit, in percent: levels wander by a few as a battery warms or rests.
BATTERY_MARGIN: Final = 10.0
# Looks further apart than this were held up by the machine itself, and count as one of this length, in seconds.
LONGEST_LOOK_S: Final = 90.0
# A clock this far from ours puts what it stamps into a wrong hour; what is nearer is mended as it is read. Our choice.
CLOCK_LIMIT_S: Final = 15 * _MINUTE


@dataclass(slots=True)
class _Past:
    """What earlier looks saw of one wearable; ages in seconds of looking."""

    heard: dict[Channel, float]
    ages: dict[Channel, float]
    values: dict[Channel, float] = field(default_factory=dict)
    same_s: dict[Channel, float] = field(default_factory=dict)
    unreached_s: float = float("inf")
    reached_for_s: float = 0.0
    heard_at_night: bool = False
    absences: dict[float, float] = field(default_factory=dict)
    unworn_s: float = 0.0
    unworn_since: float | None = None
    sought_s: float = 0.0
    low_since: float | None = None
    battery_then: float | None = None

    def expected(self, limits: Limits) -> list[Channel]:
        """The channels that it is to send by itself; a device that is used now and then has none without a limit."""
        limited = {c for bounds in (limits.no_data_s, limits.away_s) for c, bound in bounds.items() if bound > 0.0}
        spot = any(channel in self.ages and channel not in limited for channel in _SPOT)
        newest = min(self.ages.values(), default=0.0)
        return [
            channel
            for channel, age in self.ages.items()
            if channel in limited and age - newest < _OUTGROWN_S and not (spot and channel is Channel.HEART_RATE)
        ]


class WearableFaults:
    """Looks at all wearables of a home, again and again, with what must be known of the looks before."""

    def __init__(self) -> None:
        self._past: dict[str, _Past] = {}
        self._radio_well_s = float("inf")

    def look(
        self,
        now: float,
        elapsed_s: float,
        sights: Sequence[WearableSight],
        limits: Mapping[str, Limits],
        *,
        radio_works: bool,
        is_night: bool,
        critical: Mapping[str, Collection[Channel]] = MappingProxyType({}),
    ) -> Findings:
        """What is wrong now, and what is well.

        `limits` are by person; `critical` names the channels of each person that a critical risk is watched by.
        """
        elapsed_s = min(elapsed_s, LONGEST_LOOK_S)
        self._radio_well_s = self._radio_well_s + elapsed_s if radio_works else 0.0
        found = Findings()
        for sight in sights:
            known = self._past.get(sight.address)
            was_away_s = 0.0 if known is None else min(known.ages.values(), default=0.0)
            advanced = self._advance(sight, now, elapsed_s if radio_works else 0.0, is_night=is_night)
            if advanced and was_away_s > LEAST_ABSENCE_S:
                found.absences[sight.address] = _note_absence(self._past[sight.address], now, was_away_s)
            past, limit = self._past[sight.address], limits[sight.person]
            _look_at_battery(sight, past, limit, now, found)
            _look_at_contact(sight, past, limit, now, found, elapsed_s if advanced and not is_night else 0.0)
            _look_for_frozen(sight, past, limit, now, found, elapsed_s if advanced else 0.0)
            _look_at_clock(sight, now, found)
            if self._radio_well_s >= _RETURN_S:
                _look_for_never_seen(sight, past, limit, now, found)
        if self._radio_well_s >= _RETURN_S:
            self._look_for_silence(now, sights, limits, critical, found)
        self._look_for_data(sights, limits, found)
        return found

    def _advance(self, sight: WearableSight, now: float, counted_s: float, *, is_night: bool) -> bool:
        """Take in what a look sees; whether anything has come since the look before."""
        past = self._past.get(sight.address)
        if past is None:
            heard = dict(sight.heard)
            past = _Past(heard, {channel: max(0.0, now - at) for channel, at in heard.items()})
            past.battery_then, past.absences = sight.battery_percent, dict(sight.absences)
            self._past[sight.address] = past
        new = [channel for channel, at in sight.heard.items() if at != past.heard.get(channel)]
        past.unreached_s = 0.0 if sight.in_reach or new else past.unreached_s + counted_s
        past.reached_for_s = past.reached_for_s + counted_s if past.unreached_s <= _REACH_S else 0.0
        past.sought_s += counted_s
        for channel in past.ages:
            past.ages[channel] += counted_s
        past.ages.update((channel, 0.0) for channel in new)
        past.heard.update(sight.heard)
        if new:
            past.battery_then, past.heard_at_night = sight.battery_percent, is_night
        return bool(new)

    def _look_for_silence(
        self,
        now: float,
        sights: Sequence[WearableSight],
        limits: Mapping[str, Limits],
        critical: Mapping[str, Collection[Channel]],
        found: Findings,
    ) -> None:
        silences = [
            silence for sight in sights if (silence := self._silence(sight, limits[sight.person], now)) is not None
        ]
        due = [silence for silence in silences if silence.share >= 1.0]
        for silence in silences:
            together = any(abs(silence.since - other.since) <= _TOGETHER_S for other in due)
            if silence.share >= 1.0 or (silence.share >= 0.5 and together):
                blind = self._blind(silence, sights, critical.get(silence.sight.person, ()))
                found.wrong.append(_silence_fault(silence, blind))

    def _silence(self, sight: WearableSight, limits: Limits, now: float) -> _Silence | None:
        """The longest silence of a wearable's channels, measured by their limits."""
        past = self._past[sight.address]
        near = past.unreached_s <= _REACH_S
        charging = None not in (sight.battery_percent, past.battery_then) and _gained(sight, past)
        low = sight.battery_percent is not None and sight.battery_percent <= limits.battery_low_percent
        shares = {}
        for channel in past.expected(limits):
            soon, away = limits.no_data_s.get(channel, 0.0), limits.away_s.get(channel, 0.0)
            if near and soon > 0.0 and not charging:
                # In reach, but only since it has come home: the silence before that was an outing.
                shares[channel] = min(past.ages[channel], past.reached_for_s) / soon
            elif channel in _NEVER_OFF and past.heard_at_night and soon > 0.0:
                shares[channel] = past.ages[channel] / soon
            elif away > 0.0:
                usual = 0.0 if channel in _NEVER_OFF else _usual_absence(past, now, away)
                shares[channel] = past.ages[channel] / (_EMPTY_SHARE * away if low else max(away, usual))
        silent = [channel for channel in shares if shares[channel] >= 0.5]
        if not silent:
            return None
        return _Silence(
            sight,
            share=max(shares.values()),
            since=min(now - past.ages[channel] for channel in silent),
            channels=tuple(silent),
            is_whole=len(silent) == len(shares),
            is_near=near,
            is_low=low,
            is_home=near or (past.heard_at_night and not _NEVER_OFF.isdisjoint(silent)),
        )

    def _blind(
        self, silence: _Silence, sights: Sequence[WearableSight], critical: Collection[Channel]
    ) -> Channel | None:
        """The channel that a critical risk is watched by and nobody sends any more, where its wearer is at home."""
        others = [
            self._past[sight.address]
            for sight in sights
            if sight.person == silence.sight.person and sight.address != silence.sight.address
        ]
        at_home = silence.is_home or any(past.unreached_s <= _REACH_S for past in others)
        for channel in silence.channels:
            sent = any(past.ages.get(channel, float("inf")) <= _REACH_S for past in others)
            if channel in critical and at_home and not sent:
                return channel
        return None

    def _look_for_data(self, sights: Sequence[WearableSight], limits: Mapping[str, Limits], found: Findings) -> None:
        silent = {(fault.kind, fault.subject) for fault in found.wrong}
        for sight in sights:
            key, past = (FaultKind.NO_DATA, sight.address), self._past[sight.address]
            limit = limits[sight.person]
            bounds = [(past.ages[c], limit.no_data_s.get(c) or limit.away_s[c]) for c in past.expected(limit)]
            if key not in silent and bounds and all(age <= bound * _FRESH_SHARE for age, bound in bounds):
                found.well.append(key)


@dataclass(frozen=True, slots=True)
class _Silence:
    """Channels of which nothing comes; `share` of the limit has passed, `is_home` says that it has not gone out."""

    sight: WearableSight
    share: float
    since: float
    channels: tuple[Channel, ...]
    is_whole: bool
    is_near: bool
    is_low: bool
    is_home: bool


def _usual_absence(past: _Past, now: float, least_s: float) -> float:
    """How long an absence may last until it is longer than usual, in seconds; 0 where none is usual."""
    lengths = [s for end, s in past.absences.items() if now - end <= USUAL_S and s >= least_s]
    return min(_USUAL_SHARE * sorted(lengths)[-2], _LONGEST_USUAL_S) if len(lengths) > 1 else 0.0


def _note_absence(past: _Past, now: float, length_s: float) -> Mapping[float, float]:
    """Take an absence down, and forget those that no longer count; what is left."""
    past.absences[now] = length_s
    past.absences = {end: length for end, length in past.absences.items() if abs(now - end) <= USUAL_S}
    return dict(past.absences)


def _gained(sight: WearableSight, past: _Past) -> bool:
    """Whether the battery has more than when data last came: it is being charged."""
    return (sight.battery_percent or 0.0) > (past.battery_then or 0.0)


def _silence_fault(silence: _Silence, blind: Channel | None) -> Fault:
    sight = silence.sight
    if silence.is_low:
        sentence = phrase(
            "Its battery was at {level:.0f} %, it is probably empty. Charge it, or change it.",
            level=sight.battery_percent or 0.0,
        )
    elif not silence.is_whole:
        sentence = phrase(
            "It sends, but nothing of {what}. See that it sits well, then switch it off and on again.",
            what=called(silence.channels),
        )
    elif silence.is_near:
        sentence = phrase("It is in reach but says nothing. Take it off and put it on again, or switch it off and on.")
        if sight.trouble is not None:
            sentence = phrase(
                "It is in reach but says nothing ({trouble}). Take it off and put it on again, or switch it off and "
                "on.",
                trouble=sight.trouble,
            )
    else:
        sentence = phrase("It is out of reach, off or empty. Look where it is, charge it, and put it on.")
    missed = None if blind is None else MISSED.get(blind)
    told = sentence if missed is None else in_turn((sentence, phrase(missed)))
    severity = Severity.WARNING if blind is None else Severity.CRITICAL
    return Fault(FaultKind.NO_DATA, sight.address, silence.since, told, sight.person or None, severity)


def _look_at_battery(sight: WearableSight, past: _Past, limits: Limits, now: float, found: Findings) -> None:
    level, limit = sight.battery_percent, limits.battery_low_percent
    if level is None:
        return
    if limit > 0.0 and level <= limit:
        past.low_since = now if past.low_since is None else past.low_since
        sentence = phrase(
            "Its battery is at {level:.0f} %. Charge it, or change the battery, before it falls silent.", level=level
        )
        found.wrong.append(
            Fault(FaultKind.BATTERY_LOW, sight.address, past.low_since, sentence, sight.person or None, Severity.INFO)
        )
    elif level >= limit + BATTERY_MARGIN:
        past.low_since = None
        found.well.append((FaultKind.BATTERY_LOW, sight.address))


def _look_at_contact(
    sight: WearableSight, past: _Past, limits: Limits, now: float, found: Findings, elapsed_s: float
) -> None:
    if sight.worn is not False:
        past.unworn_s, past.unworn_since = 0.0, None
        if sight.worn:
            found.well.append((FaultKind.NOT_WORN, sight.address))
        return
    past.unworn_since = now if past.unworn_since is None else past.unworn_since
    past.unworn_s += elapsed_s
    if 0.0 < limits.not_worn_s <= past.unworn_s:
        sentence = phrase("It sends, but says that it is not worn. Put it on; wet the electrodes of a chest strap.")
        found.wrong.append(
            Fault(FaultKind.NOT_WORN, sight.address, past.unworn_since, sentence, sight.person or None, Severity.INFO)
        )


def _look_for_frozen(
    sight: WearableSight, past: _Past, limits: Limits, now: float, found: Findings, elapsed_s: float
) -> None:
    """Values are compared from look to look: a minute's sameness is no news, hours of it are."""
    frozen, changed = [], False
    for channel, limit in limits.frozen_s.items():
        value = sight.values.get(channel)
        if value is None or sight.worn is False:
            past.same_s.pop(channel, None)
            continue
        if value != past.values.get(channel):
            changed |= elapsed_s > 0.0
            past.same_s[channel] = 0.0
        else:
            past.same_s[channel] = past.same_s.get(channel, 0.0) + elapsed_s
        if 0.0 < limit <= past.same_s[channel]:
            frozen.append(channel)
    past.values.update(sight.values)
    if frozen:
        since = now - max(past.same_s[channel] for channel in frozen)
        sentence: str = phrase(
            "It sends the very same {what} again and again, which no body does. Switch it off and on again.",
            what=called(frozen),
        )
        if Channel.HEART_RATE in frozen:
            pacemaker = phrase("With a pacemaker this may be right: then switch off frozen_min for this person.")
            sentence = in_turn((sentence, pacemaker))
        found.wrong.append(Fault(FaultKind.FROZEN_VALUE, sight.address, since, sentence, sight.person or None))
    elif changed:
        found.well.append((FaultKind.FROZEN_VALUE, sight.address))


def _look_at_clock(sight: WearableSight, now: float, found: Findings) -> None:
    ahead = sight.clock_ahead_s
    if ahead is None:
        return
    if abs(ahead) < CLOCK_LIMIT_S:
        found.well.append((FaultKind.DEVICE_CLOCK, sight.address))
        return
    fast = words("Its own clock is {time} fast, so that what it stores has a wrong time. Set it.")
    slow = words("Its own clock is {time} slow, so that what it stores has a wrong time. Set it.")
    sentence = phrase(fast if ahead > 0.0 else slow, time=spoken(abs(ahead)))
    found.wrong.append(Fault(FaultKind.DEVICE_CLOCK, sight.address, now, sentence, sight.person or None, Severity.INFO))


def _look_for_never_seen(sight: WearableSight, past: _Past, limits: Limits, now: float, found: Findings) -> None:
    if past.ages:
        found.well.append((FaultKind.NEVER_SEEN, sight.address))
    elif 0.0 < limits.never_seen_s <= past.sought_s:
        unheard = words(
            "It is in the settings, but nothing was ever heard of it. Check its address, and use it near the receiver."
        )
        unused = words(
            "It is in the settings, but it has never measured anything. Check its address, and use it near the "
            "receiver."
        )
        sentence = phrase(unheard if past.unreached_s > past.sought_s else unused)
        since = now - past.sought_s
        found.wrong.append(
            Fault(FaultKind.NEVER_SEEN, sight.address, since, sentence, sight.person or None, Severity.INFO)
        )
