"""What a phone shows: an alert in plain words, for the person and for whoever helps, who may both read the same text.

What to do comes from public guidance: the NHS page "Atrial fibrillation" (nhs.uk/conditions/atrial-fibrillation: see a
GP; call 999 when a fast or irregular heartbeat comes with one of the symptoms named there) and NICE guideline NG196,
1.1.2 (a 12-lead ECG where an irregular pulse was found, with or without symptoms). It names no diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
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


def alert_text(alert: Alert, person_name: str, zone: tzinfo | None = None) -> AlertText:
    """Say what is the matter, why we think so, since when, and what to do.

    `person_name` is what the family calls the person. Times are told in `zone`; None is the machine's own.
    """
    if alert.state is AlertState.CLEARED:
        return _cleared(alert, person_name, zone)
    since = clock_time(alert.since, alert.opened_at, zone)
    if alert.kind == Risk.ATRIAL_FIBRILLATION:
        return AlertText(
            f"{person_name}: irregular heartbeat",
            f"{person_name}'s heartbeat has been irregular since {since}, as it is in atrial fibrillation. "
            f"{alert.explanation.sentence} Rest, and ask a doctor for an ECG soon. Call the emergency number (112 in "
            "Europe) at once if there is chest pain, shortness of breath, dizziness or fainting, weakness or numbness "
            "on one side, confusion or trouble speaking.",
        )
    return AlertText(
        f"{person_name}: {_kind_in_words(alert)}", f"{alert.explanation.sentence} It has been so since {since}."
    )


def _cleared(alert: Alert, person_name: str, zone: tzinfo | None) -> AlertText:
    if alert.cleared_at is None:
        message = f"alert {alert.id} is cleared without a time"
        raise ValueError(message)
    since = clock_time(alert.since, alert.cleared_at, zone)
    until = clock_time(alert.cleared_at, alert.cleared_at, zone)
    if alert.kind == Risk.ATRIAL_FIBRILLATION:
        return AlertText(
            f"{person_name}: heartbeat regular again",
            f"{person_name}'s heartbeat, irregular since {since}, has been regular for some minutes at {until}. Such "
            "episodes come and go: tell a doctor about it even if all is well now.",
        )
    return AlertText(f"{person_name}: over: {_kind_in_words(alert)}", f"It began at {since} and ended at {until}.")


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


def _kind_in_words(alert: Alert) -> str:
    return alert.kind.replace("_", " ")
