"""Which signal the picture of an alert shows, taken from the store: for each risk, rule and trend one view.

What is stored but says nothing of the person (off the body, out of range) is left out, and so is what came from another
wearable than the one shown; where nothing is known the curve is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge.alerts.thresholds import ThresholdRule
from edge.daily.word import person_of
from edge.errors import StoreError
from edge.notices import Alert, AlertState, Notification
from edge.notify.charts import Chart
from edge.notify.texts import WEEKLY
from edge.readings import CHANNELS, UNSOUND, Channel, Risk
from edge.settings.home import PersonSettings
from edge.settings.rules import rules_of
from edge.signals.night_baseline import BASELINE_NIGHTS, judge_nights
from edge.store.store import Store
from edge.watches.nights import RESTING_HEART_RATE, minute_rates, stored_nights

# Points of a line at most, and those of dots: more than a phone's screen can tell apart. Our choice.
MOST_POINTS: Final = 480
MOST_DOTS: Final = 1500
# Level 1 hypoglycaemia (American Diabetes Association, Standards of Care, after Battelino et al., Diabetes Care
# 42:1593, 2019): what the risk looks ahead for.
LOW_GLUCOSE: Final = 70.0
_HOUR: Final = 3600.0
# With a daily word goes the day before and the night that followed; a quarter of an hour without a heart rate is a hole
# in the line. Our choice.
_DAY_AND_NIGHT_S: Final = 32 * _HOUR
_HOLE_S: Final = 900.0

_log = structlog.get_logger("charting")


@dataclass(frozen=True, slots=True)
class _View:
    """What is shown: the last `span_s` seconds of a channel, broken where no sample came for `gap_s`.

    `past` says that it is the time before the alert was raised, whenever somebody is told.
    """

    channel: Channel
    span_s: float
    gap_s: float
    dots: bool = False
    limits: tuple[float, ...] = ()
    past: bool = False


# Spans are our choice: a risk's own window and as much before, so that what changed can be seen.
_RISKS: Final[Mapping[str, _View]] = MappingProxyType(
    {
        Risk.ATRIAL_FIBRILLATION: _View(Channel.RR_INTERVAL, 480.0, 5.0, dots=True),
        Risk.FALL: _View(Channel.ACCELERATION, 20.0, 0.5, past=True),
        Risk.HYPOGLYCAEMIA: _View(Channel.GLUCOSE, 3 * _HOUR, 1200.0, limits=(LOW_GLUCOSE,)),
        Risk.SLEEP_APNOEA: _View(Channel.RR_INTERVAL, 600.0, 5.0),
    }
)


def _rule_view(rule: ThresholdRule) -> _View:
    """A stream: three times what the rule looks at, an hour at least; what is measured by hand: a month of dots."""
    limits = (rule.threshold,)
    if rule.channel in {Channel.HEART_RATE, Channel.SPO2}:
        return _View(rule.channel, max(_HOUR, 3 * 60.0 * rule.minutes), 150.0, limits=limits)
    if rule.channel is Channel.GLUCOSE:
        return _View(rule.channel, 6 * _HOUR, 1200.0, limits=limits)
    return _View(rule.channel, 30 * 24 * _HOUR, 0.0, dots=True, limits=limits)


class Charting:
    """Makes the charts of the home whose store is at `path`, each in a thread of its own; `people` are as of now."""

    def __init__(self, path: Path, people: Callable[[], Sequence[PersonSettings]]) -> None:
        self._path = path
        self._people = people

    async def chart(self, notification: Notification) -> Chart | None:
        """The picture for a notification, None where there is none to show or the store cannot be read."""
        person_ids = {person.id: person for person in self._people()}
        try:
            return await asyncio.to_thread(self._read, notification, person_ids)
        except StoreError as error:
            _log.warning("told without a picture", notification=notification.id, error=str(error))
            return None

    def _read(self, notification: Notification, people: Mapping[str, PersonSettings]) -> Chart | None:
        with Store(self._path) as store:
            person = person_of(notification)
            if person is not None:
                return _word_chart(store, person, notification)
            found = store.alerts.beginning(notification.alert_id) if notification.alert_id else []
            if len(found) != 1 or found[0].state is not AlertState.RAISED or found[0].person not in people:
                return None
            return chart_of(store, found[0], people[found[0].person], notification.created)


def chart_of(store: Store, alert: Alert, person: PersonSettings, until: float) -> Chart | None:
    """The signal behind an open alert until `until` (s since 1970 UTC); None for a kind that has no one signal.

    None as well where nothing is stored of that time. Raises StoreError.
    """
    if alert.kind == RESTING_HEART_RATE:
        return _nights_chart(store, person.id, until)
    rules = {rule.name: rule for rule in rules_of(person.rules)}
    view = _RISKS.get(alert.kind) or (_rule_view(rules[alert.kind]) if alert.kind in rules else None)
    if view is None:
        return None
    times, values = _samples(store, person, view, alert.opened_at if view.past else until)
    if not len(times):
        return None
    if view.channel is Channel.RR_INTERVAL and not view.dots:
        values, unit = 60_000.0 / values, CHANNELS[Channel.HEART_RATE].unit
    elif view.channel is Channel.ACCELERATION:
        values, unit = np.linalg.norm(values, axis=1) / 1000.0, "g"
    else:
        unit = CHANNELS[view.channel].unit
    return Chart(
        unit,
        _dots(times, values) if view.dots else _line(times, values, view.gap_s),
        view.dots,
        alert.explanation.part,
        view.limits,
        _forecast(store, person.id, until) if alert.kind == Risk.HYPOGLYCAEMIA else (),
        _utc_offset_s(until),
    )


def _samples(
    store: Store, person: PersonSettings, view: _View, until: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sound samples of the wearable that counts first among those that have any."""
    start = until - view.span_s
    order = person.sources.get(view.channel) or [wearable.address for wearable in person.wearables]
    stored = store.signals.devices(person.id, view.channel, start)
    for device in sorted(stored, key=lambda one: order.index(one) if one in order else len(order)):
        series = store.signals.series(person.id, view.channel, start, until, device)
        sound = (series.quality & int(UNSOUND)) == 0
        if sound.any():
            return series.times[sound], series.values[sound]
    return np.empty(0), np.empty(0)


def _line(
    times: NDArray[np.float64], values: NDArray[np.float64], gap_s: float
) -> tuple[tuple[float, float | None], ...]:
    """The samples as a line of MOST_POINTS at most, by the extremes of what falls together, so that no peak is lost."""
    step = max(1, -(-2 * len(times) // MOST_POINTS))
    curve: list[tuple[float, float | None]] = []
    for run in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > gap_s) + 1):
        if curve:
            curve.append((float(times[run[0]]), None))
        for begin in range(0, len(run), step):
            some = run[begin : begin + step]
            extremes = sorted({int(some[np.argmin(values[some])]), int(some[np.argmax(values[some])])})
            curve += [(float(times[at]), float(values[at])) for at in extremes]
    return tuple(curve)


def _dots(times: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[tuple[float, float | None], ...]:
    newest = slice(max(0, len(times) - MOST_DOTS), None)
    return tuple(zip(times[newest].tolist(), values[newest].tolist(), strict=True))


def _forecast(store: Store, person: str, until: float) -> tuple[tuple[float, float], ...]:
    """What the glucose model has just expected; nothing where its last word is no longer of now."""
    newest = store.assessments.recent_assessments(person, Risk.HYPOGLYCAEMIA, 1)
    return newest[0].forecast if newest and abs(until - newest[0].end) <= 900.0 else ()


def _nights_chart(store: Store, person: str, until: float) -> Chart | None:
    """The resting heart rate of the last nights, with what was usual before the last of them."""
    verdicts = judge_nights(stored_nights(store, person, until))[-BASELINE_NIGHTS:]
    curve = tuple((verdict.night.end, verdict.night.resting_bpm) for verdict in verdicts)
    if all(value is None for _, value in curve):
        return None
    usual = verdicts[-1].baseline
    limits = () if usual is None else (usual.usual_bpm,)
    return Chart("bpm", curve, dots=True, limits=limits, utc_offset_s=_utc_offset_s(until))


def _word_chart(store: Store, person: str, word: Notification) -> Chart | None:
    """With a week its nights, with a day the heart rate by the minute until the daily word was made."""
    if word.turn == WEEKLY:
        return _nights_chart(store, person, word.created)
    rates = minute_rates(store, person, word.created - _DAY_AND_NIGHT_S, word.created)
    if not rates.minutes.size:
        return None
    offset_s = _utc_offset_s(word.created)
    return Chart("bpm", _line(60.0 * (rates.minutes + 1).astype(np.float64), rates.bpm, _HOLE_S), utc_offset_s=offset_s)


def _utc_offset_s(moment: float) -> float:
    offset = datetime.fromtimestamp(moment, UTC).astimezone().utcoffset()
    return 0.0 if offset is None else offset.total_seconds()
