"""The nights of a person: resting heart rates from the store, and the alert when they stay above what is usual."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

import structlog

from edge.clock import Clock
from edge.errors import StoreError
from edge.notices import Alert, AlertState, Severity
from edge.phrases import in_turn, phrase
from edge.readings import Channel, Explanation
from edge.settings.home import PersonSettings
from edge.signals.night_baseline import (
    BASELINE_NIGHTS,
    Baseline,
    MinuteRates,
    Night,
    Verdict,
    joined,
    judge_nights,
    rates_of_heart_rate,
    rates_of_rr,
    resting_night,
)
from edge.store.store import Store

RESTING_HEART_RATE: Final = "resting_heart_rate"
# The hours of the night in local time, and when its verdict is told: after breakfast, with the last hour committed. Our
# choice, wide enough for early and late sleepers.
EVENING: Final = time(22, 0)
MORNING: Final = time(8, 0)
TELL_HOUR, TELL_MINUTE = 9, 0
# Twice what makes a baseline, so that each of the last 28 nights is judged by a whole one.
NIGHTS: Final = 2 * BASELINE_NIGHTS
# A night stands until the next one is told.
FRESH_S: Final = 26 * 3600.0
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:resting-heart-rate")

_log = structlog.get_logger("nights")


def night_bounds(morning: date, zone: tzinfo | None = None) -> tuple[float, float]:
    """Begin and end, in seconds since 1970 UTC, of the night that ends on `morning`; `zone` None is the machine's."""
    evening = datetime.combine(morning - timedelta(days=1), EVENING, tzinfo=zone)
    return evening.timestamp(), datetime.combine(morning, MORNING, tzinfo=zone).timestamp()


def stored_nights(store: Store, person: str, until: float, zone: tzinfo | None = None) -> list[Night]:
    """The last nights that were over at `until`, at most NIGHTS, oldest first, from the first one with a heart rate on.

    What was measured after `until` is not looked at. Raises StoreError.
    """
    today = datetime.fromtimestamp(until, UTC).astimezone(zone).date()
    last = today if night_bounds(today, zone)[1] <= until else today - timedelta(days=1)
    nights: list[Night] = []
    for back in reversed(range(NIGHTS)):
        start, end = night_bounds(last - timedelta(days=back), zone)
        night = resting_night(start, end, minute_rates(store, person, start, end))
        if nights or night.hours:
            nights.append(night)
    return nights


def minute_rates(store: Store, person: str, start: float, end: float) -> MinuteRates:
    """Heart rate by the minute: as the wearable tells it, else from the RR intervals."""
    heart_rate = store.signals.series(person, Channel.HEART_RATE, start, end)
    rates = rates_of_heart_rate(heart_rate.times, heart_rate.values, heart_rate.quality)
    if len(rates.minutes) == round((end - start) / 60.0):
        return rates
    rr = store.signals.series(person, Channel.RR_INTERVAL, start, end)
    return joined(rates, rates_of_rr(rr.times, rr.values, rr.quality))


def resting_alert(person: str, verdicts: Sequence[Verdict], open_alert: Alert | None) -> Alert | None:
    """What the last verdict changes: a raised or a cleared Alert, None where all stays as it is.

    `verdicts` are of every night in turn, oldest first; `open_alert` is the person's open Alert of this kind. An
    episode has one id however often this is asked, so that it is told once.
    """
    last = verdicts[-1] if verdicts else None
    if open_alert is not None and (last is None or not last.raised):
        return _cleared(open_alert, last)
    if open_alert is not None or last is None or not last.raised or last.since is None:
        return None
    return Alert(
        id=str(uuid.uuid5(_NAMESPACE, f"{person}/{last.since:.0f}")),
        person=person,
        kind=RESTING_HEART_RATE,
        severity=Severity.INFO,
        state=AlertState.RAISED,
        since=last.since,
        opened_at=last.night.end,
        cleared_at=None,
        explanation=Explanation(last.sentence, _numbers(last)),
    )


def _cleared(alert: Alert, last: Verdict | None) -> Alert:
    if last is None or last.elevated is None:
        unknown = phrase("Nothing is known of the last nights, so it is no longer said to be high.")
        explanation = Explanation(unknown if last is None else in_turn((unknown, last.sentence)))
    else:
        explanation = Explanation(last.sentence, _numbers(last))
    return replace(
        alert,
        state=AlertState.CLEARED,
        cleared_at=alert.opened_at if last is None else max(last.night.end, alert.opened_at),
        explanation=explanation,
    )


def _numbers(verdict: Verdict) -> dict[str, float]:
    """The plain numbers of a verdict that has been judged."""
    numbers: dict[str, float] = {}
    if verdict.night.resting_bpm is not None:
        numbers["resting_bpm"] = round(verdict.night.resting_bpm, 1)
    if verdict.baseline is not None:
        numbers["usual_bpm"] = round(verdict.baseline.usual_bpm, 1)
        numbers["spread_bpm"] = round(verdict.baseline.spread_bpm, 1)
        numbers["nights_used"] = verdict.baseline.used
        numbers["nights_missing"] = verdict.baseline.missing
    return numbers


def verdict_fields(verdict: Verdict, zone: tzinfo | None = None) -> dict[str, Any]:
    """A verdict for JSON; `morning` is the local date on which the night ended, what is not known is null."""
    unknown = dict.fromkeys(("usual_bpm", "spread_bpm", "lowest_bpm", "highest_bpm", "nights_used", "nights_missing"))
    baseline = verdict.baseline
    return {
        "morning": datetime.fromtimestamp(verdict.night.end, UTC).astimezone(zone).date().isoformat(),
        "start": verdict.night.start,
        "end": verdict.night.end,
        "hours": round(verdict.night.hours, 2),
        "resting_bpm": None if verdict.night.resting_bpm is None else round(verdict.night.resting_bpm, 1),
        **(unknown if baseline is None else _baseline_fields(baseline)),
        "z": None if verdict.z is None else round(verdict.z, 2),
        "elevated": verdict.elevated,
        "raised": verdict.raised,
        "since": verdict.since,
        "reason": verdict.reason,
        "sentence": verdict.sentence,
    }


def _baseline_fields(baseline: Baseline) -> dict[str, Any]:
    return {
        "usual_bpm": round(baseline.usual_bpm, 1),
        "spread_bpm": round(baseline.spread_bpm, 2),
        "lowest_bpm": round(baseline.lowest_bpm, 1),
        "highest_bpm": round(baseline.highest_bpm, 1),
        "nights_used": baseline.used,
        "nights_missing": baseline.missing,
    }


class NightWatch:
    """Each morning's look at the nights of everybody in the home.

    It opens the store at `path` itself, in a thread of its own, because two months of heart rate take a while to read
    and the recorder must not wait. `say` tells an Alert that somebody must know of.
    """

    def __init__(
        self,
        path: Path,
        people: Sequence[PersonSettings],
        clock: Clock,
        say: Callable[[PersonSettings, Alert], Awaitable[None]],
    ) -> None:
        self._path = path
        self.people = people
        self._clock = clock
        self._say = say
        self.fault: str | None = None
        self.tried = False
        self._known_until: dict[str, float] = {}

    def is_fresh(self, alert: Alert) -> bool:
        """Whether an alert of a person's nights is of one that was judged within a day."""
        known_until = max(self._known_until.get(alert.person, alert.opened_at), alert.opened_at)
        return self._clock.wall() - known_until <= FRESH_S

    async def run(self) -> None:
        """Judge the nights until now and say what has changed; what the disk refuses is a fault, for the next time."""
        fault = None
        for person in self.people:
            try:
                verdict, alert = await asyncio.to_thread(self._look, person.id, self._clock.wall())
            except StoreError as error:
                fault = str(error)
                _log.error("the nights cannot be judged", person=person.id, error=fault)
                continue
            known = verdict is not None and verdict.elevated is not None
            _log.info("night judged", person=person.id, known=known, raised=verdict is not None and verdict.raised)
            if verdict is not None and known:
                self._known_until[person.id] = verdict.night.end
            if alert is not None:
                await self._say(person, alert)
        self.fault, self.tried = fault, True

    def _look(self, person: str, now: float) -> tuple[Verdict | None, Alert | None]:
        with Store(self._path) as store:
            verdicts = judge_nights(stored_nights(store, person, now))
            opened = [alert for alert in store.alerts.open_alerts(person) if alert.kind == RESTING_HEART_RATE]
        alert = resting_alert(person, verdicts, opened[0] if opened else None)
        return (verdicts[-1] if verdicts else None), alert
