"""What a phone shows: an alert in plain words, for the person and for whoever helps, who may both read the same text.

It names no diagnosis. What to do comes from public guidance, for each kind:
- an irregular heartbeat: the NHS page "Atrial fibrillation" (nhs.uk/conditions/atrial-fibrillation: see a GP; call 999
  when a fast or irregular heartbeat comes with one of the symptoms named there) and NICE guideline NG196, 1.1.2 (a
  12-lead ECG where an irregular pulse was found, with or without symptoms);
- a fall: the NHS page "Falls" (nhs.uk/conditions/falls: stay calm, do not get up at once if hurt, call for help);
- low glucose: the NHS page "Low blood sugar" (nhs.uk/conditions/low-blood-sugar-hypoglycaemia: a sugary drink or snack
  of 15 to 20 g, look again after 10 to 15 minutes; nothing by mouth and 999 for somebody who cannot be woken);
- breathing pauses in sleep: the NHS page "Sleep apnoea" (nhs.uk/conditions/sleep-apnoea: see a GP; tests can be done
  while you sleep at home);
- a resting heart rate above the usual: Mishra et al., Nat Biomed Eng 4, 2020, saw it days before symptoms of COVID-19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Final

from edge.notify.phone import Message
from edge.readings import Alert, AlertState, DueNotification, Risk

# Our choice: younger than this, "now" is still true enough.
LATE_AFTER_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class AlertText:
    """Title and plain text of one alert."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class _Words:
    """The words for one kind of alert: {name}, {since}, {until} and {why} are filled in."""

    title: str
    body: str
    cleared_title: str
    cleared_body: str


_EMERGENCY: Final = "Call the emergency number (112 in Europe) at once"
_WORDS: Final[Mapping[str, _Words]] = MappingProxyType(
    {
        Risk.ATRIAL_FIBRILLATION: _Words(
            "{name}: irregular heartbeat",
            "{name}'s heartbeat has been irregular since {since}, as it is in atrial fibrillation. {why} Rest, and ask "
            f"a doctor for an ECG soon. {_EMERGENCY} if there is chest pain, shortness of breath, dizziness or "
            "fainting, weakness or numbness on one side, confusion or trouble speaking.",
            "{name}: heartbeat regular again",
            "{name}'s heartbeat, irregular since {since}, has been regular for some minutes at {until}. Such episodes "
            "come and go: tell a doctor about it even if all is well now.",
        ),
        Risk.FALL: _Words(
            "{name}: a fall?",
            "{name} seems to have fallen at {since}. {why} Ask, or go and look. Do not lift anybody who is hurt. "
            f"{_EMERGENCY} if there is no answer, after a blow to the head, or if getting up does not succeed.",
            "{name}: moving again",
            "After what looked like a fall at {since}, {name} has been moving again at {until}. Ask how it is all the "
            "same.",
        ),
        Risk.HYPOGLYCAEMIA: _Words(
            "{name}: glucose is going low",
            "{name}'s glucose is low or will be within half an hour, as seen since {since}. {why} Measure, and take 15 "
            "to 20 g of fast sugar (a glass of juice or a sugary drink) if it is low; look again after 15 minutes. "
            f"{_EMERGENCY} if somebody cannot be woken, and give nothing by mouth then.",
            "{name}: glucose is safe again",
            "{name}'s glucose, low or going low since {since}, is out of danger at {until}.",
        ),
        Risk.SLEEP_APNOEA: _Words(
            "{name}: signs of breathing pauses in sleep",
            "{name}'s heartbeat has shown the swings that come with breathing pauses, first at {since}. {why} One such "
            "night says little. If nights like this come again, or days are sleepy, ask a doctor for a sleep test.",
            "{name}: quieter sleep",
            "The signs of breathing pauses that began at {since} were over at {until}.",
        ),
        "resting_heart_rate": _Words(
            "{name}: resting heart rate higher than usual",
            "{why} It has been so for two nights or more. An infection can begin like this, and so can drink, hard "
            "exercise, stress or a new medicine. Measure the temperature, and ask a doctor if you feel ill.",
            "{name}: resting heart rate as usual again",
            "{why}",
        ),
    }
)


def alert_text(alert: Alert, person_name: str, zone: tzinfo | None = None) -> AlertText:
    """Say what is the matter, why we think so, since when, and what to do.

    `person_name` is what the family calls the person. Times are told in `zone`; None is the machine's own.
    """
    kind = alert.kind.replace("_", " ")
    words = _WORDS.get(alert.kind) or _Words(
        f"{{name}}: {kind}",
        "{why} It has been so since {since}.",
        f"{{name}}: over: {kind}",
        "It began at {since} and ended at {until}.",
    )
    last = alert.opened_at if alert.state is AlertState.RAISED else alert.cleared_at
    if last is None:
        message = f"alert {alert.id} is cleared without a time"
        raise ValueError(message)
    filled = {
        "name": person_name,
        "since": clock_time(alert.since, last, zone),
        "until": clock_time(last, last, zone),
        "why": alert.explanation.sentence,
    }
    if alert.state is AlertState.RAISED:
        return AlertText(words.title.format(**filled), words.body.format(**filled))
    return AlertText(words.cleared_title.format(**filled), words.cleared_body.format(**filled))


def told_at(due: DueNotification, now: float, zone: tzinfo | None = None) -> Message:
    """What the contact reads at `now`: a perhaps repeated message says so first, a late one says when it happened."""
    notification = due.notification
    title, body = notification.title, notification.body
    if due.perhaps_repeated:
        title = f"Perhaps a repeat: {title}"
    if now - notification.created > LATE_AFTER_S:
        body = f"This happened at {clock_time(notification.created, now, zone)}; it reaches you late. {body}"
    return Message(title, body, notification.severity)


def clock_time(moment: float, now: float, zone: tzinfo | None = None) -> str:
    """The local time of `moment`, with its date unless that is the date of `now`: "14:05", "23:50 on 3 May"."""
    local, today = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in (moment, now))
    time_of_day = local.strftime("%H:%M")
    return time_of_day if local.date() == today.date() else f"{time_of_day} on {local.day} {local.strftime('%B')}"
