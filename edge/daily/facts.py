"""What is known of a person's day, or week, from the store: for the daily word, which puts it into sentences.

What was not measured is not there, and how much was measured stands beside what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.alerts.faults import is_fault
from edge.alerts.limits import STEADY
from edge.notices import Alert, AlertState, FaultKind
from edge.readings import UNSOUND, Channel, Quality, Risk
from edge.settings.home import PersonSettings
from edge.signals.night_baseline import Night, Verdict, judge_nights
from edge.store.signals import Series
from edge.store.store import Store
from edge.watches.nights import minute_rates, stored_nights

DAY_S: Final = 86_400.0
HOUR_S: Final = 3600.0
# What was measured within so many days is still worn, so that its absence is worth a word. Our choice.
WORN_LATELY_S: Final = 14 * DAY_S
# A minute is brisk from this mean ENMO on, mg: what Hildebrand et al., Medicine & Science in Sports & Exercise 46(9),
# 2014, found between light and moderate activity (3 MET) of adults, for ActiGraph at the wrist. It needs half a minute
# of samples, our choice.
BRISK_MG: Final = 100.0
LEAST_OF_MINUTE_S: Final = 30.0
# Glucose in range, mg/dL, and the share of its readings that a stretch must have to stand for itself: Battelino et al.,
# Diabetes Care 42:1593, 2019 (70 to 180; 70 %).
IN_RANGE_MG_DL: Final = (70.0, 180.0)
LEAST_READINGS: Final = 0.7
# Less of a stretch than this share cannot be summed up: six hours of a day. Our choice.
LEAST_OF_DAY: Final = 0.25
_PACE_S: Final = 300.0
# The weeks that a trend compares: the last one with the three before. Our choice.
TREND_S: Final = 7 * DAY_S
BEFORE_S: Final = 21 * DAY_S
# Minutes of which the sleep apnoea model says that breathing pauses are more likely than not.
SIGNS_SCORE: Final = 0.5
# Assessments of a risk that are read at most: more than a minute each for eight days.
_MOST_ASSESSMENTS: Final = 12_000
_MOST_ALERTS: Final = 1000
# What is measured now and then, and told as it was last.
_BY_HAND: Final = (Channel.SYSTOLIC, Channel.DIASTOLIC, Channel.TEMPERATURE, Channel.WEIGHT, Channel.BLOOD_GLUCOSE)
# Faults by which a person is not measured.
_OF_MEASURING: Final = frozenset(
    {FaultKind.NO_DATA, FaultKind.NEVER_SEEN, FaultKind.NOT_WORN, FaultKind.FROZEN_VALUE, FaultKind.BLUETOOTH}
)
_PIECE_S: Final = 600.0
_BAD: Final = int(UNSOUND)
_UNTIMELY: Final = int(UNSOUND | Quality.TIME_UNSURE)


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of a stretch: lowest, middle (median) and highest, in the channel's unit."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Glucose:
    """Shares (0..1) of the readings below, in and above IN_RANGE_MG_DL; `measured` is theirs of those there can be."""

    below: float
    within: float
    above: float
    measured: float


@dataclass(frozen=True, slots=True)
class Trend:
    """The last week beside the three before: the middle of each, None where too little is known of it.

    Beats a minute for nights, shares 0..1 for glucose; `known` and `needed` count the nights, or days, of both.
    """

    now: float | None
    before: float | None
    known: int
    needed: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A person's stretch from `start` to `end`, s since 1970 UTC; None and 0 hours where nothing was measured.

    `nights` are those that end after the stretch's first day, and are over. `hours` holds, by channel that was worn
    lately, how many were measured. `spots` are the last values of what was measured by hand, with their number.
    `alerts` are the person's and `faults` those of what measures, both with what was still so at `start`, up to
    `told_at`.
    """

    person: str
    start: float
    end: float
    told_at: float
    nights: tuple[Verdict, ...]
    heart_rate: Spread | None
    brisk_minutes: int | None
    glucose: Glucose | None
    apnoea_minutes: tuple[int, int] | None
    spots: dict[Channel, tuple[float, int]]
    hours: dict[Channel, float]
    resting_trend: Trend | None
    glucose_trend: Trend | None
    alerts: tuple[Alert, ...]
    faults: tuple[Alert, ...]

    @property
    def is_week(self) -> bool:
        """Whether it is more than a day, however long a day was."""
        return self.end - self.start > 2 * DAY_S


def facts_of(
    store: Store, person: PersonSettings, start: float, end: float, now: float, zone: tzinfo | None = None
) -> Facts | None:
    """The facts of a stretch of whole days as of `now`; None where nothing was measured lately at all, or only since.

    Nights are those of `zone`, None is the machine's.

    Raises StoreError.
    """
    lately = [channel for channel in STEADY if _was_worn(store, person.id, channel, start - WORN_LATELY_S, end)]
    spots = _spots(store, person.id, start, end)
    if not lately and not spots:
        return None
    hours, heart_rate = _heart_rate(store, person.id, start, end)
    moved_minutes, brisk = _movement(store, person, start, end)
    glucose = _glucose(store.signals.series(person.id, Channel.GLUCOSE, start, end), end - start)
    measured = {
        Channel.HEART_RATE: hours,
        Channel.ACCELERATION: moved_minutes / 60.0,
        Channel.GLUCOSE: 0.0 if glucose is None else glucose.measured * (end - start) / HOUR_S,
    }
    worn = {Channel.HEART_RATE if channel is Channel.RR_INTERVAL else channel for channel in lately}
    nights = stored_nights(store, person.id, now, zone)
    recent = [verdict for verdict in judge_nights(nights) if verdict.night.end > start + DAY_S]
    theirs, faults = _alerts(store, person, start, now)
    return Facts(
        person=person.id,
        start=start,
        end=end,
        told_at=now,
        nights=tuple(recent),
        heart_rate=heart_rate,
        brisk_minutes=brisk if moved_minutes else None,
        glucose=glucose,
        apnoea_minutes=_apnoea(store, person.id, [verdict.night for verdict in recent]),
        spots=spots,
        hours={channel: measured[channel] for channel in measured if channel in worn},
        resting_trend=_resting_trend(nights, now) if nights else None,
        glucose_trend=_glucose_trend(store, person.id, end) if Channel.GLUCOSE in worn else None,
        alerts=theirs,
        faults=faults,
    )


def _was_worn(store: Store, person: str, channel: Channel, since: float, end: float) -> bool:
    """Whether something measured a channel after `since`, and had begun before `end`."""
    for device in store.signals.devices(person, channel, since):
        span = store.signals.span(person, channel, device)
        if span is not None and span[0] < end:
            return True
    return False


def _heart_rate(store: Store, person: str, start: float, end: float) -> tuple[float, Spread | None]:
    """The hours with a heart rate, and what it was by the minute."""
    minutes = np.concatenate([minute_rates(store, person, *piece).bpm for piece in _pieces(start, end, DAY_S)])
    if not minutes.size:
        return 0.0, None
    low, middle, high = (float(value) for value in np.percentile(minutes, (0.0, 50.0, 100.0)))
    return minutes.size / 60.0, Spread(low, middle, high)


def _movement(store: Store, person: PersonSettings, start: float, end: float) -> tuple[int, int]:
    """How many minutes of acceleration there are, and how many of them were brisk; each of the best wearable then."""
    order = [wearable.address for wearable in person.wearables]
    devices = store.signals.devices(person.id, Channel.ACCELERATION, start)
    devices.sort(key=lambda device: order.index(device) if device in order else len(order))
    measured = brisk = 0
    for begin, after in _pieces(start, end, _PIECE_S) if devices else ():
        for device in devices:
            series = store.signals.series(person.id, Channel.ACCELERATION, begin, after, device)
            means = _enmo_by_minute(series, begin)
            if means.size:
                measured, brisk = measured + means.size, brisk + int(np.count_nonzero(means >= BRISK_MG))
                break
    return measured, brisk


def _enmo_by_minute(series: Series, start: float) -> NDArray[np.float64]:
    """Mean ENMO (van Hees et al., PLoS ONE 8(4): e61691, 2013), mg, of each minute with enough samples."""
    good = (series.quality & _BAD) == 0
    times, values = series.times[good], series.values[good]
    if times.size < 2:
        return np.empty(0)
    enmo = np.maximum(np.sqrt(np.square(values).sum(axis=1)) - 1000.0, 0.0)
    minute = np.maximum(np.ceil((times - start) / 60.0).astype(np.int64) - 1, 0)
    steps = np.minimum(np.diff(times, append=times[-1]), 1.0)
    counts, covered = np.bincount(minute), np.bincount(minute, steps)
    enough = covered >= LEAST_OF_MINUTE_S
    means: NDArray[np.float64] = (np.bincount(minute, enmo) / np.maximum(counts, 1))[enough]
    return means


def _glucose(series: Series, seconds: float) -> Glucose | None:
    good = (series.quality & _BAD) == 0
    times, values = series.times[good], series.values[good]
    if not values.size:
        return None
    low, high = IN_RANGE_MG_DL
    below, above = float(np.mean(values < low)), float(np.mean(values > high))
    slots = np.unique(np.floor(times / _PACE_S)).size
    return Glucose(below, 1.0 - below - above, above, min(1.0, slots * _PACE_S / seconds))


def _glucose_trend(store: Store, person: str, end: float) -> Trend:
    """Time in range, of stretches of which LEAST_READINGS are there."""
    series = store.signals.series(person, Channel.GLUCOSE, end - TREND_S - BEFORE_S, end)
    shares = []
    days = 0
    for begin, length in ((end - TREND_S, TREND_S), (end - TREND_S - BEFORE_S, BEFORE_S)):
        inside = (series.times > begin) & (series.times <= begin + length)
        found = _glucose(Series(series.times[inside], series.values[inside], series.quality[inside]), length)
        days += 0 if found is None else round(found.measured * length / DAY_S)
        shares.append(found.within if found is not None and found.measured >= LEAST_READINGS else None)
    return Trend(shares[0], shares[1], days, round(LEAST_READINGS * (TREND_S + BEFORE_S) / DAY_S))


def _resting_trend(nights: Sequence[Night], now: float) -> Trend:
    """Resting heart rate of the last week's nights beside those of the three before; five and ten are needed at least.

    Our choice: fewer are moved by a single drink or a late meal.
    """
    known = [(night.end, night.resting_bpm) for night in nights if night.resting_bpm is not None]
    last = [bpm for end, bpm in known if end > now - TREND_S]
    before = [bpm for end, bpm in known if now - TREND_S - BEFORE_S < end <= now - TREND_S]
    return Trend(
        float(np.median(last)) if len(last) >= 5 else None,
        float(np.median(before)) if len(before) >= 10 else None,
        len(last) + len(before),
        15,
    )


def _apnoea(store: Store, person: str, nights: Sequence[Night]) -> tuple[int, int] | None:
    """Minutes of these nights with signs of breathing pauses, and all that could be judged."""
    found = store.assessments.recent_assessments(person, Risk.SLEEP_APNOEA, _MOST_ASSESSMENTS) if nights else []
    scores = [
        one.score
        for one in found
        if one.score is not None and any(night.start < one.end <= night.end for night in nights)
    ]
    return (sum(score >= SIGNS_SCORE for score in scores), len(scores)) if scores else None


def _spots(store: Store, person: str, start: float, end: float) -> dict[Channel, tuple[float, int]]:
    found = {}
    for channel in (*_BY_HAND, Channel.SPO2):
        series = store.signals.series(person, channel, start, end)
        values = series.values[(series.quality & _UNTIMELY) == 0]
        if values.size:
            told = np.median(values) if channel is Channel.SPO2 else values[-1]
            found[channel] = (float(told), int(values.size))
    return found


def _alerts(
    store: Store, person: PersonSettings, start: float, now: float
) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """The person's alerts and the faults of what measures them that were not over at `start`, oldest first."""
    worn = {wearable.address for wearable in person.wearables}
    theirs, faults = [], []
    for alert in reversed(store.alerts.alerts(_MOST_ALERTS)):
        is_over = alert.state is AlertState.CLEARED and (alert.cleared_at or alert.opened_at) <= start
        if is_over or alert.opened_at > now:
            continue
        if not is_fault(alert):
            if alert.person == person.id:
                theirs.append(alert)
        elif alert.kind in _OF_MEASURING and (
            alert.kind == FaultKind.BLUETOOTH or not worn.isdisjoint(alert.subject.split(","))
        ):
            faults.append(alert)
    return tuple(theirs), tuple(faults)


def _pieces(start: float, end: float, length: float) -> Iterator[tuple[float, float]]:
    begin = start
    while begin < end:
        yield begin, min(begin + length, end)
        begin += length
