"""What a phone shows: an alert in plain words, for the person and for whoever helps, who may both read the same text.

The words and their sources are in alert_words and fault_words, the other languages in catalogues (see languages).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from edge.notices import Alert, AlertState, Severity
from edge.notify.alert_words import EMERGENCY_NUMBER, OTHER, OTHER_CRITICAL, WORDS, Words
from edge.notify.fault_words import FAULT_WORDS
from edge.notify.languages import ENGLISH, Language, language_of
from edge.phrases import Value, listed, words

# Our choice: younger than this, "now" is still true enough.
LATE_AFTER_S: Final = 120.0
# The turns of messages that sum up a day or a week, by which their picture is chosen too.
DAILY: Final = "daily"
WEEKLY: Final = "weekly"
SUMMARIES: Final = frozenset({DAILY, WEEKLY})
_MONTHS: Final = (
    words("January"),
    words("February"),
    words("March"),
    words("April"),
    words("May"),
    words("June"),
    words("July"),
    words("August"),
    words("September"),
    words("October"),
    words("November"),
    words("December"),
)


@dataclass(frozen=True, slots=True)
class AlertText:
    """Title and plain text of one alert; `body` is all of it, and ends with `guidance`, which is what to do."""

    title: str
    body: str
    guidance: str = ""


def fault_text(alert: Alert, subjects: Sequence[str], language: str = ENGLISH, zone: tzinfo | None = None) -> AlertText:
    """Say what has failed, since when, and what to do; `subjects` are what the family calls what is at fault."""
    told = _told(alert, FAULT_WORDS[alert.kind], {"what": listed(subjects)}, language_of(language), zone)
    return AlertText(_capital(told.title), _capital(told.body), told.guidance)


def alert_text(alert: Alert, person_name: str, language: str = ENGLISH, zone: tzinfo | None = None) -> AlertText:
    """Say what is the matter, why we think so, since when, and what to do.

    `person_name` is what the family calls the person. Times are told in `zone`; None is the machine's own.
    """
    names = {"name": person_name, "kind": alert.kind.replace("_", " ")}
    return _told(alert, WORDS.get(alert.kind, OTHER), names, language_of(language), zone)


def _told(alert: Alert, known: Words, names: Mapping[str, Value], language: Language, zone: tzinfo | None) -> AlertText:
    last = alert.opened_at if alert.state is AlertState.RAISED else alert.cleared_at
    if last is None:
        message = f"alert {alert.id} is cleared without a time"
        raise ValueError(message)
    filled = {
        **names,
        "since": clock_time(alert.since, last, zone, language.code),
        "opened": clock_time(alert.opened_at, last, zone, language.code),
        "until": clock_time(last, last, zone, language.code),
        "why": alert.explanation.sentence,
        "emergency": language(EMERGENCY_NUMBER),
    }
    if alert.state is AlertState.CLEARED:
        return AlertText(language(known.cleared_title, **filled), language(known.cleared_body, **filled))
    guidance = known.guidance
    if known is OTHER and alert.severity is Severity.CRITICAL:
        guidance = OTHER_CRITICAL
    advice = language(guidance, **filled)
    body = language(known.body, **filled)
    return AlertText(language(known.title, **filled), f"{body}\n{advice}" if advice else body, advice)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def still_so(title: str, language: str = ENGLISH) -> str:
    """The title of what is told again after a snooze."""
    _ = language_of(language)
    return _("Still so: {title}", title=title)


def clock_time(moment: float, now: float, zone: tzinfo | None = None, language: str = ENGLISH) -> str:
    """The local time of `moment`, with its date unless that is the date of `now`: "14:05", "23:50 on 3 May"."""
    _ = language_of(language)
    local, today = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in (moment, now))
    time = local.strftime("%H:%M")
    if local.date() == today.date():
        return time
    return _("{time} on {day} {month}", time=time, day=str(local.day), month=_(_MONTHS[local.month - 1]))


def day_name(day: date, language: str = ENGLISH) -> str:
    """A date without its year: "3 May"."""
    _ = language_of(language)
    return _("{day} {month}", day=str(day.day), month=_(_MONTHS[day.month - 1]))
