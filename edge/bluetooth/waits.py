"""Waiting for one of several things, and for an end that must come."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from edge.clock import Clock

# Below this a sum of floating point numbers may not grow, and who sleeps until something is due would sleep for ever.
_SHORTEST_S: Final = 1e-3


async def first_of(*waits: Coroutine[object, object, object]) -> None:
    """Wait until one of `waits` is done, and cancel the others; raises what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def done(future: asyncio.Future[Any]) -> None:
    """Wait until `future` is done, however it ends; whoever stops waiting does not cancel it."""
    await asyncio.wait({future})


async def end(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait until it has ended, whatever came of it; who is cancelled meanwhile learns of it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


async def finish(work: Coroutine[object, object, None]) -> None:
    """Do `work` to its end, even when cancelled meanwhile, and only then be cancelled."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await working
        raise


async def sleep_until_due(clock: Clock, seconds: float, longest: float) -> None:
    """Sleep for what remains until something is due, but no longer than `longest`."""
    await clock.sleep(min(max(seconds, _SHORTEST_S), longest))
