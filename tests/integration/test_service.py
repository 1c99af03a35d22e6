"""`hearthbeat run` as a process of its own: SIGHUP takes up new settings, wrong ones change nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge.running import status
from tests.conftest import CHECKOUT
from tests.fakes.home_text import ANNA, HOME_WITHOUT_MODELS
from tests.fakes.message_bus import MessageBusDaemon

SETTINGS = HOME_WITHOUT_MODELS + ANNA
BERT = '\n[[people]]\nid = "bert"\ncontacts = ["phone"]\n'


class Service:
    """The process, and what it says of itself."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.config = folder / "hearthbeat.toml"
        self._state = folder / "state"
        self._log = folder / "log"
        self.process = process

    async def until_people(self, *people: str) -> None:
        while [one["id"] for one in (await self._status())["people"]] != list(people):
            assert self.process.returncode is None, self._log.read_text()
            await asyncio.sleep(0.02)

    async def until_log(self, words: str) -> None:
        while words not in self._log.read_text():
            assert self.process.returncode is None, self._log.read_text()
            await asyncio.sleep(0.02)

    async def _status(self) -> dict[str, Any]:
        return await asyncio.to_thread(status.ask, self._state) or {"people": []}


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[Service]:
    (folder / "hearthbeat.toml").write_text(SETTINGS)
    (folder / "models").mkdir()
    bus = MessageBusDaemon(folder)  # with no bluetoothd on it
    await bus.start()
    try:
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "import sys; from edge.cli import main; sys.exit(main())",
                "run",
                "--config",
                str(folder / "hearthbeat.toml"),
                cwd=CHECKOUT,
                env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address},
                stderr=log,
            )
        try:
            yield Service(folder, process)
        finally:
            if process.returncode is None:
                process.terminate()
            assert await process.wait() == 0
    finally:
        await bus.stop()


async def test_sighup_takes_up_new_settings_and_refuses_wrong_ones(tmp_path: Path) -> None:
    async with service(tmp_path) as here:
        await here.until_people("anna")
        here.config.write_text(SETTINGS + BERT)
        here.process.send_signal(signal.SIGHUP)
        await here.until_people("anna", "bert")
        here.config.write_text(SETTINGS + BERT + BERT)
        here.process.send_signal(signal.SIGHUP)
        await here.until_log("person bert is there twice")
        await here.until_people("anna", "bert")
        here.config.write_text(SETTINGS.replace("anna", "carla") + "\n[store]\nkeep_days = 7\n")
        here.process.send_signal(signal.SIGHUP)
        await here.until_people("carla")
        await here.until_log("a restart is needed")
