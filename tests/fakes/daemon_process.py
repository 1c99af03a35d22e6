"""The daemon in a process of its own, at the pace of an AcceleratedClock that it shares with the test.

Only time is not the machine's: settings, radio, store, phones and broker are what `hearthbeat run` has.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from edge.bluetooth.link import SILENCE_LIMIT_S
from edge.clock import AcceleratedClock
from edge.daemon import Daemon
from edge.logs import set_up_logs
from edge.settings.home import load_settings
from tests.conftest import CHECKOUT

# The daemon installs without pandas, which sqlite-utils would load where a test's dependency has brought it.
WITHOUT_PANDAS = (
    "import runpy, sys; sys.modules['pandas'] = None; "
    "runpy.run_module('tests.fakes.daemon_process', run_name='__main__', alter_sys=True)"
)


class DaemonProcess:
    """Starts, kills and starts again one home's daemon; its log goes to `log`."""

    def __init__(self, config: Path, clock: AcceleratedClock, environment: Mapping[str, str], log: Path) -> None:
        self._arguments = [str(config), repr(clock.speed), repr(clock.start), repr(clock.epoch)]
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                WITHOUT_PANDAS,
                *self._arguments,
                cwd=CHECKOUT,
                env=self._environment,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, as systemd does; the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()


async def _live(config: str, speed: str, start: str, epoch: str) -> None:
    settings = load_settings(Path(config))
    set_up_logs(settings.log)
    clock = AcceleratedClock(float(speed), start=float(start), epoch=float(epoch))
    daemon = Daemon(settings, clock=clock, silence_limit_s=SILENCE_LIMIT_S * clock.speed)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, daemon.stop)
    await daemon.run()


if __name__ == "__main__":
    asyncio.run(_live(*sys.argv[1:]))
