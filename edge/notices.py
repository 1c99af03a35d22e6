"""The vocabulary of what is told: alerts, faults, and the messages to phones and to the broker that they become.

Small frozen types that go from room to room, like those of `readings`. Times are seconds since 1970-01-01T00:00:00Z
(UTC) unless a field says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.readings import Explanation


class Severity(StrEnum):
    """How much an alert matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Where an episode stands."""

    RAISED = "raised"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode that a person must know of, in its present state.

    `opened_at` is when the evidence was complete, `since` when the evidence began, `cleared_at` when it ended. Where it
    tells a Fault, `kind` is a FaultKind, `subject` says what is at fault (several with commas between), and `person` is
    empty unless one person's monitoring suffers.

    `told_at` is when somebody was told of it last, None while nobody was (see alerts.attention); `acknowledged_at` and
    `acknowledged_by` (a contact's id, or "person") say who has taken it up since. Until `snoozed_until` nobody is told.
    Until `asked_until` only the person is, who is asked how it is; at `help_at` the person has asked for help.
    """

    id: str
    person: str
    kind: str
    severity: Severity
    state: AlertState
    since: float
    opened_at: float
    cleared_at: float | None
    explanation: Explanation
    subject: str = ""
    told_at: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str | None = None
    snoozed_until: float | None = None
    asked_until: float | None = None
    help_at: float | None = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Until when nobody is told of one kind of alert of one person, unless it is graver than `severity`.

    Of faults, those of the things in `subject` only.
    """

    person: str
    kind: str
    subject: str
    severity: Severity
    until: float


class FaultKind(StrEnum):
    """What can be wrong with the watching itself; also the `kind` of its alert."""

    NO_DATA = "no_data"
    NEVER_SEEN = "never_seen"
    BATTERY_LOW = "battery_low"
    NOT_WORN = "not_worn"
    FROZEN_VALUE = "frozen_value"
    DEVICE_CLOCK = "device_clock"
    CLOCK = "clock"
    BLUETOOTH = "bluetooth"
    MODEL = "model"
    STORE = "store"
    DISK_FULL = "disk_full"
    CONTACT = "contact_not_told"
    CHANNEL = "channel_dead"
    BROKER_REFUSES = "broker_refuses"
    BROKER_UNREACHABLE = "broker_unreachable"
    OUTBOX_STUCK = "outbox_stuck"
    COMMANDS = "commands"
    BUTTONS = "buttons"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that keeps Hearthbeat from watching, or from telling.

    `subject` is a wearable's address, a contact's id, or the name of a part of the house. `sentence` says what is wrong
    and what to do about it, without any name or address: it may leave the house. `person` is whose monitoring suffers,
    None where it is nobody's or everybody's.
    """

    kind: FaultKind
    subject: str
    since: float
    sentence: str
    person: str | None = None
    severity: Severity = Severity.WARNING


class Priority(StrEnum):
    """What leaves the outbox first, and what is dropped last."""

    ALERT = "alert"
    FAULT = "fault"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """What must reach the broker; `id` is unique for ever, so that a receiver can drop repeats."""

    id: str
    topic: str
    payload: bytes
    priority: Priority
    created: float


class Button(StrEnum):
    """An answer that a contact may give to what it is told, where its channel has buttons."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    FINE = "fine"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Notification:
    """What one contact is to be told about one alert; `id` is unique for ever.

    `buttons` are the answers that this contact may give. `turn` says what is told of the alert: "raised", "cleared",
    "graver", "again" (still so after a snooze), "question" (to somebody who may have fallen), "escalated-1" (the first
    step because nobody has answered), "answered" (somebody has); empty where that is not known.
    """

    id: str
    alert_id: str
    contact: str
    title: str
    body: str
    severity: Severity
    created: float
    buttons: tuple[Button, ...] = ()
    turn: str = ""


@dataclass(frozen=True, slots=True)
class DueNotification:
    """A Notification whose time to be sent has come, and what happened to it so far.

    `perhaps_repeated` says that an earlier attempt was cut off before its outcome was known, so that the contact may
    have seen it already. One that is not due waits for its next attempt, and goes along with what is.
    """

    notification: Notification
    attempts: int
    perhaps_repeated: bool
    is_due: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to hand a message to a contact's channel, at `at`: accepted, or why not.

    `channel` is what the channel's service calls itself; `message` is the same for all that went in one message.
    """

    message: str
    channel: str
    at: float
    reason: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the channel took it."""
        return self.reason is None
