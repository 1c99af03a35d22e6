"""[people.care] of hearthbeat.toml: who else is told of a person's alerts, when, and who may answer them.

`contacts` of the person are told at once; what stands here is about what follows while nobody answers.
"""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.alerts.care import Care, Escalation, Right
from edge.alerts.escalation import LONGEST_COUNTDOWN_S, SHORTEST_COUNTDOWN_S
from edge.notices import Severity
from edge.settings.identifiers import Identifier

# Our choice, for a family: five minutes are enough to find a phone and its glasses, and short beside an hour in which
# low glucose can do harm; half an hour lets somebody finish a meal before the next one is told of what is no emergency.
_CRITICAL: Final = {"after_min": 5.0, "again": 3}
_WARNING: Final = {"after_min": 30.0, "again": 0}
# The shortest and the longest time to answer, minutes. Our choice: less is no time to answer, and what could wait
# longer than a day is for the daily word.
_SHORTEST_MIN: Final = 1.0
_LONGEST_MIN: Final = 1440.0


class EscalationSettings(BaseModel):
    """What happens while nobody answers an alert of one severity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_min: float = Field(
        ge=0.0,
        le=_LONGEST_MIN,
        allow_inf_nan=False,
        title="how long each one has to answer before the next one is told, minutes; 0: nobody is told again",
    )
    again: int = Field(default=0, ge=0, le=10, title="how often all are told again, once the last carer was told")

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        if 0.0 < self.after_min < _SHORTEST_MIN:
            message = f"after_min {self.after_min:g} leaves no time to answer: give {_SHORTEST_MIN:g} or more, or 0"
            raise ValueError(message)
        return self

    def escalation(self) -> Escalation | None:
        """The same for the engine; None where nobody is to be told again."""
        return Escalation(60.0 * self.after_min, self.again) if self.after_min else None


class RightSettings(BaseModel):
    """What one contact may answer, instead of what its role allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: Identifier = Field(title="whose right it is")
    acknowledge: Literal["none", "info", "warning", "critical"] = Field(
        default="critical", title="the gravest alert that the contact may take up"
    )
    snooze: Literal["none", "info", "warning", "critical"] = Field(
        default="warning", title="the gravest alert that the contact may put off"
    )

    def right(self) -> Right:
        """The same for the engine."""
        return Right(_severity(self.acknowledge), _severity(self.snooze))


class CareSettings(BaseModel):
    """Who is told beside the contacts, in what order, and who may answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    own: list[Identifier] | None = Field(
        default=None, title="the person's own phones, among the contacts; default: the first contact; [] for none"
    )
    carers: list[Identifier] = Field(
        default=[], title="who is told next, one after the other, while nobody has answered"
    )
    fall_countdown_s: float = Field(
        default=60.0,
        ge=0.0,
        le=LONGEST_COUNTDOWN_S,
        allow_inf_nan=False,
        title="how long the person is asked after a fall before anyone else is told, s; 0: all are told at once",
    )
    critical: EscalationSettings | None = Field(default=None, title="while nobody answers what is critical")
    warning: EscalationSettings | None = Field(default=None, title="while nobody answers a warning")
    rights: list[RightSettings] = Field(default=[], title="what a contact may answer, instead of what its role allows")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for what, names in (
            ("own", self.own or []),
            ("carers", self.carers),
            ("rights", [one.contact for one in self.rights]),
        ):
            for name in names:
                if names.count(name) > 1:
                    message = f"{what} names {name} twice"
                    raise ValueError(message)
        if 0.0 < self.fall_countdown_s < SHORTEST_COUNTDOWN_S:
            message = (
                f"fall_countdown_s {self.fall_countdown_s:g} leaves no time to answer: "
                f"give {SHORTEST_COUNTDOWN_S:g} or more, or 0"
            )
            raise ValueError(message)
        return self

    def escalations(self) -> dict[Severity, Escalation]:
        """By severity, what happens while nobody answers; without carers only what the settings name themselves."""
        usual = {} if not self.carers else {"critical": _CRITICAL, "warning": _WARNING}
        found = {}
        for severity, given in ((Severity.CRITICAL, self.critical), (Severity.WARNING, self.warning)):
            chosen = given
            if chosen is None and severity.value in usual:
                chosen = EscalationSettings.model_validate(usual[severity.value])
            escalation = None if chosen is None else chosen.escalation()
            if escalation is not None:
                found[severity] = escalation
        return found

    def care(self, contacts: list[str]) -> Care:
        """The same for the engine; `contacts` of the person are told at once."""
        return Care(
            own=tuple(contacts[:1] if self.own is None else self.own),
            contacts=tuple(contacts),
            carers=tuple(self.carers),
            countdown_s=self.fall_countdown_s,
            escalations=self.escalations(),
            rights={one.contact: one.right() for one in self.rights},
        )


def check_care(person: str, contacts: list[str], care: CareSettings, known: list[str]) -> None:
    """Raise ValueError where the care of `person` names whom it cannot; `known` are the contacts of the home."""
    for carer in care.carers:
        if carer not in known:
            message = f"person {person} names carer {carer}, which is not among [[contacts]]"
            raise ValueError(message)
        if carer in contacts:
            message = f"person {person} names carer {carer}, which is told at once as one of contacts: leave one out"
            raise ValueError(message)
    for own in care.own or []:
        if own not in contacts:
            message = f"person {person} names own phone {own}, which is not among the person's contacts"
            raise ValueError(message)
    for right in care.rights:
        if right.contact not in (*contacts, *care.carers):
            message = f"person {person} gives rights to {right.contact}, which is neither contact nor carer of theirs"
            raise ValueError(message)


def _severity(name: str) -> Severity | None:
    return None if name == "none" else Severity(name)
