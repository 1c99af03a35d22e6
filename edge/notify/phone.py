"""One message to one phone: Apprise, in a process of its own.

Of its own, because Apprise loads all of its channels to use one (55 MB with Apprise 2.3, of which 37 are no other
process's), because a channel that hangs can then be ended, and because nothing that a channel logs or raises can carry
the URL, which is a secret, into our log. It is started ahead of the first message and stays: loading takes half a
second on a desktop and two on a small machine, which nobody who has fallen should wait for.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import structlog

from edge.errors import SettingsError
from edge.notices import Severity
from edge.notify.charts import Chart
from edge.notify.quiet import QuietHours

# Our choice: Apprise itself gives up after 4 s without a connection and 15 s without an answer.
TIMEOUT_S: Final = 20.0
# What a process that is not ready yet may take to start, on a slow machine, beside that. Our choice.
START_S: Final = 20.0
# How long a host may take to answer when it is asked whether it is there: several times what the other side of the
# world and a lost packet take. Our choice.
REACH_S: Final = 3.0
# How long a machine that starts is left alone before the process is started ahead, in seconds. Our choice.
CALM_S: Final = 5.0
# What a contact is told in one hour, at most, unless the settings say otherwise (critical alerts are always told):
# our choice, one in five minutes.
MOST_PER_HOUR: Final = 12
# Waiting for a dead name server is waiting for nothing (resolver options of resolv.conf(5)).
_RESOLVER: Final = {"RES_OPTIONS": "timeout:2 attempts:2"}

# How a URL begins (RFC 3986, 3.1).
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

Host = tuple[str, int]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PhoneChannel:
    """One way to a contact, as an Apprise URL; the URL is a secret and shows in no representation.

    `timeout_s` is how long it may take to take a message.
    """

    url: str = field(repr=False)
    timeout_s: float = TIMEOUT_S

    @property
    def scheme(self) -> str:
        """What kind of service it is, where the service has not said its name."""
        found = _SCHEME.match(self.url)
        return found[1].lower() if found else "unknown"  # without a scheme all of it may be the secret


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who can be told, over the first of `channels` that works, and how: see ContactSettings."""

    id: str
    channels: tuple[PhoneChannel, ...]
    language: str = "en"
    quiet_hours: QuietHours | None = None
    most_per_hour: int = MOST_PER_HOUR


@dataclass(frozen=True, slots=True)
class Action:
    """One answer that a phone offers: what its button says, and the link that it opens, which is a secret."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What a phone shows.

    `turn` says what is told of an alert (see Notification): where the channel has priorities, an answer or an all-clear
    sounds calmer than its severity, and what nobody has answered louder. `actions` are buttons where the channel has
    them and lines of text where it has none; `picture` is drawn by the sending process, and left out where the channel
    takes none or the drawing fails.
    """

    title: str
    body: str
    severity: Severity
    actions: tuple[Action, ...] = ()
    picture: Chart | None = None
    turn: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whether the channel took the message (taken is not yet seen by anybody), and if not, why.

    `service` is what the channel's service calls itself. `refused` says that the service has answered, and declined;
    `unsure` that it has not answered in time, so that it may have taken the message all the same. `unreached` is the
    host that did not answer; it may be known to nobody else and shows in no representation.
    """

    accepted: bool
    reason: str | None = None
    service: str = ""
    refused: bool = False
    unsure: bool = False
    unreached: Host | None = field(default=None, repr=False)


class SendingProcess:
    """The process, started ahead by `keep_ready` or by the first who asks; `async with`, or `close` it."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()

    async def send(self, channel: PhoneChannel, message: Message) -> Delivery:
        """Hand `message` to a channel; ends after the channel's time at the latest."""
        request = {
            "url": channel.url,
            "title": message.title,
            "body": message.body,
            "severity": str(message.severity),
            "turn": message.turn,
            "actions": [asdict(action) for action in message.actions],
            "picture": None if message.picture is None else message.picture.as_json(),
        }
        return await self._ask(request, channel.timeout_s)

    async def check(self, contact: Contact) -> None:
        """See whether Apprise understands a contact's URLs, without sending anything; raises SettingsError if not."""
        for channel in contact.channels:
            delivery = await self._ask({"url": channel.url}, channel.timeout_s)
            if not delivery.accepted:
                raise SettingsError(
                    delivery.reason or "cannot be used",
                    where=f"contact {contact.id}",
                    mend="write its URL as Apprise's page on that service shows it",
                )

    async def reaches(self, host: Host) -> bool:
        """Whether a host takes connections now."""
        return (await self._ask({"reach": host}, REACH_S)).accepted

    async def keep_ready(self) -> None:
        """Start the process ahead, and again whenever it has ended, until cancelled."""
        while True:
            await asyncio.sleep(CALM_S)
            with suppress(OSError):  # whoever sends is told
                process = await self._start()
                await process.wait()

    async def close(self) -> None:
        """End the process, and all that still hangs in it."""
        process, self._process = self._process, None
        if self._control is not None:
            self._control.close()
            self._control = None
        if process is not None and process.returncode is None:
            # Those that it has forked have no other parent to end them; where it has gone before, their own time does.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _start(self) -> asyncio.subprocess.Process:
        """The process that runs. Raises OSError."""
        async with self._starting:
            if self._process is not None and self._process.returncode is None:
                return self._process
            await self.close()
            ours, theirs = socket.socketpair()
            with theirs:
                self._control = ours
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # a file named apprise.py in the working directory is not Apprise
                    "-m",
                    "edge.notify.apprise_process",
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                    env={**os.environ, **_RESOLVER},
                )
            return self._process

    async def _ask(self, request: Mapping[str, Any], timeout_s: float) -> Delivery:
        try:
            await self._start()
            reader, writer = await self._connect()
        except OSError as error:
            return Delivery(accepted=False, reason=f"the sending process could not start: {error.strerror}")
        host: Host | None = None
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout_s + START_S):
                writer.write(json.dumps({**request, "timeout_s": timeout_s}).encode())
                writer.write_eof()
                async for line in reader:
                    words = json.loads(line)
                    if "accepted" in words:
                        unreached = None if words["accepted"] or words["refused"] else host
                        return Delivery(**words, unreached=unreached)
                    host = (str(words["asks_for"][0]), int(words["asks_for"][1]))
        except TimeoutError:
            log.error("the sending process has not started in time")  # noqa: TRY400 -- the line says it all
        except OSError as error:
            return Delivery(accepted=False, reason=f"the sending process broke off: {error.strerror}")
        finally:
            writer.close()
        if asyncio.get_running_loop().time() - began < timeout_s:
            return Delivery(accepted=False, reason="the sending process broke off")
        return Delivery(accepted=False, reason=f"no answer within {timeout_s:g} s", unsure=True, unreached=host)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a fork of its own. Raises OSError."""
        assert self._control is not None  # noqa: S101 -- a process that runs has one
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"1"], [theirs.fileno()])
        return await asyncio.open_unix_connection(sock=ours)


async def send(channel: PhoneChannel, message: Message) -> Delivery:
    """Hand one message to a channel, by a process for this one."""
    async with SendingProcess() as process:
        return await process.send(channel, message)


async def tell(contact: Contact, message: Message) -> Delivery:
    """Hand one message to the first of a contact's channels that takes it, by a process for this one."""
    delivery = Delivery(accepted=False, reason="it has no channel")
    async with SendingProcess() as process:
        for channel in contact.channels:
            delivery = await process.send(channel, message)
            if delivery.accepted:
                break
    return delivery
