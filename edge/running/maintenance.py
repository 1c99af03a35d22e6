"""What has a time of day: each night old data are forgotten, the file is tidied and a backup is written.

A person's beats and heart rate take 0.15 MB a day, acceleration at 50 Hz 13 MB, ECG at 130 Hz 10 MB (measured with
people who move all the time: tests/benchmarks/test_bench_store.py). Kept for 90 days, raw channels would take 2 GB a
person, and be copied whole into each night's backup; kept for 7, they take 0.16 GB. That is our default: long enough to
look back at a fall or an alert of the last days, which is what they are for. What is written in a day to commit them
every 6 s is about 0.2 GB for each, so that 7 days or 90 make no difference to how soon a memory card wears out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from edge.clock import Clock
from edge.errors import StoreError
from edge.household.claims import PATIENCE_S
from edge.recorder import Recorder
from edge.store.store import Store

BACKUP_NAME: Final = "hearthbeat.backup.db"
SECONDS_PER_DAY: Final = 86_400.0
# 03:30 local time: most people sleep, and no daylight-saving change skips or repeats it in Europe or America, where the
# clocks change between one and three o'clock.
HOUR, MINUTE = 3, 30
# Free pages that are given back to the disk before the next commit may come: 2 MB. Our choice.
PAGES_AT_A_TIME: Final = 2048
# A home that slept at that time catches up when it wakes within this many seconds, once however often it was missed.
MISFIRE_GRACE_S: Final = 6 * 3600

_log = structlog.get_logger("maintenance")


def nightly(job: Callable[[], Awaitable[None]]) -> AsyncIOScheduler:
    """A scheduler, not yet started, that awaits `job` every night."""
    scheduler = AsyncIOScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_S}
    )
    scheduler.add_job(job, "cron", hour=HOUR, minute=MINUTE, id="maintenance")
    return scheduler


class Maintenance:
    """The nightly work on one store.

    `keep_days` is how long signals and assessments are kept, `keep_raw_days` how long those of raw channels are, where
    that is shorter.
    """

    def __init__(
        self, store: Store, recorder: Recorder, clock: Clock, keep_days: int, keep_raw_days: int | None = None
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._keep_days = keep_days
        self._keep_raw_days = keep_days if keep_raw_days is None else keep_raw_days
        self.fault: str | None = None
        self.tried = False

    async def run(self) -> None:
        """Forget what is too old, tidy the file, check it and write a backup beside it; commits go on meanwhile."""
        try:
            await self._tidy()
            # Of minutes that a memory card takes to read the file and write it again no commit must wait one: this is
            # done through a connection of its own.
            await asyncio.to_thread(_check_and_back_up, self._store.path)
        except StoreError as error:
            self.fault = str(error)
            _log.error("maintenance failed", error=self.fault)
        else:
            self.fault = None
            _log.info("maintenance done", kept_days=self._keep_days, kept_raw_days=self._keep_raw_days)
        self.tried = True

    async def _tidy(self) -> None:
        now = self._clock.wall()
        keep_s, keep_raw_s = self._keep_days * SECONDS_PER_DAY, self._keep_raw_days * SECONDS_PER_DAY
        await self._recorder.call(self._store.forget_before, now - keep_s, now - keep_raw_s)
        await self._give_up_claims(now)
        while await self._recorder.call(self._store.give_back, PAGES_AT_A_TIME):
            pass

    async def _give_up_claims(self, now: float) -> None:
        """Let measurements that nobody has claimed in time stay nobody's; while they are kept they can be claimed."""
        unanswered = await self._recorder.call(self._store.claims.expire_before, now - PATIENCE_S, now)
        if unanswered:
            _log.info("nobody has said whose they are", measurements=unanswered)


def _check_and_back_up(path: Path) -> None:
    with Store(path) as store:
        store.check()
        store.backup(path.with_name(BACKUP_NAME))
