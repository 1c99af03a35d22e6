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

A fault of the watching itself is told to whoever looks after the house; what to do about it stands in its sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Final

from edge.notify.phone import Message
from edge.readings import Alert, AlertState, DueNotification, FaultKind, Risk

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


# {what} is what is at fault, such as "Anna's strap and Ben's watch".
_FAULT_WORDS: Final[Mapping[str, _Words]] = MappingProxyType(
    {
        FaultKind.NO_DATA: _Words(
            "Nothing comes from {what}",
            "Nothing has come from {what} since {since}. {why}",
            "Data come again from {what}",
            "{what}: data have come again, as of {until}. Nothing had come since {since}.",
        ),
        FaultKind.NEVER_SEEN: _Words(
            "Nothing was ever heard of {what}",
            "Hearthbeat has been waiting for {what} since {since}. {why}",
            "First data from {what}",
            "The first data of {what} have come, at {until}.",
        ),
        FaultKind.BATTERY_LOW: _Words(
            "Battery low: {what}",
            "The battery of {what} is low, as seen at {since}. {why}",
            "Battery charged: {what}",
            "The battery of {what} is no longer low, as of {until}.",
        ),
        FaultKind.NOT_WORN: _Words(
            "Not worn: {what}",
            "{what} has not been worn since {since}, as far as it can tell. {why}",
            "Worn again: {what}",
            "{what} is worn again, as of {until}.",
        ),
        FaultKind.FROZEN_VALUE: _Words(
            "{what} seems stuck",
            "The value of {what} has not changed since {since}. {why}",
            "{what} is no longer stuck",
            "The values of {what} change again, as of {until}. They had not since {since}.",
        ),
        FaultKind.DEVICE_CLOCK: _Words(
            "Wrong clock: {what}",
            "The clock of {what} was found wrong at {since}. {why}",
            "Clock right again: {what}",
            "The clock of {what} is right again, as of {until}.",
        ),
        FaultKind.CLOCK: _Words(
            "Hearthbeat's clock is doubtful",
            "Since {since}: {why}",
            "Hearthbeat's clock is right again",
            "Hearthbeat's clock, doubtful since {since}, has run steadily until {until}.",
        ),
        FaultKind.BLUETOOTH: _Words(
            "Hearthbeat's Bluetooth does not work",
            "Since {since}: {why}",
            "Bluetooth works again",
            "Bluetooth, which failed at {since}, works again at {until}.",
        ),
        FaultKind.MODEL: _Words(
            "Not watched for: {what}",
            "Hearthbeat has not been able to watch for {what} since {since}. {why} Install Hearthbeat again.",
            "Watched for again: {what}",
            "Hearthbeat watches for {what} again since {until}.",
        ),
        FaultKind.STORE: _Words(
            "Hearthbeat has trouble with its disk: {what}",
            "{what} has failed since {since}. {why} Watching goes on meanwhile.",
            "Hearthbeat's disk works again: {what}",
            "{what}, which failed from {since} on, works again at {until}.",
        ),
        FaultKind.DISK_FULL: _Words(
            "Hearthbeat's disk is nearly full",
            "Since {since}: {why}",
            "Hearthbeat's disk has room again",
            "Hearthbeat's disk, nearly full since {since}, has room again at {until}.",
        ),
        FaultKind.CONTACT: _Words(
            "{what} cannot be told anything",
            "No message has reached {what} since {since}. {why} What waits will be sent when it can be.",
            "{what} can be told again",
            "Messages reach {what} again, as of {until}. None had since {since}.",
        ),
        FaultKind.BROKER_REFUSES: _Words(
            "The broker refuses Hearthbeat",
            "Since {since}: {why} Alerts still reach the phones; summaries wait here.",
            "The broker accepts Hearthbeat again",
            "The broker, which refused from {since} on, accepts Hearthbeat again at {until}.",
        ),
        FaultKind.BROKER_UNREACHABLE: _Words(
            "The broker cannot be reached",
            "Since {since}: {why} Alerts still reach the phones.",
            "The broker can be reached again",
            "The broker, out of reach since {since}, can be reached again at {until}.",
        ),
        FaultKind.OUTBOX_STUCK: _Words(
            "Messages to the broker are stuck",
            "Since {since}: {why} Alerts still reach the phones.",
            "Messages to the broker flow again",
            "Messages to the broker, stuck since {since}, flow again at {until}.",
        ),
    }
)


def fault_text(alert: Alert, subjects: Sequence[str], zone: tzinfo | None = None) -> AlertText:
    """Say what has failed, since when, and what to do; `subjects` are what the family calls what is at fault."""
    what = listed(subjects)
    told = _told(alert, _FAULT_WORDS[alert.kind], {"what": what}, zone)
    return AlertText(_capital(told.title), _capital(told.body))


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


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
    return _told(alert, words, {"name": person_name}, zone)


def _told(alert: Alert, words: _Words, names: Mapping[str, str], zone: tzinfo | None) -> AlertText:
    last = alert.opened_at if alert.state is AlertState.RAISED else alert.cleared_at
    if last is None:
        message = f"alert {alert.id} is cleared without a time"
        raise ValueError(message)
    filled = {
        **names,
        "since": clock_time(alert.since, last, zone),
        "until": clock_time(last, last, zone),
        "why": alert.explanation.sentence,
    }
    if alert.state is AlertState.RAISED:
        return AlertText(words.title.format(**filled), words.body.format(**filled))
    return AlertText(words.cleared_title.format(**filled), words.cleared_body.format(**filled))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
