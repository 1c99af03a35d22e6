"""A fault's alert as `hearthbeat status` tells it, with the names that the family uses."""

from __future__ import annotations

from datetime import tzinfo
from types import MappingProxyType
from typing import Any, Final

from edge.notices import Alert
from edge.notify.texts import clock_time
from edge.phrases import listed, phrase, words
from edge.readings import Risk
from edge.settings.home import Settings

_PARTS: Final = MappingProxyType(
    {
        "store": words("storing"),
        "backup": words("the nightly backup"),
        "nights": words("the look at the nights"),
        "clock": words("the clock"),
        "outbox_budget": words("the room for messages that wait"),
        Risk.ATRIAL_FIBRILLATION.value: words("atrial fibrillation"),
        Risk.FALL.value: words("falls"),
        Risk.HYPOGLYCAEMIA.value: words("low glucose"),
        Risk.SLEEP_APNOEA.value: words("sleep apnoea"),
    }
)


def fault_names(alert: Alert, settings: Settings) -> list[str]:
    """What the family calls what is at fault."""
    wearables = {
        device.address: device.name or phrase("device {address}", address=device.address) for device in settings.shared
    }
    for person in settings.people:
        for wearable in person.wearables:
            name = wearable.name or phrase("wearable {address}", address=wearable.address)
            owner = person.name or person.id
            wearables[wearable.address] = phrase("{person}'s {wearable}", person=owner, wearable=name)
    contacts = {contact.id: contact.name for contact in settings.contacts}
    parts = {name: phrase(called) for name, called in _PARTS.items()}
    return [
        wearables.get(subject) or contacts.get(subject) or parts.get(subject) or subject.replace("_", " ")
        for subject in alert.subject.split(",")
    ]


def fault_fields(alert: Alert, settings: Settings) -> dict[str, Any]:
    """A fault's alert for JSON; times are seconds since 1970 UTC."""
    return {
        "id": alert.id,
        "kind": alert.kind,
        "person": alert.person or None,
        "subjects": alert.subject.split(","),
        "what": listed(fault_names(alert, settings)),
        "severity": alert.severity.value,
        "since": alert.since,
        "opened_at": alert.opened_at,
        "sentence": alert.explanation.sentence,
    }


def fault_line(alert: Alert, settings: Settings, now: float, zone: tzinfo | None = None) -> str:
    """A fault's alert in one line for people, as of `now`."""
    what = listed(fault_names(alert, settings))
    since = clock_time(alert.since, now, zone)
    return f"{what}: {alert.kind.replace('_', ' ')} since {since}. {alert.explanation.sentence}"
