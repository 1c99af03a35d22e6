"""The daily word: one calm message on a person's day, or week, from its facts; pure.

It says what was measured and for how long, what was not and why as far as that is known, and nothing of the rest: that
no alert came is said only of what was measured. It judges nothing and names no illness.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from typing import Final

import numpy as np

from edge.alerts.wearable_words import called
from edge.daily.facts import HOUR_S, IN_RANGE_MG_DL, LEAST_OF_DAY, Facts, Glucose, Trend
from edge.notices import Alert, AlertState, Notification, Severity
from edge.notify.languages import ENGLISH, Language, language_of
from edge.notify.texts import DAILY, SUMMARIES, WEEKLY, AlertText, alert_text, clock_time, day_name, fault_text
from edge.phrases import Value, listed, phrase, words
from edge.readings import Channel

# Changes that are worth a word: 3 beats a minute in the middle of a week's nights are our choice; 5 % more or less time
# in range is what Battelino et al., Diabetes Care 42:1593, 2019, call clinically significant.
RESTING_CHANGE_BPM: Final = 3.0
IN_RANGE_CHANGE: Final = 0.05
# A share that is missing and worth a word: two hours a day. Our choice: a bath and a charge.
MISSING_SHARE: Final = 2.0 / 24.0
# Alerts and gaps that are listed; more are counted. Our choice: a phone's screen.
MOST_LISTED: Final = 6
_ABOUT: Final = "daily/"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:daily-word")
_BY_HAND: Final = {
    Channel.TEMPERATURE: words("Body temperature: {value:.1f} °C."),
    Channel.WEIGHT: words("Weight: {value:.1f} kg."),
    Channel.BLOOD_GLUCOSE: words("Blood glucose: {value:.0f} mg/dL, the last of those measured."),
    Channel.SPO2: words("Oxygen saturation: {value:.0f} % in the middle of what was measured."),
}


def about(person: str) -> str:
    """What stands in place of an alert's id: a word that waits is told with the next one, and erased with the rest."""
    return f"{_ABOUT}{person}"


def person_of(notification: Notification) -> str | None:
    """Whose word a notification is; None where it is none."""
    is_word = notification.turn in SUMMARIES and notification.alert_id.startswith(_ABOUT)
    return notification.alert_id.removeprefix(_ABOUT) if is_word else None


def word_id(person: str, contact: str, day: date) -> str:
    """The id of a contact's word of a day: the same however often it is made, so that it is told once."""
    return str(uuid.uuid5(_NAMESPACE, f"{person}/{contact}/{day.isoformat()}"))


def notification(facts: Facts, text: AlertText, contact: str, day: date) -> Notification:
    """The word as it is told."""
    return Notification(
        id=word_id(facts.person, contact, day),
        alert_id=about(facts.person),
        contact=contact,
        title=text.title,
        body=text.body,
        severity=Severity.INFO,
        created=facts.told_at,
        turn=WEEKLY if facts.is_week else DAILY,
    )


def word_text(
    facts: Facts,
    person_name: str,
    faults: Sequence[tuple[Alert, Sequence[str]]],
    language: str = ENGLISH,
    zone: tzinfo | None = None,
) -> AlertText:
    """The word in a language; `faults` are those of the facts, each with what the family calls what is at fault."""
    _ = language_of(language)
    last = datetime.fromtimestamp(facts.end - 1.0, UTC).astimezone(zone).date()
    told = {"name": person_name, "day": day_name(last, language)}
    title = _("{name}: the week to {day} in short", **told) if facts.is_week else _("{name}: {day} in short", **told)
    lines = [*_nights(facts, _), *_measures(facts, _), *_trends(facts, _)]
    if not lines:
        lines = [_("Nothing was measured, so nothing can be said of it.")]
    lines += _missing(facts, faults, _, zone)
    lines += _alerts(facts, person_name, _, zone)
    return AlertText(title, "\n".join(lines))


def _nights(facts: Facts, _: Language) -> Iterator[str]:
    if len(facts.nights) == 1:
        yield _.tell(facts.nights[0].sentence)
    elif facts.nights:
        known = [one.night.resting_bpm for one in facts.nights if one.night.resting_bpm is not None]
        counts: dict[str, Value] = {"known": len(known), "all": len(facts.nights)}
        if known:
            middle = float(np.median(known))
            yield _("Resting heart rate: {middle:.0f} in {known} of {all} nights.", middle=middle, **counts)
        else:
            yield _("Resting heart rate is not known of any of the {all} nights.", all=len(facts.nights))
    if facts.apnoea_minutes is not None:
        signs, judged = facts.apnoea_minutes
        hours = judged / 60.0
        yield _.several(
            "Signs of breathing pauses in sleep: {n:.0f} minute of {hours:.0f} hours that could be judged.",
            "Signs of breathing pauses in sleep: {n:.0f} minutes of {hours:.0f} hours that could be judged.",
            signs,
            hours=hours,
        )


def _measures(facts: Facts, _: Language) -> Iterator[str]:
    if facts.heart_rate is not None:
        rate = facts.heart_rate
        yield _(
            "Heart rate: {low:.0f} to {high:.0f}, {middle:.0f} in the middle.",
            low=rate.low,
            high=rate.high,
            middle=rate.middle,
        )
    if facts.brisk_minutes is not None:
        yield _.several(
            "Activity: {n:.0f} brisk minute.", "Activity: {n:.0f} brisk minutes.", float(facts.brisk_minutes)
        )
    if facts.glucose is not None and facts.glucose.measured >= LEAST_OF_DAY:
        low, high = IN_RANGE_MG_DL
        yield _(
            "Glucose: {within:.0f} % of the readings from {low:.0f} to {high:.0f} mg/dL, {below:.0f} % below, "
            "{above:.0f} % above.",
            **_percent(facts.glucose),
            low=low,
            high=high,
        )
    elif facts.glucose is not None:
        yield _("Glucose: too few readings to sum up.")
    yield from _by_hand(facts, _)


def _percent(glucose: Glucose) -> dict[str, float]:
    """Its shares in whole percents that add up to 100; what is there at all is told as 1 at least."""
    shares = {"below": glucose.below, "within": glucose.within, "above": glucose.above}
    told = {name: float(max(1, round(100.0 * share))) if share > 0.0 else 0.0 for name, share in shares.items()}
    largest = max(told, key=told.__getitem__)
    told[largest] += 100.0 - sum(told.values())
    return told


def _by_hand(facts: Facts, _: Language) -> Iterator[str]:
    spots = facts.spots
    if Channel.SYSTOLIC in spots and Channel.DIASTOLIC in spots:
        (systolic, count), (diastolic, _count) = spots[Channel.SYSTOLIC], spots[Channel.DIASTOLIC]
        yield _.several(
            "Blood pressure: {systolic:.0f}/{diastolic:.0f} mmHg, one measurement.",
            "Blood pressure: {systolic:.0f}/{diastolic:.0f} mmHg, the last of {n:.0f} measurements.",
            float(count),
            systolic=systolic,
            diastolic=diastolic,
        )
    for channel, template in _BY_HAND.items():
        if channel in spots:
            yield _(template, value=spots[channel][0])


def _trends(facts: Facts, _: Language) -> Iterator[str]:
    """The last week beside the three before."""
    resting, glucose = facts.resting_trend, facts.glucose_trend
    if resting is not None:
        both = _both(resting)
        if both is None:
            yield _(
                "Trend of the resting heart rate: not known yet, {known} of at least {needed} nights are there.",
                known=resting.known,
                needed=resting.needed,
            )
        else:
            now, before = both
            told = {"now": now, "before": before}
            if abs(now - before) < RESTING_CHANGE_BPM:
                yield _("Trend of the resting heart rate: about as in the three weeks before.")
            elif now > before:
                yield _("Trend of the resting heart rate: {now:.0f} this week, {before:.0f} before: higher.", **told)
            else:
                yield _("Trend of the resting heart rate: {now:.0f} this week, {before:.0f} before: lower.", **told)
    if glucose is not None and (shares := _both(glucose)) is not None:
        now, before = (100.0 * share for share in shares)
        if abs(now - before) < 100.0 * IN_RANGE_CHANGE:
            yield _("Trend of the time in range: about as in the three weeks before.")
        else:
            yield _("Trend of the time in range: {now:.0f} % this week, {before:.0f} % before.", now=now, before=before)


def _both(trend: Trend) -> tuple[float, float] | None:
    return None if trend.now is None or trend.before is None else (trend.now, trend.before)


def _missing(
    facts: Facts, faults: Sequence[tuple[Alert, Sequence[str]]], _: Language, zone: tzinfo | None
) -> Iterator[str]:
    """What was measured for how long, and what is known of why the rest is missing."""
    total = (facts.end - facts.start) / HOUR_S
    if facts.hours:
        told = listed(
            [
                phrase("{what} {hours:.0f} h", what=called((channel,)), hours=hours)
                for channel, hours in facts.hours.items()
            ]
        )
        yield _("Measured, of {total:.0f} hours: {told}.", total=total, told=told)
    for alert, names in faults[:MOST_LISTED]:
        title = fault_text(_as_raised(alert), names, _.code, zone).title
        yield f"- {_when(alert, facts, title, _, zone)}"
    if not faults and any(hours < total * (1.0 - MISSING_SHARE) for hours in facts.hours.values()):
        yield _("Why the rest is missing is not known: perhaps it was not worn, or out of reach.")


def _alerts(facts: Facts, person_name: str, _: Language, zone: tzinfo | None) -> Iterator[str]:
    if not facts.alerts:
        yield _("Alerts: none, as far as was measured.")
        return
    yield _.several("{n:.0f} alert:", "{n:.0f} alerts:", len(facts.alerts))
    for alert in facts.alerts[:MOST_LISTED]:
        title = alert_text(_as_raised(alert), person_name, _.code, zone).title
        yield f"- {_when(alert, facts, title, _, zone)}"


def _as_raised(alert: Alert) -> Alert:
    """The same alert while it lasted, whose title names what it is about."""
    return replace(alert, state=AlertState.RAISED)


def _when(alert: Alert, facts: Facts, title: str, _: Language, zone: tzinfo | None) -> str:
    """A title with its times, without the date where it is that of the stretch's last day."""
    moments = {"title": title, "begin": clock_time(alert.opened_at, facts.end - 1.0, zone, _.code)}
    if alert.state is AlertState.RAISED or alert.cleared_at is None:
        return _("{title}, since {begin}", **moments)
    return _("{title}, {begin} to {end}", end=clock_time(alert.cleared_at, facts.end - 1.0, zone, _.code), **moments)
