"""The courier: takes notifications that are due, tells the phones, and tries again for as long as it takes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog

from edge.clock import Clock, SystemClock
from edge.errors import StoreError
from edge.notices import Attempt, DueNotification, Notification
from edge.notify import phone
from edge.notify.bundles import HOUR_S, Bundle, bundles, story_of
from edge.notify.channels import ChannelOrder
from edge.notify.chart_units import in_units_of
from edge.notify.charts import Chart
from edge.notify.digest import composed
from edge.notify.network import ASK_EVERY_S, NetworkWatch
from edge.notify.phone import Action, Contact, Delivery, Host, Message, PhoneChannel
from edge.notify.trial import tried_out

_T = TypeVar("_T")
log = structlog.get_logger(__name__)

# Our choice: quick at first, because most refusals are a moment's loss of the network, and never rarer than every five
# minutes, because a person is waiting at the other end.
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 300.0
# How late a retry may be; what is new does not wait for it, as it comes with `wake`.
LOOK_EVERY_S: Final = 10.0
# Seconds for a channel to take what is critical where there is another channel: twice what Apprise gives a connection.
# It may then come over both. Our choice.
HURRY_S: Final = 8.0
# Real seconds that links or a picture may take: whoever is told must not wait for what is only handy. Our choice.
TRIMMINGS_S: Final = 2.0


class NotificationQueue(Protocol):
    """Where notifications wait; each method raises StoreError when the store cannot."""

    async def due_notifications(self, now: float) -> Sequence[DueNotification]:
        """All that waits, oldest first, if any is due; also what a crash left between sending and its outcome."""

    async def told_since(self, moment: float) -> Mapping[str, Sequence[float]]:
        """By contact, when messages were taken since `moment`."""

    async def make_due(self, contacts: Sequence[str] | None, now: float) -> None:
        """Let all that waits for these contacts, or for everybody, be tried again at once."""

    async def mark_sending(self, notification_ids: Sequence[str], now: float) -> None:
        """Keep that they are about to be sent: if no outcome follows, the contact may have seen them."""

    async def mark_sent(self, notification_ids: Sequence[str], now: float, log: Sequence[Attempt] = ()) -> None:
        """Keep that a channel took them, and the attempts that it took."""

    async def mark_failed(
        self,
        notification_ids: Sequence[str],
        next_try: float,
        reason: str,
        log: Sequence[Attempt] = (),
        *,
        perhaps_told: bool = False,
    ) -> None:
        """Keep that no channel took them, as far as is known, why, and when they are due again."""


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


async def _never(_host: Host) -> bool:
    return False


class Courier:
    """Tells the phones; a channel that hangs holds up no other contact, and nothing that is critical.

    `send` hands a message to a channel, `reach` says whether a host answers; `chance` gives the jitter, `zone` is the
    time zone of the texts and of quiet hours (None: the machine's), and `progress` is called whenever the courier has
    looked for work. `actions` makes the links of a notification's buttons, in the moment in which it is sent, and
    `picture` what is to be drawn for it.
    """

    def __init__(
        self,
        queue: NotificationQueue,
        contacts: Iterable[Contact],
        clock: Clock,
        *,
        send: Callable[[PhoneChannel, Message], Awaitable[Delivery]] = phone.send,
        reach: Callable[[Host], Awaitable[bool]] = _never,
        ask_every_s: float = ASK_EVERY_S,
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
        self._network = NetworkWatch(reach, self._returned, SystemClock(), ask_every_s)
        self._order = ChannelOrder()
        self._chance = chance or random.Random()  # noqa: S311 -- jitter is no secret
        self._zone = zone
        self._progress = progress
        self._actions = actions
        self._picture = picture
        self._woken = asyncio.Event()
        self._in_hand: set[tuple[str, str]] = set()
        self._told: defaultdict[str, list[float]] = defaultdict(list)
        self._taken_unmarked: set[str] = set()
        self._outcomes: dict[str, str | None] = {}

    @property
    def outcomes(self) -> Mapping[str, str | None]:
        """By contact, of those that were told anything: why no channel took the last attempt, None where one did."""
        return self._outcomes

    @property
    def bypassed(self) -> Mapping[str, str | None]:
        """By contact, of those with several channels: which fails again and again while another works, and why."""
        several = [contact for contact in self._contacts.values() if len(contact.channels) > 1]
        return {contact.id: self._order.bypassed(contact) for contact in several if contact.id in self._outcomes}

    def take_on(self, contacts: Iterable[Contact]) -> None:
        """Tell these contacts from now on."""
        self._contacts = {contact.id: contact for contact in contacts}
        self.wake()

    def try_out(self) -> AsyncGenerator[Mapping[str, Any], None]:
        """Send everybody a test message; see trial.tried_out."""
        return tried_out(self._contacts.values(), self._send, self._clock.wall(), self._zone)

    def wake(self) -> None:
        """Look for notifications now: call it after each commit that holds one."""
        self._woken.set()

    async def run(self) -> None:
        """Tell the phones until cancelled."""
        async with asyncio.TaskGroup() as rounds:
            rounds.create_task(self._network.run())
            await self._remember()
            while True:
                self._woken.clear()
                for contact, waiting in (await self._waiting()).items():
                    self._tell_soon(contact, waiting, rounds)
                self._progress()
                await self._pause()

    async def _remember(self) -> None:
        """Go on where the process before stopped, and at once: the network may be another one now."""
        now = self._clock.wall()
        await self._keep(self._queue.make_due(None, now))
        try:
            for contact, moments in (await self._queue.told_since(now - HOUR_S)).items():
                self._told[contact].extend(moments)
        except StoreError as error:
            log.error("not known what was told lately", error=str(error))  # noqa: TRY400 -- the error's line says it all

    async def _waiting(self) -> Mapping[str, Sequence[DueNotification]]:
        """What waits, by contact, without the stories that are being told already."""
        in_hand = frozenset(self._in_hand)  # as of before the look: what is done in it may still stand there as waiting
        by_contact: defaultdict[str, list[DueNotification]] = defaultdict(list)
        try:
            for waiting in await self._queue.due_notifications(self._clock.wall()):
                if _key(waiting) not in in_hand:
                    by_contact[waiting.notification.contact].append(waiting)
        except StoreError as error:
            log.error("notifications cannot be read", error=str(error))  # noqa: TRY400 -- the error's line says it all
        return by_contact

    def _tell_soon(self, name: str, waiting: Sequence[DueNotification], rounds: asyncio.TaskGroup) -> None:
        contact, now = self._contacts.get(name), self._clock.wall()
        unmarked = [one for one in waiting if one.notification.id in self._taken_unmarked]
        untold = [one for one in waiting if one.notification.id not in self._taken_unmarked]
        work: list[Callable[[], Awaitable[bool]]] = []
        if unmarked:
            work.append(partial(self._mark_sent, [one.notification.id for one in unmarked], ()))
        if contact is None:
            untold = [one for one in untold if one.is_due]
            work += [partial(self._nobody, name, [one.notification.id for one in untold])] if untold else []
        else:
            lately = self._told[name] = [moment for moment in self._told[name] if 0.0 <= now - moment < HOUR_S]
            made = bundles(untold, contact, lately, now, self._zone)
            if any(busy == name for busy, _ in self._in_hand):
                made = [bundle for bundle in made if bundle.is_urgent]  # the rest waits its turn
            untold = [part for bundle in made for part in bundle.parts]
            work += [partial(self._tell, contact, made)] if made else []
        if work:
            in_hand = {_key(one) for one in (*unmarked, *untold)}
            self._in_hand |= in_hand
            rounds.create_task(self._work(in_hand, work))

    async def _work(self, in_hand: Collection[tuple[str, str]], work: Sequence[Callable[[], Awaitable[bool]]]) -> None:
        all_noted = True
        try:
            for each in work:
                all_noted &= await each()
        finally:
            self._in_hand.difference_update(in_hand)
        if all_noted:  # else the same ones would be due again at once
            self.wake()

    async def _nobody(self, contact: str, notifications: Sequence[str]) -> bool:
        reason = "its contact is no longer in the settings"
        log.error("nobody to tell", contact=contact, notifications=len(notifications), reason=reason)
        next_try = self._clock.wall() + LONGEST_RETRY_S
        return await self._keep(self._queue.mark_failed(notifications, next_try, reason))

    async def _tell(self, contact: Contact, made: Sequence[Bundle]) -> bool:
        """Send messages and have their outcomes kept; False when the store could not keep one."""
        all_noted = True
        for number, bundle in enumerate(made):
            identifiers = [part.notification.id for part in bundle.parts]
            # A store that cannot write is no reason to leave a person untold.
            await self._keep(self._queue.mark_sending(identifiers, self._clock.wall()))
            attempts, deliveries = await self._deliver(contact, bundle)
            if deliveries[-1].accepted:
                self._taken(contact, identifiers, attempts)
                all_noted &= await self._mark_sent(identifiers, attempts)
                continue
            next_try, reason = self._put_off(contact, bundle, attempts)
            unsure = any(delivery.unsure for delivery in deliveries)
            put_off = self._queue.mark_failed(identifiers, next_try, reason, attempts, perhaps_told=unsure)
            all_noted &= await self._keep(put_off)
            others = [part.notification.id for other in made[number + 1 :] for part in other.parts]
            if others and not any(delivery.refused for delivery in deliveries):
                # Nothing gets through: the others need no attempts of their own to find out.
                all_noted &= await self._keep(self._queue.mark_failed(others, next_try, reason))
                break
        return all_noted

    async def _deliver(self, contact: Contact, bundle: Bundle) -> tuple[list[Attempt], list[Delivery]]:
        """Hand a bundle to the channel whose turn it is; what is urgent to the next ones, too, until one takes it."""
        message = await self._message(bundle, contact)
        channels = self._order.of(contact, self._clock.monotonic())
        attempts, deliveries = [], []
        tried = channels if bundle.is_urgent else channels[:1]
        for channel in tried:
            at = self._clock.wall()
            timeout_s = channel.timeout_s if channel is tried[-1] else min(HURRY_S, channel.timeout_s)
            delivery = await self._send(replace(channel, timeout_s=timeout_s), message)
            reason = None if delivery.accepted else delivery.reason or "no reason was given"
            name = delivery.service or channel.scheme
            attempts.append(Attempt(bundle.parts[0].notification.id, name, at, reason))
            deliveries.append(delivery)
            if delivery.accepted:
                self._order.worked(contact, channel)
                break
            self._order.failed(contact, channel, f"{name}: {reason}", self._clock.monotonic())
            if delivery.unreached is not None:
                self._network.lost(contact.id, delivery.unreached)
        return attempts, deliveries

    async def _message(self, bundle: Bundle, contact: Contact) -> Message:
        """What the contact reads now, with buttons and a picture where these are to be had soon enough."""
        message = composed(bundle, contact, self._clock.wall(), self._zone)
        (first, *others) = bundle.stories
        if others or first.is_over:
            return message
        newest = first.parts[-1].notification
        without: Sequence[Action] = ()
        actions, chart = await asyncio.gather(_soon(self._actions, newest, without), _soon(self._picture, newest, None))
        picture = None if chart is None else in_units_of(contact.language, chart)
        return replace(message, actions=tuple(actions), picture=picture)

    def _taken(self, contact: Contact, notifications: Sequence[str], attempts: Sequence[Attempt]) -> None:
        log.info("contact told", notifications=notifications, contact=contact.id, channel=attempts[-1].channel)
        self._outcomes[contact.id] = None
        self._network.found(contact.id)
        self._told[contact.id].append(attempts[-1].at)
        self._taken_unmarked.update(notifications)

    async def _mark_sent(self, notifications: Sequence[str], attempts: Sequence[Attempt]) -> bool:
        kept = await self._keep(self._queue.mark_sent(notifications, self._clock.wall(), attempts))
        if kept:
            self._taken_unmarked.difference_update(notifications)
        return kept

    def _put_off(self, contact: Contact, bundle: Bundle, attempts: Sequence[Attempt]) -> tuple[float, str]:
        """When a bundle that no channel took is due again, and why none did."""
        delay = retry_delay(min(part.attempts for part in bundle.parts), self._chance)
        several = len(contact.channels) > 1
        reason = "; ".join(f"{one.channel}: {one.reason}" if several else one.reason or "" for one in attempts)
        if self._order.all_failed(contact, self._clock.monotonic()):
            self._outcomes[contact.id] = reason
        log.warning("contact not told", contact=contact.id, reason=reason, retry_in_s=round(delay))
        return self._clock.wall() + delay, reason

    async def _returned(self, contacts: Collection[str]) -> None:
        """Try again at once whose host answers again."""
        for contact in contacts:
            self._order.forgive(contact)
        await self._keep(self._queue.make_due(list(contacts), self._clock.wall()))
        self.wake()

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


def _key(waiting: DueNotification) -> tuple[str, str]:
    return waiting.notification.contact, story_of(waiting.notification)


async def _soon(make: Callable[[Notification], Awaitable[_T]], notification: Notification, otherwise: _T) -> _T:
    """What `make` makes of it, or `otherwise` where that fails or takes too long: a message must not hang on it."""
    try:
        async with asyncio.timeout(TRIMMINGS_S):
            return await make(notification)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the message must go
        log.warning("told without buttons or picture", error=type(error).__name__)
        return otherwise
