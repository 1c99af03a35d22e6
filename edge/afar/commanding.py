"""Commands from afar, obeyed one after the other: what they change, and the word of it that is kept and sent.

A command waits on disk until it is settled: its effect comes first, then one transaction with its entry in the audit,
its result and the end of its waiting. A daemon that dies in between does it again when it comes back, which is
harmless: an alert that is taken up stays so, a snooze begins anew, settings are written once more as they are, and a
package or minutes that were asked for are asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from cloud_sync.commands import (
    AnswerArguments,
    DataArguments,
    ModelArguments,
    SettingsArguments,
    SnoozeArguments,
    judge,
    read_arguments,
    result,
)
from cloud_sync.inbox import UNSIGNED, Admitted, Inbox, TrustedKey, entry, refused, vouched
from cloud_sync.messages import Home
from cloud_sync.signing import read_public_key
from edge.afar.changing import change
from edge.clock import Clock
from edge.errors import HearthbeatError, RejectedError, StoreError
from edge.phrases import phrase
from edge.recorder import Recorder
from edge.settings.home import Settings
from edge.store.commands import Audit, Waiting
from edge.store.store import Store

# Forgeries of this time, in seconds, are told as a fault. Our choice, as long as one entry of the audit counts them.
FORGED_S: Final = 3600.0
# The most that is told again at once, in seconds: a month of minutes. Our choice.
MOST_DATA_S: Final = 31 * 86_400.0
# How long the disk is left alone after it refused, s.
RETRY_S: Final = 10.0
_MOST_WORDS: Final = 200

_log = structlog.get_logger("commands")


class Answering(Protocol):
    """Takes what people answer to alerts (edge.attending)."""

    async def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do it; raises WrongUseError."""


class Updating(Protocol):
    """Takes orders about models (edge.afar.model_updates)."""

    async def order(self, package: bytes, url: str | None) -> str:
        """Begin with a package; what is done, in words. Raises RejectedError, StoreError."""

    async def go_back(self, risk: str) -> str:
        """Let the earlier model of a risk count again; what is done, in words. Raises RejectedError, StoreError."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What a command may set in motion.

    `person` says who is called so outside, `settings_file` is what is changed, and `committed` is to be called when
    there is something to send.
    """

    attending: Answering
    updates: Updating
    reload: Callable[[], Awaitable[list[str]]]
    person: Callable[[str], str | None]
    settings_file: Path | None
    committed: Callable[[], None]


def trusted_keys(settings: Settings) -> dict[str, TrustedKey]:
    """The keys of the settings, by name."""
    return {
        key.id: TrustedKey(key.id, read_public_key(key.public_key), frozenset(key.may), key.contact or key.id)
        for key in settings.commands.keys
    }


class Commanding:
    """Obeys what the inbox has kept, as it comes and from where an earlier daemon stopped."""

    def __init__(self, home: Home, inbox: Inbox, store: Store, recorder: Recorder, clock: Clock, hands: Hands) -> None:
        self._home = home
        self._inbox = inbox
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._hands = hands
        self._keys: Mapping[str, TrustedKey] = {}
        self._forged: deque[tuple[float, int]] = deque()

    def take_on(self, settings: Settings) -> None:
        """Trust the keys of these settings from now on."""
        self._keys = trusted_keys(settings)
        self._inbox.take_on(self._keys)

    async def run(self, arrived: asyncio.Event) -> None:
        """Obey what waits, then whatever `arrived` tells of, until cancelled."""
        while True:
            arrived.clear()
            try:
                await self.obey()
            except StoreError as error:
                _log.warning("commands wait", error=str(error))
                await self._clock.sleep(RETRY_S)
                continue
            await arrived.wait()

    async def obey(self) -> None:
        """Settle all that waits, and write down what was refused. Raises StoreError."""
        await self._write_refusals()
        for waiting in await self._recorder.call(self._store.commands.waiting):
            await self._settle(waiting)
            self._hands.committed()

    def faults(self) -> dict[str, str | None]:
        """What is wrong with the way of commands, by part: a sentence, None where nothing is."""
        since = self._clock.monotonic() - FORGED_S
        while self._forged and self._forged[0][0] < since:
            self._forged.popleft()
        number = sum(count for _, count in self._forged)
        forged = None
        if number:
            forged = phrase(
                "Within an hour {number} commands came that nobody whom this home trusts has signed. None was obeyed. "
                "Check who may write to this home's topics at the broker.",
                number=number,
            )
        deaf, why = None, self._inbox.fault
        if why is not None:
            deaf = phrase("The broker lets no command through ({why}). Check what this home may read there.", why=why)
        return {"forged": forged, "subscription": deaf}

    async def _write_refusals(self) -> None:
        refusals = self._inbox.refusals()
        if not refusals:
            return
        unsigned = sum(audit.count for audit in refusals if audit.reason in UNSIGNED)
        if unsigned:
            self._forged.append((self._clock.monotonic(), unsigned))
        await self._recorder.call(self._store.commands.count, refusals)

    async def _settle(self, waiting: Waiting) -> None:
        """Obey one command, or say why not, and end its waiting."""
        commands, now = self._store.commands, self._clock.wall()
        try:
            admitted = vouched(waiting.envelope, self._keys)
        except RejectedError as error:  # its key is trusted no more
            gone = Audit(now, "refused", reason=error.reason, key=error.key)
            await self._recorder.call(commands.count, [gone])
            await self._recorder.call(commands.drop, waiting.position)
            return
        try:
            judge(admitted.command, self._home.id, admitted.key.may, now)
            done = await self._obey(admitted)
        except RejectedError as error:
            audit = refused(admitted, error, now)
        except StoreError:
            raise
        except HearthbeatError as error:
            audit = refused(admitted, RejectedError(error.what, reason="not possible"), now)
        except Exception as error:  # noqa: BLE001
            # Whatever a command sets off must not end the watching, nor wait to do so again after the next start.
            _log.exception("a command went wrong", command=str(admitted.command.id))
            audit = refused(admitted, RejectedError(type(error).__name__, reason="not possible"), now)
        else:
            audit = entry(admitted, now, done)
        audit = replace(audit, detail=audit.detail[:_MOST_WORDS])
        _log.info("a command", id=audit.command, key=audit.key, do=audit.verb, outcome=audit.outcome, why=audit.reason)
        await self._recorder.call(commands.settle, audit, [result(self._home, audit)], waiting.position)

    async def _obey(self, admitted: Admitted) -> str:
        """Do it; what was done, in words. Raises HearthbeatError."""
        match read_arguments(admitted.command):
            case SnoozeArguments(alert=alert, seconds=seconds):
                asked = {"do": "snooze", "alert": alert, "seconds": seconds, "by": admitted.key.by}
                return await self._answer(asked)
            case AnswerArguments(alert=alert):
                return await self._answer({"do": admitted.command.do, "alert": alert, "by": admitted.key.by})
            case SettingsArguments(set=fields):
                return await self._change(fields)
            case ModelArguments() as arguments:
                return await self._model(arguments)
            case DataArguments() as arguments:
                return await self._tell_again(arguments)
            case _:
                raise RejectedError("nobody here can do that", reason="unknown verb")

    async def _answer(self, request: Mapping[str, Any]) -> str:
        words = await self._hands.attending.answer(request)
        return "it was taken up before" if words.get("already") else "done"

    async def _change(self, fields: Mapping[str, Any]) -> str:
        path = self._hands.settings_file
        if path is None:
            raise RejectedError("this home has no settings file", reason="settings")
        named = {self._at_home(field): value for field, value in fields.items()}
        _, patterns = await asyncio.to_thread(change, path, named)
        left = await self._hands.reload()
        waits = f"; {', '.join(left)} count from the next start" if left else ""
        return f"changed {', '.join(sorted(set(patterns)))}{waits}"

    def _at_home(self, field: str) -> str:
        """A field with the person's id of the settings, where it names a person as they are called outside."""
        levels = field.split(".")
        if levels[0] == "people" and len(levels) > 1:
            levels[1] = self._hands.person(levels[1]) or levels[1]
        return ".".join(levels)

    async def _model(self, arguments: ModelArguments) -> str:
        if (arguments.package is None) == (arguments.back is None):
            raise RejectedError("it names either a package, or a risk to go back with", reason="arguments")
        if arguments.back is not None:
            return await self._hands.updates.go_back(arguments.back)
        assert arguments.package is not None  # noqa: S101 -- one of the two is there
        return await self._hands.updates.order(arguments.package.encode(), arguments.url)

    async def _tell_again(self, arguments: DataArguments) -> str:
        person = self._hands.person(arguments.person)
        if person is None:
            raise RejectedError("nobody here is called so", reason="arguments")
        if not 0.0 < arguments.until - arguments.since <= MOST_DATA_S:
            raise RejectedError(f"at most {MOST_DATA_S / 86_400.0:.0f} days are told again at once", reason="arguments")
        marked = await self._recorder.call(self._store.minutes.mark_told, person, arguments.since, arguments.until)
        return f"{marked} minutes will be told again"
