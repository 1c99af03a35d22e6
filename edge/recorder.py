"""The daemon's way to the store: signals in group commits, an alert at once with all that tells of it.

Signals wait at most `interval_s` for their commit: that, and the RrTimeline's HOLD_S, is the loss bound. While the disk
refuses (full, gone), what could not be stored waits in memory, bounded, and notifications are handed out all the same:
a full disk is no reason to leave a person untold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

import structlog

from edge.clock import Clock
from edge.errors import StoreError, UnstorableError
from edge.notices import Alert, Attempt, DueNotification, Notification, OutboxMessage
from edge.readings import RAW_CHANNELS, Assessment, Channel, Claim, Memory, Reading
from edge.store.blocks import is_storable
from edge.store.notifications import PUT_OFF_S
from edge.store.store import Batch, Store

# Readings that may wait while the disk refuses, about 20 MB: most of a waking day of one person; as many Assessments,
# 30 MB at most: two days of four risks; and values of raw channels, about 20 MB more: an hour of acceleration at 50 Hz.
# The oldest go first. Our choice.
MOST_WAITING: Final = 50_000
MOST_RAW_WAITING: Final = 600_000
# Values that take about as much memory as a Reading does without them.
_READING_COST: Final = 8

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = structlog.get_logger("recorder")


def _nothing() -> None:
    pass


@dataclass(slots=True)
class _Waiting:
    readings: list[Reading] = field(default_factory=list)
    assessments: list[Assessment] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    messages: list[OutboxMessage] = field(default_factory=list)
    memories: dict[tuple[str, str], Memory] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    raw: list[Reading] = field(default_factory=list)

    def batch(self) -> Batch:
        return Batch(
            self.readings + self.raw,
            self.assessments,
            self.alerts,
            self.notifications,
            self.messages,
            list(self.memories.values()),
            self.claims,
        )

    def __bool__(self) -> bool:
        told = self.alerts or self.notifications or self.messages or self.claims
        return bool(self.readings or self.raw or self.assessments or told or self.memories)

    def keep_within_bounds(self) -> int:
        """Drop the oldest beyond what may wait; how many Readings."""
        excess = max(0, len(self.readings) - MOST_WAITING)
        del self.readings[:excess]
        del self.assessments[: max(0, len(self.assessments) - MOST_WAITING)]
        cost = sum(len(reading.values) + _READING_COST for reading in self.raw)
        raw_excess = 0
        while cost > MOST_RAW_WAITING:
            cost -= len(self.raw[raw_excess].values) + _READING_COST
            raw_excess += 1
        del self.raw[:raw_excess]
        return excess + raw_excess

    def drop_unstorable(self) -> int:
        """Drop the Readings that no store can take; how many."""
        before = len(self.readings) + len(self.raw)
        self.readings = [reading for reading in self.readings if is_storable(reading)]
        self.raw = [reading for reading in self.raw if is_storable(reading)]
        return before - len(self.readings) - len(self.raw)

    def put_before(self, later: _Waiting) -> _Waiting:
        return _Waiting(
            self.readings + later.readings,
            self.assessments + later.assessments,
            self.alerts + later.alerts,
            self.notifications + later.notifications,
            self.messages + later.messages,
            self.memories | later.memories,
            self.claims + later.claims,
            self.raw + later.raw,
        )


class Recorder:
    """Everything that the daemon stores goes through here, in one worker thread of its own.

    `committed` is called after each commit that holds notifications or messages. `dropped_readings` counts what the
    disk refused for so long that memory was full, `unstorable_readings` what no store can take.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        interval_s: float,
        committed: Callable[[], None] = _nothing,
        progress: Callable[[], None] = _nothing,
    ) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._committed = committed
        self._progress = progress
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._waiting = _Waiting()
        self._writing = asyncio.Lock()
        self._begun = asyncio.Event()
        self._retry_at: dict[str, float] = {}
        self.dropped_readings = 0
        self.unstorable_readings = 0
        self.fault: str | None = None

    async def call(self, function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Run a method of the store in its thread; it runs even if this is cancelled before its turn has come."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._worker, lambda: function(*arguments, **named)))

    def keep(
        self, readings: Iterable[Reading], assessments: Iterable[Assessment], memories: Iterable[Memory] = ()
    ) -> None:
        """Take Readings and Assessments for the next group commit, and what is known once these are stored."""
        for reading in readings:
            (self._waiting.raw if reading.channel in RAW_CHANNELS else self._waiting.readings).append(reading)
        self._waiting.assessments.extend(assessments)
        self._waiting.memories.update(((memory.device, memory.profile), memory) for memory in memories)
        # A battery level comes with every connection and proves nothing of the stream.
        if not self._begun.is_set() and (
            self._waiting.raw or any(r.channel is not Channel.BATTERY for r in self._waiting.readings)
        ):
            self._begun.set()
        self.dropped_readings += self._waiting.keep_within_bounds()

    async def say(self, alert: Alert, notifications: Sequence[Notification], messages: Sequence[OutboxMessage]) -> None:
        """Commit an alert's transition with all that tells of it, and all that led to it, at once."""
        self.put(alert, notifications, messages)
        await self.commit()

    def put(self, alert: Alert, notifications: Sequence[Notification], messages: Sequence[OutboxMessage]) -> None:
        """Take an alert's transition with all that tells of it for the next commit, which is to be asked for."""
        self._waiting.alerts.append(alert)
        self._waiting.notifications.extend(notifications)
        self._waiting.messages.extend(messages)

    async def ask(
        self, claims: Sequence[Claim], notifications: Sequence[Notification], memories: Iterable[Memory] = ()
    ) -> None:
        """Commit measurements that wait for somebody to say whose they are, with the questions, at once."""
        self._waiting.claims.extend(claims)
        self._waiting.notifications.extend(notifications)
        self._waiting.memories.update({(memory.device, memory.profile): memory for memory in memories})
        await self.commit()

    async def run(self) -> None:
        """Commit the first Readings at once, then every `interval_s`."""
        first = asyncio.create_task(self._commit_first())
        try:
            await self._commit_regularly()
        finally:
            first.cancel()

    async def _commit_first(self) -> None:
        """A daemon that works shows it at once, and a disk that refuses too."""
        await self._begun.wait()
        await self.commit()

    async def _commit_regularly(self) -> None:
        while True:
            await self._clock.sleep(self._interval_s)
            await self.commit()
            self._progress()

    async def commit(self) -> None:
        """Store all that waits; what the disk refuses goes on waiting."""
        async with self._writing:
            waiting, self._waiting = self._waiting, _Waiting()
            if not waiting:
                return
            try:
                # If this is cancelled, the thread still finishes the commit: nothing is put back then.
                await self.call(self._store_all, waiting)
            except StoreError as error:
                self._waiting = waiting.put_before(self._waiting)
                self._complain(error)
            else:
                self._recovered()
            if waiting.notifications or waiting.messages:
                self._committed()

    async def close(self) -> None:
        """Commit what waits and end the thread."""
        await self.commit()
        await asyncio.to_thread(self._worker.shutdown)

    async def due_notifications(self, now: float) -> list[DueNotification]:
        """See NotificationQueue; what the disk has refused so far is among them."""
        unstored = [
            DueNotification(
                notification,
                attempts=0,
                perhaps_repeated=False,
                is_due=not now < self._retry_at.get(notification.id, now) <= now + PUT_OFF_S,
            )
            for notification in self._waiting.notifications
        ]
        try:
            return unstored + await self.call(self._store.notifications.due_notifications, now)
        except StoreError:
            if unstored:
                return unstored
            raise

    async def told_since(self, moment: float) -> Mapping[str, Sequence[float]]:
        """See NotificationQueue."""
        return await self.call(self._store.notifications.told_since, moment)

    async def make_due(self, contacts: Sequence[str] | None, now: float) -> None:
        """See NotificationQueue."""
        for notification in self._waiting.notifications:
            if contacts is None or notification.contact in contacts:
                self._retry_at.pop(notification.id, None)
        await self.call(self._store.notifications.make_due, contacts, now)

    async def mark_sending(self, notification_ids: Sequence[str], now: float) -> None:
        """See NotificationQueue."""
        stored = self._stored(notification_ids)
        if stored:
            await self.call(self._store.notifications.mark_sending, stored, now)

    async def mark_sent(self, notification_ids: Sequence[str], now: float, log: Sequence[Attempt] = ()) -> None:
        """See NotificationQueue; one that was never stored need not be stored any more."""
        stored = self._stored(notification_ids)
        self._waiting.notifications = [n for n in self._waiting.notifications if n.id not in notification_ids]
        if stored:
            await self.call(self._store.notifications.mark_sent, stored, now, log)

    async def mark_failed(
        self,
        notification_ids: Sequence[str],
        next_try: float,
        reason: str,
        log: Sequence[Attempt] = (),
        *,
        perhaps_told: bool = False,
    ) -> None:
        """See NotificationQueue."""
        stored = self._stored(notification_ids)
        self._retry_at.update(dict.fromkeys(set(notification_ids).difference(stored), next_try))
        if stored:
            mark = self._store.notifications.mark_failed
            await self.call(mark, stored, next_try, reason, log, perhaps_told=perhaps_told)

    def _stored(self, notification_ids: Sequence[str]) -> list[str]:
        unstored = {notification.id for notification in self._waiting.notifications}
        return [identifier for identifier in notification_ids if identifier not in unstored]

    def _store_all(self, waiting: _Waiting) -> None:
        """Commit all that waits; what can't ever be stored is dropped, lest all else waits for it for ever."""
        try:
            self._store.commit(waiting.batch())
        except UnstorableError as error:
            dropped = waiting.drop_unstorable()
            _log.error("readings were dropped that cannot be stored", readings=dropped, error=str(error))
            self.unstorable_readings += dropped
            self._store.commit(waiting.batch())

    def _complain(self, error: StoreError) -> None:
        if self.fault != str(error):
            _log.error("nothing can be stored, it waits in memory", error=str(error))
        self.fault = str(error)

    def _recovered(self) -> None:
        if self.fault is not None:
            _log.info("stored again", dropped_readings=self.dropped_readings)
        self.fault = None
        self._retry_at.clear()
