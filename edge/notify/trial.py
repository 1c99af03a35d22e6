"""A test message to everybody, over each channel: what should reach a phone in need must reach it today."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from datetime import tzinfo

from edge.notices import Severity
from edge.notify.languages import language_of
from edge.notify.phone import Contact, Delivery, Message, PhoneChannel
from edge.notify.texts import clock_time


async def tried_out(
    contacts: Iterable[Contact],
    send: Callable[[PhoneChannel, Message], Awaitable[Delivery]],
    now: float,
    zone: tzinfo | None = None,
) -> AsyncGenerator[Mapping[str, str | float | bool | None], None]:
    """Send one message over each channel of each contact, and tell what came of it as it happens.

    Each tells its `contact`, `channel`, whether it was `accepted`, the `reason` why not, and how many `seconds` it
    took. `now` is seconds since 1970 UTC.
    """
    for contact in contacts:
        message = _message(contact, now, zone)
        for channel in contact.channels:
            began = time.monotonic()
            delivery = await send(channel, message)
            yield {
                "contact": contact.id,
                "channel": delivery.service or channel.scheme,
                "accepted": delivery.accepted,
                "reason": None if delivery.accepted else delivery.reason,
                "seconds": round(time.monotonic() - began, 3),
            }


def _message(contact: Contact, now: float, zone: tzinfo | None) -> Message:
    _ = language_of(contact.language)
    at = clock_time(now, now, zone, contact.language)
    return Message(
        _("Hearthbeat: only a test"),
        _("Somebody has sent this test at {time}. Alerts reach you here. There is nothing to do.", time=at),
        Severity.INFO,
    )
