"""A dbus-daemon of the test's own, ended by its process id."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class MessageBusDaemon:
    """A private bus at `address`; put it into DBUS_SYSTEM_BUS_ADDRESS of whom shall take it for the system's.

    `folder` must have a short path: a socket's has at most 107 characters.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("dbus-daemon")
        if program is None:
            pytest.skip("dbus-daemon is not installed (Debian package dbus-daemon)")
        self.address = f"unix:path={folder / 'bus'}"
        self._program = program
        self._configuration = folder / "bus.conf"
        self._configuration.write_text(_CONFIGURATION.format(socket=folder / "bus"))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            "--nofork",
            "--nopidfile",
            "--nosyslog",
            "--print-address",
            f"--config-file={self._configuration}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline(), "dbus-daemon did not start"

    async def stop(self) -> None:
        """End it, if it runs; everybody on it is cut off."""
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()
            self._process = None
