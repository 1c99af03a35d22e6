"""`hearthbeat devices` as a process of its own, through bleak's BlueZ backend, where no daemon runs."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dbus_fast import Variant

from edge.clock import SystemClock
from edge.running import status
from edge.settings.home import load_settings
from edge.virtual.strap import VirtualStrap
from tests.conftest import CHECKOUT
from tests.edge.settings.test_file import SHIPPED
from tests.fakes.bluez_objects import DEVICE
from tests.fakes.home import VirtualHome, virtual_home
from tests.fakes.home_text import ANNA, HOME_WITHOUT_MODELS


@asynccontextmanager
async def worn(*, pairing: bool = False) -> AsyncIterator[tuple[VirtualHome, VirtualStrap]]:
    """A home with a strap that beats at the pace of life."""
    async with virtual_home(SystemClock(), straps=0) as home:
        clock = SystemClock()
        strap = VirtualStrap(home.radio, clock, name="Strap 1", address="C0:DE:00:00:00:01", pairing=pairing)
        await strap.start()
        playing = asyncio.create_task(strap.play(itertools.repeat(800.0)))
        try:
            yield home, strap
        finally:
            playing.cancel()


async def hearthbeat(home: VirtualHome, *arguments: str) -> tuple[int, str, str]:
    """Exit code and what was printed, to standard output and to standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from edge.cli import main; sys.exit(main())",
        *arguments,
        cwd=CHECKOUT,
        env={**os.environ, **home.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, complaints = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.communicate()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), complaints.decode()


async def test_a_scan_names_who_advertises_and_disturbs_nobody(tmp_path: Path) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(SHIPPED)
    async with worn() as (home, strap):
        code, out, _ = await hearthbeat(home, "devices", "scan", "--seconds", "3", "--json", "--config", str(config))
        assert code == 0
        (found,) = json.loads(out)
        assert (found["address"], found["name"], found["profiles"]) == (strap.address, "Strap 1", ["heart_rate"])
        assert strap.connections == 0


async def test_a_scan_without_an_adapter_says_in_one_line_how_to_mend_it(tmp_path: Path) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(SHIPPED)
    async with virtual_home(SystemClock(), straps=0) as home:
        await home.bluez.unplug()
        code, out, complaints = await hearthbeat(home, "devices", "scan", "--seconds", "1", "--config", str(config))
        assert (code, out) == (1, "")
        (line,) = complaints.splitlines()
        assert "plugged in" in line


async def test_a_strap_that_asks_for_a_bond_is_added_and_forgotten_by_one_command_each(tmp_path: Path) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(SHIPPED)
    async with worn(pairing=True) as (home, strap):
        code, out, complaints = await hearthbeat(
            home, "devices", "add", strap.address, "--person", "parent", "--config", str(config)
        )
        assert (code, complaints) == (0, "")
        assert "heart rate 75 bpm" in out
        assert "the daemon does not run" in out
        assert home.bluez.calls.count("Pair") == 1
        assert home.bluez.connected == []
        added = load_settings(config).people[0].wearables[-1]
        assert (added.address, added.name) == (strap.address, "Strap 1")
        code, out, _ = await hearthbeat(home, "devices", "forget", strap.address, "--config", str(config))
        assert code == 0
        assert "Bluetooth has forgotten it" in out
        assert home.bluez.calls.count("RemoveDevice") == 1
    assert config.read_text().rstrip() == SHIPPED.rstrip()


async def test_pain_25_a_bond_is_found_by_the_lasting_address_though_bluez_keeps_it_under_an_older_one(
    tmp_path: Path,
) -> None:
    lasting = "C4:64:E3:00:00:01"
    config = tmp_path / "hearthbeat.toml"
    config.write_text(SHIPPED)
    async with worn(pairing=True) as (home, strap):
        arguments = ("--person", "parent", "--config", str(config))
        code, _, complaints = await hearthbeat(home, "devices", "add", strap.address, *arguments)
        assert code == 0, complaints
        config.write_text(config.read_text().replace(strap.address, lasting))
        (path,) = [path for path in home.bluez._tree.objects if path.endswith(strap.address.replace(":", "_"))]
        home.bluez._tree.change(path, DEVICE, Address=Variant("s", lasting))
        code, out, _ = await hearthbeat(home, "devices", "forget", lasting, "--config", str(config))
        assert code == 0
        assert "Bluetooth has forgotten it" in out
        assert path not in home.bluez._tree.objects
        code, _, complaints = await hearthbeat(home, "devices", "forget", lasting, "--config", str(config))
        assert code == 2
        assert "devices list" in complaints


async def test_pain_04_a_strap_is_added_through_the_daemon_that_runs_and_streams_at_once(tmp_path: Path) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(HOME_WITHOUT_MODELS + ANNA)
    (tmp_path / "models").mkdir()
    async with worn(pairing=True) as (home, strap):
        daemon = asyncio.create_task(hearthbeat(home, "run", "--config", str(config)))
        while status.ask(tmp_path / "state") is None:
            await SystemClock().sleep(0.05)
        code, out, complaints = await hearthbeat(
            home, "devices", "add", strap.address, "--person", "anna", "--json", "--config", str(config)
        )
        assert code == 0, complaints
        added = json.loads(out)
        assert (added["daemon"], added["value"]["channel"]) == ("reloaded", "heart_rate")
        assert home.bluez.calls.count("Pair") == 1
        while not _streams(tmp_path / "state"):
            await SystemClock().sleep(0.05)
        code, _, _ = await hearthbeat(home, "devices", "forget", strap.address, "--config", str(config))
        assert code == 0
        assert home.bluez.connected == []
        daemon.cancel()
        await asyncio.gather(daemon, return_exceptions=True)


def _streams(state: Path) -> bool:
    """Whether values come from anna's wearable."""
    answer = status.ask(state)
    assert answer is not None
    (anna,) = answer["people"]
    return any(one["link"] == "streaming" and one["values"] for one in anna["wearables"])
