"""Who cares for a person: whose phone is whose, who is told and when, and what each may answer; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from edge.alerts.faults import is_fault
from edge.notices import Alert, AlertState, Button, Severity
from edge.readings import Risk

# Who answers at the machine itself, and may do everything: whoever can reach its socket keeps the house anyway.
AT_THE_MACHINE: Final = "person"
_GRAVITY: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Role(StrEnum):
    """What somebody is to an alert."""

    WEARER = "wearer"
    CARER = "carer"
    ENGINEER = "engineer"


@dataclass(frozen=True, slots=True)
class Right:
    """The gravest alert that somebody may take up, and the gravest that they may put off; None: not even a mild one."""

    acknowledge: Severity | None
    snooze: Severity | None

    def to(self, button: Button) -> Severity | None:
        """The gravest alert to which the answer may be given."""
        return self.acknowledge if button is Button.ACKNOWLEDGE else self.snooze


# Our choice. To take up an alert silences one episode and tells the others so: everybody who is told may. To put it off
# silences what is still to come, and what is critical must not be: low glucose clouds the mind of whoever has it, and a
# carer would decide for another. That somebody is not watched (a critical fault) is taken up by those who would be told
# of what is missed, not by the wearer alone; whoever looks after the house may do what the house needs, and has no say
# about a person.
OF_ALERTS: Final[Mapping[Role, Right]] = MappingProxyType(
    {
        Role.WEARER: Right(acknowledge=Severity.CRITICAL, snooze=Severity.WARNING),
        Role.CARER: Right(acknowledge=Severity.CRITICAL, snooze=Severity.WARNING),
        Role.ENGINEER: Right(acknowledge=None, snooze=None),
    }
)
OF_FAULTS: Final[Mapping[Role, Right]] = MappingProxyType(
    {
        Role.WEARER: Right(acknowledge=Severity.WARNING, snooze=Severity.WARNING),
        Role.CARER: Right(acknowledge=Severity.CRITICAL, snooze=Severity.WARNING),
        Role.ENGINEER: Right(acknowledge=Severity.CRITICAL, snooze=Severity.CRITICAL),
    }
)


@dataclass(frozen=True, slots=True)
class Escalation:
    """How long each one has to answer, s, and how often all are told again once the last carer was told."""

    after_s: float
    again: int


@dataclass(frozen=True, slots=True)
class Care:
    """Who cares for a person, by contact ids.

    `own` are the person's phones, `contacts` all that are told at once (those among them), `carers` who is told next,
    one after the other. `countdown_s` is how long the person is asked after a fall, 0 where nobody asks. `rights` are
    those that the settings give instead of what a role allows.
    """

    own: tuple[str, ...]
    contacts: tuple[str, ...]
    carers: tuple[str, ...] = ()
    countdown_s: float = 0.0
    escalations: Mapping[Severity, Escalation] = field(default_factory=dict)
    rights: Mapping[str, Right] = field(default_factory=dict)

    @property
    def everybody(self) -> tuple[str, ...]:
        """All who may be told of the person."""
        return (*self.contacts, *self.carers)

    @property
    def can_ask(self) -> bool:
        """Whether the person can be asked how it is: by a phone of theirs, and for somebody else who is to know."""
        return bool(self.own) and set(self.everybody) > set(self.own)

    def asks_after(self, alert: Alert) -> bool:
        """Whether the person is asked before anyone else is told: after a fall."""
        return alert.kind == Risk.FALL and not is_fault(alert) and self.countdown_s > 0.0 and self.can_ask

    def told_first(self, alert: Alert) -> tuple[str, ...]:
        """Who is told at once; where the person was asked first, everybody as soon as that is over."""
        return self.everybody if self.asks_after(alert) else self.contacts

    def roles(self, contact: str) -> set[Role]:
        """What somebody is to the person; nothing where they are never told."""
        if contact in self.own:
            return {Role.WEARER}
        return {Role.CARER} if contact in self.everybody else set()


def may(button: Button, alert: Alert, contact: str, care: Care, engineers: tuple[str, ...] = ()) -> bool:
    """Whether a contact may give this answer to an alert; `engineers` look after the house.

    `care` is that of the alert's person, of a fault that of whoever is told of it.
    """
    if contact == AT_THE_MACHINE:
        return True
    roles = care.roles(contact)
    if button in {Button.FINE, Button.HELP}:
        return Role.WEARER in roles and alert.kind == Risk.FALL and care.can_ask
    rights = [(OF_FAULTS if is_fault(alert) else OF_ALERTS)[role] for role in roles]
    if contact in care.rights:
        rights = [care.rights[contact]]
    if is_fault(alert) and contact in engineers:
        rights.append(OF_FAULTS[Role.ENGINEER])
    allowed = [right.to(button) for right in rights]
    return any(gravest is not None and _GRAVITY[alert.severity] <= _GRAVITY[gravest] for gravest in allowed)


def buttons(alert: Alert, contact: str, care: Care, engineers: tuple[str, ...] = ()) -> tuple[Button, ...]:
    """What a contact that is told of an alert may answer; nothing where it is over.

    Whoever may have fallen is only asked how it is: to take that up, or put it off, would be no answer.
    """
    if alert.state is AlertState.CLEARED:
        return ()
    allowed = [button for button in Button if may(button, alert, contact, care, engineers)]
    if Button.FINE in allowed:
        return (Button.FINE, Button.HELP)
    return tuple(allowed)
