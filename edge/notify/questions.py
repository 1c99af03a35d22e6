"""The question on a phone when a device that several people use has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from types import MappingProxyType
from typing import Final

from edge.notify.texts import AlertText, clock_time
from edge.readings import Channel, Claim

# How a value is told, in the order in which they are told; pressures have a form of their own.
_FORMS: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.WEIGHT: "{:.1f} kg",
        Channel.BODY_FAT: "{:.0f} % body fat",
        Channel.TEMPERATURE: "{:.1f} °C",
        Channel.BLOOD_GLUCOSE: "glucose {:.0f} mg/dL",
        Channel.SPO2: "oxygen {:.0f} %",
        Channel.HEART_RATE: "pulse {:.0f}",
    }
)


def told_values(claim: Claim) -> str:
    """What was measured, in plain words: "128/82 mmHg, pulse 70"."""
    values = {reading.channel: reading.values[-1] for reading in claim.readings if reading.values}
    told = []
    if Channel.SYSTOLIC in values:
        diastolic = values.get(Channel.DIASTOLIC)
        told.append(f"{values[Channel.SYSTOLIC]:.0f}/{'?' if diastolic is None else f'{diastolic:.0f}'} mmHg")
    told += [form.format(values[channel]) for channel, form in _FORMS.items() if channel in values]
    return ", ".join(told) or "something else"


def question_text(
    claim: Claim, device_name: str, candidates: Sequence[tuple[str, str]], days: int, zone: tzinfo | None = None
) -> AlertText:
    """Ask the people of `candidates`, (id, name) each, who share a phone, whether they have measured.

    `device_name` is what the family calls the device; after `days` without an answer the measurement stays nobody's.
    """
    values, at = told_values(claim), clock_time(claim.measured_at, claim.received_at, zone)
    who = "you" if len(candidates) == 1 else " or ".join(name for _, name in candidates)
    ways = [f"`hearthbeat people claim {claim.id[:6]} --person {person}`" for person, _ in candidates]
    return AlertText(
        f"Was that {who}? {values} at {at}",
        f"{device_name or 'A device that several people use'} measured {values} at {at} and does not know whose it is. "
        f"If it was {who}, say so with {' or '.join(ways)}; if it was nobody who lives here, with --nobody instead of "
        f"--person. Until then it counts for nobody, and after {days} days without an answer it stays nobody's.",
    )
