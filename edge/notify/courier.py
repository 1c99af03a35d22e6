"""The courier: takes notifications that are due, tells the phones, and tries again for as long as it takes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final, Protocol, TypeVar

import structlog

from edge.clock import Clock
from edge.errors import StoreError
from edge.notify import phone
from edge.notify.charts import Chart
from edge.notify.phone import Action, Contact, Delivery, Message, PhoneChannel
from edge.notify.texts import told_at
from edge.readings import DueNotification, Notification

_T = TypeVar("_T")
log = structlog.get_logger(__name__)

# Our choice: quick at first, because most refusals are a moment's loss of the network, and never rarer than every five
# minutes, because a person is waiting at the other end.
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 300.0
# How late a retry may be; what is new does not wait for it, as it comes with `wake`.
LOOK_EVERY_S: Final = 10.0
# Real seconds that links or a picture may take: whoever is told must not wait for what is only handy. Our choice.
TRIMMINGS_S: Final = 2.0


class NotificationQueue(Protocol):
    """Where notifications wait; each method raises StoreError when the store cannot."""

    async def due_notifications(self, now: float) -> Sequence[DueNotification]:
        """Those whose time has come, oldest first; also those that a crash left between sending and its outcome."""

    async def mark_sending(self, notification_id: str, now: float) -> None:
        """Keep that it is about to be sent: if no outcome follows, the contact may have seen it."""

    async def mark_sent(self, notification_id: str, now: float) -> None:
        """Keep that its channel took it."""

    async def mark_failed(self, notification_id: str, next_try: float, reason: str) -> None:
        """Keep that its channel did not take it, why, and when it is due again."""


def retry_delay(attempts: int, chance: random.Random) -> float:
    """Seconds until the next try after `attempts` earlier ones and this one have failed.

    Exponential backoff, capped, of which a random half is left out ("equal jitter": M. Brooker, Exponential Backoff And
    Jitter, AWS Architecture Blog, 2015), so that homes that lost the same server do not come back all at once.
    """
    doublings = min(attempts, 16)  # far beyond the cap, and no number grows without bound
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0**doublings) * chance.uniform(0.5, 1.0)


def _nothing() -> None:
    pass


async def _no_actions(_notification: Notification) -> Sequence[Action]:
    return ()


async def _no_picture(_notification: Notification) -> Chart | None:
    return None


class Courier:
    """Tells the phones; a contact whose channel hangs holds up no other contact.

    `send` hands a message to a channel, `chance` gives the jitter, `zone` is the time zone of the texts (None: the
    machine's), and `progress` is called whenever the courier has looked for work. `actions` makes the links of a
    notification's buttons, in the moment in which it is sent, and `picture` what is to be drawn for it.
    """

    def __init__(
        self,
        queue: NotificationQueue,
        contacts: Iterable[Contact],
        clock: Clock,
        *,
        send: Callable[[PhoneChannel, Message], Awaitable[Delivery]] = phone.send,
        chance: random.Random | None = None,
        zone: tzinfo | None = None,
        progress: Callable[[], None] = _nothing,
        actions: Callable[[Notification], Awaitable[Sequence[Action]]] = _no_actions,
        picture: Callable[[Notification], Awaitable[Chart | None]] = _no_picture,
    ) -> None:
        self._queue = queue
        self._contacts = {contact.id: contact for contact in contacts}
        self._clock = clock
        self._send = send
        self._chance = chance or random.Random()  # noqa: S311 -- jitter is no secret
        self._zone = zone
        self._progress = progress
        self._actions = actions
        self._picture = picture
        self._woken = asyncio.Event()
        self._busy: set[str] = set()
        self._taken_unmarked: set[str] = set()
        self._outcomes: dict[str, str | None] = {}

    @property
    def outcomes(self) -> Mapping[str, str | None]:
        """By contact, of those that were told anything: why the last attempt failed, None where it succeeded."""
        return self._outcomes

    def take_on(self, contacts: Iterable[Contact]) -> None:
        """Tell these contacts from now on."""
        self._contacts = {contact.id: contact for contact in contacts}

    def wake(self) -> None:
        """Look for notifications now: call it after each commit that holds one."""
        self._woken.set()

    async def run(self) -> None:
        """Tell the phones until cancelled."""
        async with asyncio.TaskGroup() as rounds:
            while True:
                self._woken.clear()
                for contact, due in (await self._due()).items():
                    self._busy.add(contact)
                    rounds.create_task(self._tell(contact, due))
                self._progress()
                await self._pause()

    async def _due(self) -> Mapping[str, Sequence[DueNotification]]:
        """What is due, by contact, for the contacts that are not being told something already."""
        busy = frozenset(self._busy)  # as of before the look: who is done during it may still stand there as due
        by_contact: defaultdict[str, list[DueNotification]] = defaultdict(list)
        try:
            for due in await self._queue.due_notifications(self._clock.wall()):
                if due.notification.contact not in busy:
                    by_contact[due.notification.contact].append(due)
        except StoreError as error:
            log.error("notifications cannot be read", error=str(error))  # noqa: TRY400 -- the error's line says it all
        return by_contact

    async def _tell(self, contact: str, notifications: Sequence[DueNotification]) -> None:
        try:
            all_noted = True
            for due in notifications:
                all_noted &= await self._deliver(due)
        finally:
            self._busy.discard(contact)
        if all_noted:  # else the same ones would be due again at once
            self.wake()

    async def _deliver(self, due: DueNotification) -> bool:
        """Send one notification and have its outcome kept; False when the store could not keep it."""
        notification = due.notification
        contact = self._contacts.get(notification.contact)
        if contact is None:
            reason = "its contact is no longer in the settings"
            log.error("nobody to tell", notification=notification.id, contact=notification.contact, reason=reason)
            next_try = self._clock.wall() + LONGEST_RETRY_S
            return await self._keep(self._queue.mark_failed(notification.id, next_try, reason))
        if notification.id not in self._taken_unmarked:
            # A store that cannot write is no reason to leave a person untold.
            await self._keep(self._queue.mark_sending(notification.id, self._clock.wall()))
            delivery = await self._send(contact.channels[0], await self._message(due))
            self._outcomes[contact.id] = None if delivery.accepted else delivery.reason or "no reason was given"
            if not delivery.accepted:
                return await self._put_off(due, delivery.reason or "no reason was given")
            log.info("contact told", notification=notification.id, contact=contact.id, attempts=due.attempts + 1)
            self._taken_unmarked.add(notification.id)
        kept = await self._keep(self._queue.mark_sent(notification.id, self._clock.wall()))
        if kept:
            self._taken_unmarked.discard(notification.id)
        return kept

    async def _message(self, due: DueNotification) -> Message:
        """What the contact reads now, with buttons and a picture where these are to be had soon enough."""
        actions, chart = await asyncio.gather(
            _soon(self._actions(due.notification), ()), _soon(self._picture(due.notification), None)
        )
        return replace(told_at(due, self._clock.wall(), zone=self._zone), actions=tuple(actions), picture=chart)

    async def _put_off(self, due: DueNotification, reason: str) -> bool:
        delay = retry_delay(due.attempts, self._chance)
        log.warning(
            "contact not told",
            notification=due.notification.id,
            contact=due.notification.contact,
            reason=reason,
            attempts=due.attempts + 1,
            retry_in_s=round(delay),
        )
        return await self._keep(self._queue.mark_failed(due.notification.id, self._clock.wall() + delay, reason))

    async def _keep(self, writing: Awaitable[None]) -> bool:
        try:
            await writing
        except StoreError as error:
            log.error("notification's outcome not stored", error=str(error))  # noqa: TRY400 -- the error's line says it all
            return False
        return True

    async def _pause(self) -> None:
        """Wait for `wake`, or for a retry that may have come due."""
        waiting = {asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(self._clock.sleep(LOOK_EVERY_S))}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()


async def _soon(making: Awaitable[_T], otherwise: _T) -> _T:
    """What is being made, or `otherwise` where that fails or takes too long: a message must not hang on it."""
    try:
        async with asyncio.timeout(TRIMMINGS_S):
            return await making
    except Exception as error:  # noqa: BLE001 -- whatever it is, the message must go
        log.warning("told without buttons or picture", error=type(error).__name__)
        return otherwise
