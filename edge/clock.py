"""Time, injected everywhere: durations by the monotonic clock, stamps by the wall clock."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

# 2026-01-01T00:00:00Z. A Raspberry Pi has no battery-backed clock and wakes up in the past; a wall clock before this
# code was written has not been set yet.
EARLIEST_TRUE_TIME: Final = 1_767_225_600.0
# How long timedated is waited for, in seconds; it answers at once, or has to be started.
NETWORK_TIME_LIMIT_S: Final = 10.0


class Clock(Protocol):
    """What every part of Hearthbeat knows of time."""

    def wall(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z; may step."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never steps."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""


class SystemClock:
    """The machine's own time."""

    def wall(self) -> float:
        """See Clock."""
        return time.time()

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        await asyncio.sleep(seconds)


class AcceleratedClock:
    """Time that runs `speed` times as fast as life from `start` on: replays keep consistent stamps.

    `epoch` is the machine's monotonic moment at which the clock reads `start`, so that two processes can share one
    accelerated time (CLOCK_MONOTONIC is common to all processes of a machine).
    """

    def __init__(self, speed: float, *, start: float | None = None, epoch: float | None = None) -> None:
        self.speed = speed
        self.start = time.time() if start is None else start
        self.epoch = time.monotonic() if epoch is None else epoch

    def wall(self) -> float:
        """See Clock."""
        return self.start + self.monotonic()

    def monotonic(self) -> float:
        """See Clock."""
        return (time.monotonic() - self.epoch) * self.speed

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        await asyncio.sleep(seconds / self.speed)


def is_set(clock: Clock) -> bool:
    """Whether the wall clock can be believed; nothing may be stamped before."""
    return clock.wall() >= EARLIEST_TRUE_TIME


async def network_time() -> bool | None:
    """Whether the network keeps this machine's wall clock right, as systemd-timedated says; None where nobody knows.

    It asks the kernel whether a time server steers the clock (NTPSynchronized; timedatectl(1)), whichever program does
    the steering. What the daemon may not ask the kernel itself, timedated may.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "timedatectl",
            "show",
            "--property=NTPSynchronized",
            "--value",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(NETWORK_TIME_LIMIT_S):
            answer, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    return {b"yes": True, b"no": False}.get(answer.strip())
