"""One message to one phone: Apprise, in a process of its own.

Of its own, because Apprise loads all of its channels to use one (44 MB with Apprise 2.2, more than the models take),
because a channel that hangs can then be ended, and because nothing that a channel logs or raises can carry the URL,
which is a secret, into our log.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from edge.errors import SettingsError
from edge.notify.charts import Chart
from edge.readings import Severity

# Our choice: Apprise itself gives up after 4 s without a connection and 15 s without an answer; the rest is for the
# process to start on a slow machine and for a name to be found.
TIMEOUT_S: Final = 40.0


@dataclass(frozen=True, slots=True)
class Contact:
    """One phone or mailbox as an Apprise URL; the URL is a secret and shows in no representation."""

    id: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Action:
    """One answer that a phone offers: what its button says, and the link that it opens, which is a secret."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What a phone shows.

    `actions` are buttons where the channel has them and lines of text where it has none; `picture` is drawn by the
    sending process, and left out where the channel takes none or the drawing fails.
    """

    title: str
    body: str
    severity: Severity
    actions: tuple[Action, ...] = ()
    picture: Chart | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whether the channel took the message (taken is not yet seen by anybody), and if not, why."""

    accepted: bool
    reason: str | None = None


async def send(contact: Contact, message: Message, *, timeout_s: float = TIMEOUT_S) -> Delivery:
    """Hand `message` to the contact's channel; ends after `timeout_s` seconds at the latest."""
    request = {
        "url": contact.url,
        "title": message.title,
        "body": message.body,
        "severity": str(message.severity),
        "actions": [asdict(action) for action in message.actions],
        "picture": None if message.picture is None else message.picture.as_json(),
    }
    return await _ask_apprise(request, timeout_s)


async def check(contact: Contact, *, timeout_s: float = TIMEOUT_S) -> None:
    """See whether Apprise understands the contact's URL, without sending anything; raises SettingsError if not."""
    delivery = await _ask_apprise({"url": contact.url}, timeout_s)
    if not delivery.accepted:
        raise SettingsError(
            delivery.reason or "cannot be used",
            where=f"contact {contact.id}",
            mend="write its URL as Apprise's page on that service shows it",
        )


async def _ask_apprise(request: Mapping[str, Any], timeout_s: float) -> Delivery:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a file named apprise.py in the working directory is not Apprise
            "-m",
            "edge.notify.apprise_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        return Delivery(accepted=False, reason=f"the sending process could not start: {error.strerror}")
    try:
        async with asyncio.timeout(timeout_s):
            answer, _ = await process.communicate(json.dumps(request).encode())
    except TimeoutError:
        return Delivery(accepted=False, reason=f"no answer within {timeout_s:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode != 0:
        return Delivery(accepted=False, reason=f"the sending process broke off (status {process.returncode})")
    return Delivery(**json.loads(answer))
