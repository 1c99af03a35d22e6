"""The question on a phone when a device that several people use has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from functools import reduce
from types import MappingProxyType
from typing import Final

from edge.notify.languages import ENGLISH, language_of
from edge.notify.texts import AlertText, clock_time
from edge.phrases import words
from edge.readings import Channel, Claim

# How a value is told, in the order in which they are told; pressures have a form of their own.
_FORMS: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.WEIGHT: words("{value:.1f} kg"),
        Channel.BODY_FAT: words("{value:.0f} % body fat"),
        Channel.TEMPERATURE: words("{value:.1f} °C"),
        Channel.BLOOD_GLUCOSE: words("glucose {value:.0f} mg/dL"),
        Channel.SPO2: words("oxygen {value:.0f} %"),
        Channel.HEART_RATE: words("pulse {value:.0f}"),
    }
)


def told_values(claim: Claim, language: str = ENGLISH) -> str:
    """What was measured, in plain words: "128/82 mmHg, pulse 70"."""
    _ = language_of(language)
    values = {reading.channel: reading.values[-1] for reading in claim.readings if reading.values}
    told = []
    if Channel.SYSTOLIC in values:
        diastolic = values.get(Channel.DIASTOLIC)
        told.append(f"{values[Channel.SYSTOLIC]:.0f}/{'?' if diastolic is None else f'{diastolic:.0f}'} mmHg")
    told += [_(form, value=values[channel]) for channel, form in _FORMS.items() if channel in values]
    return reduce(lambda some, name: _("{some}, {name}", some=some, name=name), told) if told else _("something else")


def question_text(
    claim: Claim,
    device_name: str,
    candidates: Sequence[tuple[str, str]],
    days: int,
    language: str = ENGLISH,
    zone: tzinfo | None = None,
) -> AlertText:
    """Ask the people of `candidates`, (id, name) each, who share a phone, whether they have measured.

    `device_name` is what the family calls the device; after `days` without an answer the measurement stays nobody's.
    """
    _ = language_of(language)

    def either(names: Sequence[str]) -> str:
        return reduce(lambda some, name: _("{some} or {name}", some=some, name=name), names)

    told: dict[str, str] = {
        "values": told_values(claim, language),
        "time": clock_time(claim.measured_at, claim.received_at, zone, language),
        "who": _("you") if len(candidates) == 1 else either([name for _id, name in candidates]),
        "device": device_name or _("A device that several people use"),
        "ways": either([f"`hearthbeat people claim {claim.id[:6]} --person {person}`" for person, _name in candidates]),
    }
    body = _.several(
        "{device} measured {values} at {time} and does not know whose it is. If it was {who}, say so with {ways}; if "
        "it was nobody who lives here, with --nobody instead of --person. Until then it counts for nobody, and after "
        "{n} day without an answer it stays nobody's.",
        "{device} measured {values} at {time} and does not know whose it is. If it was {who}, say so with {ways}; if "
        "it was nobody who lives here, with --nobody instead of --person. Until then it counts for nobody, and after "
        "{n} days without an answer it stays nobody's.",
        days,
        **told,
    )
    return AlertText(_("Was that {who}? {values} at {time}", **told), body)
