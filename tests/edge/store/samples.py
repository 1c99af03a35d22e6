"""Readings, alerts and the rest as tests of the store need them."""

from __future__ import annotations

from edge.notices import Alert, AlertState, Notification, OutboxMessage, Priority, Severity
from edge.readings import CHANNELS, Assessment, Channel, Explanation, Quality, Reading, Risk
from edge.store.store import Batch

START = 1_780_000_000.0  # a whole second, so that it is a whole tick of every channel
TICK_MS = 1000.0 / 1024.0
EXPLANATION = Explanation("RR intervals varied by 31 %, usually by 4 %.", {"variation_percent": 31.0})


def rr(start: float, *ticks: int, quality: Quality = Quality.GOOD, person: str = "anna", device: str = "AA") -> Reading:
    """RR intervals of so many 1/1024 s."""
    values = tuple(tick * TICK_MS for tick in ticks)
    return Reading(person, device, Channel.RR_INTERVAL, "ms", start, start + 5.0, values, quality)


def sample(
    channel: Channel, time: float, value: float, quality: Quality = Quality.GOOD, person: str = "anna"
) -> Reading:
    """One sample of a channel."""
    return Reading(person, "AA", channel, CHANNELS[channel].unit, time, time + 0.1, (value,), quality)


def alert(number: int = 1, state: AlertState = AlertState.RAISED, person: str = "anna") -> Alert:
    """An episode."""
    cleared = START + 900.0 if state is AlertState.CLEARED else None
    return Alert(
        f"alert-{number}",
        person,
        Risk.ATRIAL_FIBRILLATION,
        Severity.WARNING,
        state,
        START,
        START + 300.0 + number,
        cleared,
        EXPLANATION,
    )


def notification(number: int = 1, contact: str = "mum") -> Notification:
    """What a contact is told of it."""
    return Notification(
        f"notification-{number}", f"alert-{number}", contact, "Title", "Body", Severity.WARNING, START + number
    )


def message(number: int = 1, priority: Priority = Priority.ALERT, size: int = 10) -> OutboxMessage:
    """What the broker is told of it."""
    return OutboxMessage(f"message-{number}", "hearthbeat/v1/home/anna/alert", bytes(size), priority, START + number)


def assessment(end: float, score: float | None = 0.9, person: str = "anna") -> Assessment:
    """What a model thinks."""
    return Assessment(
        person,
        Risk.ATRIAL_FIBRILLATION,
        end - 60.0,
        end,
        score,
        None if score is not None else "half of the window is missing",
        "af-1",
        0.95,
        EXPLANATION if score is not None and score > 0.5 else None,
    )


def raised(number: int) -> Batch:
    """A transition with all that belongs to it."""
    return Batch(
        readings=[rr(START + number, 800, 810)],
        assessments=[assessment(START + number)],
        alerts=[alert(number)],
        notifications=[notification(number)],
        messages=[message(number)],
    )
