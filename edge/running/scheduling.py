"""What has a time of day keeps to it when the clock is set.

APScheduler plans a job's next run by the wall clock, and waits for it: after a clock that ran ahead is set back by a
day, nothing would run for a day (pain 23). Ahead is no harm: what was missed is made once (coalesce), or left out where
it is too late (each job's misfire grace).
"""

from __future__ import annotations

from typing import Final

import structlog
from apscheduler.schedulers.base import BaseScheduler

from edge.clock import Clock

# How often the wall clock is held against the monotonic one, and what is a step and no drift, s. Our choice.
LOOK_EVERY_S: Final = 30.0
STEP_S: Final = 60.0

_log = structlog.get_logger("scheduling")


async def replan(scheduler: BaseScheduler, clock: Clock) -> None:
    """Plan every job anew whenever the wall clock was set back, until cancelled."""
    ahead = clock.wall() - clock.monotonic()
    while True:
        await clock.sleep(LOOK_EVERY_S)
        before, ahead = ahead, clock.wall() - clock.monotonic()
        if ahead < before - STEP_S:
            for job in scheduler.get_jobs():
                job.reschedule(job.trigger)
            _log.info("planned anew, for the clock was set back", by_s=round(before - ahead))
