"""What systemd is told, and when: readiness, status, and a watchdog that is fed only while every part makes progress.

The protocol is sd_notify(3): datagrams of KEY=VALUE lines to the unix socket that NOTIFY_SOCKET names. Where there is
no such socket (not started by systemd), nothing is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from edge.clock import Clock
from edge.errors import SettingsError

log = structlog.get_logger(__name__)

MICROSECONDS: Final = 1_000_000


class ServiceManager:
    """The service manager's ear: each method tells it one thing, and does nothing where there is no service manager."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET")
        if self._address is not None and self._address.startswith("@"):
            self._address = "\0" + self._address[1:]  # the abstract namespace (unix(7))

    def ready(self) -> None:
        """Say that the start is complete."""
        self._tell("READY=1")

    def status(self, line: str) -> None:
        """Say in one line how things are: `systemctl status` shows it."""
        self._tell(f"STATUS={' '.join(line.split())}")

    def feed_watchdog(self) -> None:
        """Say that everything is alive."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._tell("STOPPING=1")

    def _tell(self, line: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
                ear.settimeout(0)  # a service manager that does not listen must not stop us
                ear.sendto(line.encode(), self._address)
        except OSError as error:
            log.warning("service manager not told", said=line.partition("=")[0], error=error.strerror)


def watchdog_period(environment: Mapping[str, str] = os.environ, process: int | None = None) -> float | None:
    """Seconds between feedings of the watchdog: half of what the service manager allows (sd_watchdog_enabled(3)).

    None when there is no watchdog, or when it watches another process than `process` (None: this one). Raises
    SettingsError when the service manager's numbers are none.
    """
    allowed = environment.get("WATCHDOG_USEC")
    if allowed is None:
        return None
    watched = environment.get("WATCHDOG_PID")
    try:
        if watched is not None and int(watched) != (os.getpid() if process is None else process):
            return None
        period = int(allowed) / MICROSECONDS / 2.0
    except ValueError as error:
        raise SettingsError(
            "not a number", where="WATCHDOG_USEC or WATCHDOG_PID in the environment", mend="start it by systemd"
        ) from error
    return period if period > 0 else None


@dataclass(slots=True)
class _Part:
    limit_s: float
    last: float


class Progress:
    """Which parts of the daemon make progress; each has a limit of its own, in seconds of `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parts: dict[str, _Part] = {}

    def register(self, name: str, limit_s: float) -> Callable[[], None]:
        """Watch a part from now on; it calls what is returned at least every `limit_s` seconds."""
        part = _Part(limit_s, self._clock.monotonic())
        self._parts[name] = part

        def report() -> None:
            part.last = self._clock.monotonic()

        return report

    def stuck(self) -> dict[str, float]:
        """The parts that made no progress within their limits, and for how many seconds they have not."""
        now = self._clock.monotonic()
        return {name: now - part.last for name, part in self._parts.items() if now - part.last > part.limit_s}


async def watch(progress: Progress, manager: ServiceManager, period_s: float, clock: Clock) -> None:
    """Feed the watchdog every `period_s` seconds, but not while a part is stuck; runs until cancelled.

    A frozen event loop feeds nothing by itself, as this runs in it. The log names each part that is stuck, once, and
    says when it moves again.
    """
    known: set[str] = set()
    while True:
        stuck = progress.stuck()
        for name in stuck.keys() - known:
            log.error("part is stuck; the watchdog is not fed", part=name, silent_for_s=round(stuck[name]))
        for name in known - stuck.keys():
            log.warning("part moves again", part=name)
        known = set(stuck)
        if not stuck:
            manager.feed_watchdog()
        await clock.sleep(period_s)
