"""Telling the broker of minutes, hours, days and what the models thought: once each is over, and again what comes late.

Minutes are told in batches, so that they cost little on the wire: a message holds all of a person's that are due. All
is read and summed up by a thread with a connection of its own, so that a day of acceleration keeps no commit waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
import tzlocal
from pydantic import ValidationError

from cloud_sync import messages
from edge.clock import Clock
from edge.errors import StoreError
from edge.notices import OutboxMessage
from edge.readings import RAW_CHANNELS, Channel
from edge.recorder import Recorder
from edge.running.maintenance import SECONDS_PER_DAY
from edge.settings.home import Settings
from edge.store.minutes import DirtyMinute
from edge.store.store import Store
from edge.store.stretches import DirtyStretch, Level, Span, hour_of
from edge.telling.assessed import assessed_hour
from edge.telling.summaries import summaries_of

# A minute is told no sooner than this after its end: packets may be held or late for seconds (see RrTimeline), and
# group commits come every few. What comes still later is told as a further revision. Our choice.
GRACE_S: Final = 20.0
# How often it is looked whether something is due, s.
LOOK_S: Final = 5.0
# Minutes in one message at most. Our choice: an hour of them; a backfill of days is told in as many as it takes.
MOST_MINUTES: Final = 60

_T = TypeVar("_T")
_log = structlog.get_logger("telling")


@dataclass(frozen=True, slots=True)
class _Batch:
    minutes: Sequence[DirtyMinute]
    message: OutboxMessage
    touched: Sequence[tuple[str, Span]]


class Telling:
    """Puts what is due into the outbox, at whole multiples of the settings' `summary_every_min`.

    `home` tells, `order` says of a person and channel which wearable comes first, and `told` is called when something
    has been put there. `fault` says why nothing can be told, None where all is well.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        home: messages.Home,
        order: Callable[[str, Channel], Sequence[str]],
        told: Callable[[], None],
        progress: Callable[[], None],
        *,
        zone: ZoneInfo | None = None,
    ) -> None:
        assert settings.broker is not None  # noqa: S101 -- else there is no home that tells
        self._every_s = 60.0 * settings.broker.summary_every_min
        self._keep_s = settings.store.keep_days * SECONDS_PER_DAY
        self._keep_raw_s = settings.store.keep_raw_days * SECONDS_PER_DAY
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._home = home
        self._order = order
        self._told = told
        self._progress = progress
        self._zone = zone or local_zone()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telling")
        self._done: float | None = None
        self._asked_for = 0
        self.fault: str | None = None

    async def run(self) -> None:
        """Look whether something is due, until cancelled."""
        try:
            while True:
                await self._clock.sleep(LOOK_S)
                await self.look()
                self._progress()
        finally:
            await asyncio.shield(asyncio.to_thread(self._worker.shutdown))

    async def look(self) -> None:
        """Tell what is due and has not been told, or was asked for; what cannot be read now is told later."""
        due = (self._clock.wall() - GRACE_S) // self._every_s * self._every_s
        asked_for = self._store.minutes.asked_for
        if due == self._done and asked_for == self._asked_for:
            return
        try:
            while await self._tell_minutes(due):
                self._progress()
            while await self._tell_stretch(due):
                self._progress()
        except (StoreError, ValidationError) as error:
            # What the format cannot tell must not end the watching; it stays marked, and the fault is shown.
            told = str(error) if isinstance(error, StoreError) else f"a summary cannot be told; report this ({error})"
            if told != self.fault:
                _log.warning("nothing can be told now", error=told)
            self.fault = told
        else:
            self._done, self._asked_for, self.fault = due, asked_for, None

    async def _tell_minutes(self, due: float) -> bool:
        """Tell a batch of everybody's minutes that end no later than `due`; whether there were any."""
        batches = await self._read(partial(self._batches, due))
        for batch in batches:
            await self._recorder.call(
                self._store.minutes.commit_summaries, batch.minutes, [batch.message], batch.touched
            )
            self._told()
        return bool(batches)

    async def _tell_stretch(self, due: float) -> bool:
        """Tell the oldest hour or day that ends no later than `due`; whether there was one."""
        found = await self._read(partial(self._oldest_stretch, due))
        if found is None:
            return False
        await self._recorder.call(self._store.stretches.commit_told, *found)
        self._told()
        return True

    async def _read(self, function: Callable[[Store], _T]) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._with_store, function)

    def _with_store(self, function: Callable[[Store], _T]) -> _T:
        with Store(self._store.path) as store:
            return function(store)

    def _batches(self, due: float, store: Store) -> list[_Batch]:
        """The next batch of each person who has one."""
        found = []
        for person in store.minutes.dirty_people(due):
            minutes = store.minutes.dirty_minutes(due, MOST_MINUTES, person)
            order = partial(self._order, person)
            summed = [(one, summaries_of(store, person, one.start, one.end, order)) for one in minutes]
            gone = {one.minute: self._gone(one.end) for one in minutes}
            touched = sorted({span for one in minutes for span in self._spans(one)}, key=lambda span: span.start)
            message = messages.minute_summaries(self._home, summed, gone)
            found.append(_Batch(minutes, message, [(person, span) for span in touched]))
        return found

    def _oldest_stretch(self, due: float, store: Store) -> tuple[DirtyStretch, OutboxMessage | None] | None:
        for stretch in store.stretches.dirty_stretches(due, limit=1):
            return stretch, self._stretch_message(stretch, store)
        return None

    def _stretch_message(self, stretch: DirtyStretch, store: Store) -> OutboxMessage | None:
        if stretch.span.level is Level.ASSESSED:
            risks = assessed_hour(store.assessments.between(stretch.person, stretch.start, stretch.end))
            return messages.assessment_summary(self._home, stretch, risks) if risks else None
        if stretch.start < self._clock.wall() - self._keep_s:
            return None  # not all of it is kept any more: what was told stands
        order = partial(self._order, stretch.person)
        gone: tuple[Channel, ...] = ()
        summed = summaries_of(store, stretch.person, stretch.start, stretch.end, order)
        if stretch.revision > 1 and stretch.start < self._clock.wall() - self._keep_raw_s:
            gone = tuple(RAW_CHANNELS)
            summed = {channel: summary for channel, summary in summed.items() if channel not in RAW_CHANNELS}
        if stretch.span.level is Level.HOUR:
            return messages.hour_summary(self._home, stretch, summed, gone)
        date, _, zone = stretch.span.label.partition(" ")
        return messages.day_summary(self._home, stretch, date, zone, summed, gone)

    def _gone(self, end: float) -> Iterable[Channel]:
        """The channels that are kept no more of what ended then."""
        return RAW_CHANNELS if end < self._clock.wall() - self._keep_raw_s else ()

    def _spans(self, minute: DirtyMinute) -> tuple[Span, Span]:
        """The hour and the day that hold a minute."""
        return hour_of(minute.end, Level.HOUR), day_of(minute.start, self._zone)


def home_of(settings: Settings, store: Store) -> messages.Home | None:
    """Who tells the broker of the settings; None where there is none."""
    if settings.broker is None:
        return None
    return messages.Home(settings.home.id, store.pseudonyms, settings.broker.encrypt_to, not settings.broker.pseudonyms)


def local_zone() -> ZoneInfo:
    """The machine's time zone by its name in the IANA database; UTC where it has none."""
    try:
        return ZoneInfo(tzlocal.get_localzone_name())
    except (ZoneInfoNotFoundError, ValueError) as error:
        _log.warning("the time zone has no name; days are told in UTC", error=str(error))
        return ZoneInfo("UTC")


def day_of(time: float, zone: ZoneInfo) -> Span:
    """The day in `zone` that holds what comes after `time` (s since 1970 UTC): 23 to 25 hours, midnight to midnight."""
    day = datetime.fromtimestamp(time, UTC).astimezone(zone).date()
    start, end = (
        datetime.combine(one, datetime.min.time(), zone).timestamp() for one in (day, day + timedelta(days=1))
    )
    return Span(Level.DAY, start, end, f"{day.isoformat()} {zone.key}")
