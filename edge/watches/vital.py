"""The rules about one person's vital signs, going on where a daemon that stopped has left them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from edge.alerts.faults import is_fault
from edge.alerts.points import SPOT_STALE_S
from edge.alerts.thresholds import Thresholds
from edge.notices import Alert, AlertState
from edge.phrases import phrase
from edge.readings import CHANNELS, Channel, Explanation, Quality, Reading, Risk
from edge.recorder import Recorder
from edge.settings.home import PersonSettings
from edge.settings.rules import rules_of
from edge.store.signals import Series
from edge.store.store import Store
from edge.watches.news2 import NEWS2
from edge.watches.nights import RESTING_HEART_RATE

_OTHERS: Final = frozenset({*Risk, RESTING_HEART_RATE, NEWS2})
_BY_HAND: Final = frozenset({Channel.SYSTOLIC, Channel.DIASTOLIC, Channel.TEMPERATURE, Channel.BLOOD_GLUCOSE})


async def watch_vitals(
    person: PersonSettings, store: Store, recorder: Recorder, now: float
) -> tuple[Thresholds, list[Alert]]:
    """The rules of a person as of `now` (s since 1970 UTC), and the Alerts that a daemon which was killed has not told.

    Raises StoreError.
    """
    call = recorder.call
    rules = rules_of(person.rules)
    newest = {rule.name: await call(store.alerts.newest_alert, person.id, rule.name) for rule in rules}
    vitals = Thresholds(person.id, rules, {name: alert for name, alert in newest.items() if alert is not None})
    overdue = [
        replace(alert, state=AlertState.CLEARED, cleared_at=now, explanation=Explanation(phrase("The rule is off.")))
        for alert in await call(store.alerts.open_alerts, person.id)
        if not is_fault(alert) and alert.kind not in _OTHERS and alert.kind not in newest
    ]
    opened = [alert for alert in await call(store.alerts.open_alerts, person.id) if alert.kind in _OTHERS]
    # An accelerometer's rest is found out anew within minutes.
    for channel in sorted(vitals.channels - {Channel.ACCELERATION}):
        look_back_s = max(rule.look_back_s for rule in rules if rule.channel is channel)
        series = await call(store.signals.series, person.id, channel, now - look_back_s, now)
        for reading in _readings(person.id, channel, series):
            overdue += vitals.push(reading, now, opened)
    return vitals, overdue


async def newly_stored(vitals: Thresholds, store: Store, recorder: Recorder, now: float) -> list[Alert]:
    """The Alerts of what was measured by hand and stored past the pipeline, such as what somebody has claimed.

    What was looked at before is not looked at again. Raises StoreError.
    """
    alerts = []
    for channel in sorted(vitals.channels & _BY_HAND):
        series = await recorder.call(store.signals.series, vitals.person, channel, now - SPOT_STALE_S, now)
        for reading in _readings(vitals.person, channel, series):
            alerts += vitals.push(reading, now)
    return alerts


def _readings(person: str, channel: Channel, series: Series) -> Iterator[Reading]:
    unit = CHANNELS[channel].unit
    for at, value, quality in zip(series.times, series.values, series.quality, strict=True):
        time = float(at)
        yield Reading(person, "", channel, unit, time, time, (float(value),), Quality(int(quality)))
