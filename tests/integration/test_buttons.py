"""A button of ntfy through all of it: the daemon's message, `hearthbeat web` as a process, the answer in the store."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from edge.bluetooth.radio import Radio
from edge.daemon import Daemon
from edge.notices import Alert, AlertState, Severity
from edge.readings import Explanation, Risk
from edge.settings.home import Settings
from edge.store.store import Store
from edge.virtual.radio import VirtualRadio
from edge.virtual.time import VirtualClock
from tests.conftest import CHECKOUT
from tests.fakes.alert_house import SETTINGS
from tests.fakes.browser import fetch
from tests.fakes.household import LATE_MORNING
from tests.fakes.link_house import WEB
from tests.fakes.ntfy import NtfyServer, Published, ntfy_server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@asynccontextmanager
async def daemon_of(folder: Path, ntfy: NtfyServer, port: int) -> AsyncIterator[Daemon]:
    """A daemon in Anna's home, whose buttons lead to `port`."""
    clock = VirtualClock(1.0, start=LATE_MORNING)
    (folder / "models").mkdir()
    settings = Settings.model_validate(
        {
            "home": {"state_directory": folder / "state", "models_directory": folder / "models"},
            "people": [{"id": "anna", "name": "Anna", "contacts": ["bert"]}],
            "contacts": [{"id": "bert", "url": ntfy.url, "daily_word": "never"}],
            "web": {
                "url": f"http://127.0.0.1:{port}",
                "listen": "127.0.0.1",
                "port": port,
                "socket": folder / "links.sock",
            },
        }
    )
    async with VirtualRadio() as virtual, asyncio.TaskGroup() as group:
        radio = Radio(scanner_backend=virtual.scanner_backend, client_backend=virtual.client_backend, clock=clock)
        daemon = Daemon(settings, clock=clock, radio=radio, chance=random.Random(1))
        passing = group.create_task(clock.run())
        running = group.create_task(daemon.run())
        await daemon.started.wait()
        yield daemon
        daemon.stop()
        await running
        passing.cancel()


@asynccontextmanager
async def web_process(folder: Path) -> AsyncIterator[None]:
    """`hearthbeat web`, for a daemon that may or may not be there yet."""
    (folder / "hearthbeat.toml").write_text(SETTINGS + WEB, encoding="utf-8")
    with (folder / "web.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; from edge.cli import main; sys.exit(main())",
            "web",
            "--config",
            str(folder / "hearthbeat.toml"),
            cwd=CHECKOUT,
            env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def of_the_alert(ntfy: NtfyServer, title: str) -> Published:
    while (published := await asyncio.to_thread(ntfy.published.get, timeout=30)).title != title:
        pass
    return published


async def until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def test_pain_16_a_button_on_the_phone_acknowledges_through_the_process_that_knows_no_key(tmp_path: Path) -> None:
    port = free_port()
    with ntfy_server() as ntfy:
        async with web_process(tmp_path), daemon_of(tmp_path, ntfy, port) as daemon:
            now, why = daemon.clock.wall(), Explanation("The RR intervals vary without order.")
            alert = Alert(
                "aaaa", "anna", Risk.ATRIAL_FIBRILLATION, Severity.WARNING, AlertState.RAISED, now, now, None, why
            )
            await daemon._attending.say(daemon.settings.people[0], alert)
            published = await of_the_alert(ntfy, "Anna: irregular heartbeat")
            buttons = {button["label"]: button for button in json.loads(published.headers["x-actions"])}
            assert list(buttons) == ["Acknowledge", "Snooze 1 h"]
            assert all((button["action"], button["clear"]) == ("http", True) for button in buttons.values())
            assert "/a/" not in published.message, "a link beside a button would be one too many"
            await until_it_listens(port)
            path = urlsplit(buttons["Acknowledge"]["url"]).path
            assert (await fetch(port, path, "POST", headers={"Accept": "*/*"})).status == 200
            assert (await fetch(port, path, "POST")).status == 409
            snapshot = await daemon.snapshot()
            assert snapshot["links"] == {"answered": 1, "used": 1}
        with Store(tmp_path / "state" / "hearthbeat.db") as store:
            assert [one.acknowledged_by for one in store.alerts.alerts(9) if one.id == "aaaa"] == ["bert"]
    assert "Traceback" not in (tmp_path / "web.log").read_text()
