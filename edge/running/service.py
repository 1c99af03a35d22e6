"""The daemon as a service: from its settings file to the signals that reload and end it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import structlog

from edge.daemon import Daemon
from edge.errors import HearthbeatError
from edge.running.precedence import take_short_turns
from edge.settings.home import Settings, load_settings

_log = structlog.get_logger("service")


def run_daemon(settings: Settings, path: Path) -> None:
    """Run the daemon until SIGTERM or SIGINT; at SIGHUP it takes up what has changed in its settings file `path`."""

    async def live() -> None:
        daemon = Daemon(settings, read_settings=lambda: load_settings(path), settings_file=path)
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = loop.create_task(_reload(daemon))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, daemon.stop)
        loop.add_signal_handler(signal.SIGHUP, reload)
        await daemon.run()

    take_short_turns()
    asyncio.run(live())


async def _reload(daemon: Daemon) -> None:
    await daemon.started.wait()
    try:
        left = await daemon.reload()
    except HearthbeatError as error:
        _log.error("not reloaded", error=str(error))
    else:
        if left:
            _log.warning("a restart is needed", tables=left)
