"""Jobs with a time of day, and a clock that is set."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from edge.running.scheduling import LOOK_EVERY_S, replan
from tests.fakes.clock import ManualClock


@pytest.mark.parametrize(("step_s", "is_planned_anew"), [(-86_400.0, True), (-5.0, False), (86_400.0, False)])
async def test_pain_23_a_clock_that_is_set_back_hangs_no_schedule(step_s: float, is_planned_anew: bool) -> None:
    clock, scheduler = ManualClock(), AsyncIOScheduler()
    job = scheduler.add_job(print, "cron", minute="*/5")
    scheduler.start(paused=True)
    planned = datetime.now().astimezone() + timedelta(days=1)  # as it was before the clock was set back
    job.modify(next_run_time=planned)
    task = asyncio.create_task(replan(scheduler, clock))
    await clock.advance(LOOK_EVERY_S)
    assert job.next_run_time == planned
    clock.step_wall(step_s)
    await clock.advance(LOOK_EVERY_S)
    soon = job.next_run_time - datetime.now().astimezone() <= timedelta(minutes=5)
    assert soon == is_planned_anew
    task.cancel()
    scheduler.shutdown(wait=False)
