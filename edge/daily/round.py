"""Who is told the daily word, and when; each morning's round through the people of a home.

A round looks at what is due by the wall clock and at what was told, and is made every few minutes. So nothing hangs on
one moment: a machine that slept, a clock that was set, changed settings or a restart make it no more than late, and
never double, since a contact's word of a day has one id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Final

import structlog
from apscheduler.schedulers.base import BaseScheduler

from edge.clock import Clock
from edge.daily.facts import Facts, facts_of
from edge.daily.word import notification, word_id, word_text
from edge.errors import StoreError
from edge.notices import Notification
from edge.notify.texts import AlertText
from edge.recorder import Recorder
from edge.settings.contacts import ContactSettings
from edge.settings.home import PersonSettings, Settings
from edge.store.store import Store
from edge.watches.fault_fields import fault_names

# Minutes between rounds, and how late a word may be after its time. Our choice: noon is late for a word on the night,
# and what was due while nobody was there is past by the next day.
EVERY_MIN: Final = 5
GRACE_S: Final = 6 * 3600.0
# A word of the week is told on this day: Monday.
WEEKLY_ON: Final = 0

_log = structlog.get_logger("daily word")


@dataclass(frozen=True, slots=True)
class Due:
    """A word that is due: of whom, to whom, of the `days` (1 or 7) before `day`."""

    person: PersonSettings
    contact: ContactSettings
    day: date
    days: int


def due_words(settings: Settings, now: float, zone: tzinfo | None = None) -> list[Due]:
    """The words whose time has come, and is not long past, at `now` (s since 1970 UTC)."""
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    found = []
    for contact in settings.contacts:
        at = time.fromisoformat(contact.daily_word_at)
        for day in (today - timedelta(days=1), today):
            late_s = now - datetime.combine(day, at, tzinfo=zone).timestamp()
            if not 0.0 <= late_s < GRACE_S:
                continue
            for person in settings.people:
                days = days_of(person, contact)
                if days == 1 or (days and day.weekday() == WEEKLY_ON):
                    found.append(Due(person, contact, day, days))
    return found


def days_of(person: PersonSettings, contact: ContactSettings) -> int:
    """Of how many days a contact's word of a person is: 1, 7, or 0 where there is none.

    Nobody is told of a person whose alerts they are not told.
    """
    care = person.cared_for
    often = contact.daily_word or ("daily" if contact.id in care.own else "never")
    return {"daily": 1, "weekly": 7, "never": 0}[often] if contact.id in care.everybody else 0


def word_of(
    store: Store, settings: Settings, due: Due, now: float, zone: tzinfo | None = None
) -> tuple[Facts, AlertText] | None:
    """What is told, with its facts; None where nothing was measured lately. Raises StoreError."""
    midnights = (datetime.combine(due.day - timedelta(days=days), time(), tzinfo=zone) for days in (due.days, 0))
    start, end = (midnight.timestamp() for midnight in midnights)
    facts = facts_of(store, due.person, start, end, now, zone)
    if facts is None:
        return None
    faults = [(alert, fault_names(alert, settings)) for alert in facts.faults]
    return facts, word_text(facts, due.person.name or due.person.id, faults, due.contact.language, zone)


class DailyRound:
    """Tells the words that are due, whenever `run` is called; `settings` are those of now.

    The store at `path` is read in a thread of its own, since a week of movement takes a while and the recorder must not
    wait.
    """

    def __init__(
        self,
        path: Path,
        recorder: Recorder,
        clock: Clock,
        settings: Callable[[], Settings],
        zone: tzinfo | None = None,
    ) -> None:
        self._path = path
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._zone = zone
        self._done: set[str] = set()

    def plan(self, scheduler: BaseScheduler) -> None:
        """Make a round every EVERY_MIN minutes.

        Rounds that were missed are one (coalesce) and late ones are made however late they are: what is due, and not
        too late, is for the round itself to say.
        """
        scheduler.add_job(
            self.run, "cron", minute=f"*/{EVERY_MIN}", id="daily word", coalesce=True, misfire_grace_time=None
        )

    async def run(self) -> None:
        """Tell what is due and was not told; what the disk refuses waits for the next round."""
        now, settings = self._clock.wall(), self._settings()
        due = {word_id(one.person.id, one.contact.id, one.day): one for one in due_words(settings, now, self._zone)}
        self._done &= set(due)
        left = {identifier: one for identifier, one in due.items() if identifier not in self._done}
        if not left:
            return
        try:
            told = await asyncio.to_thread(self._compose, settings, left, now)
        except StoreError as error:
            _log.warning("the daily word cannot be made", error=str(error))
            return
        if told:
            await self._recorder.ask((), told)
            _log.info("daily word", words=len(told))
        self._done.update(left)

    def _compose(self, settings: Settings, due: dict[str, Due], now: float) -> Sequence[Notification]:
        made = []
        with Store(self._path) as store:
            for identifier, one in due.items():
                found = None if store.notifications.has(identifier) else word_of(store, settings, one, now, self._zone)
                if found is not None:
                    facts, text = found
                    made.append(notification(facts, text, one.contact.id, one.day))
        return made
