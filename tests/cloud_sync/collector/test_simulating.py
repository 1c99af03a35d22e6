"""Simulated homes through a real broker and collector, and the command line that starts them."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from cloud_sync.collector.cli import main
from cloud_sync.fleet.fleet import Plan
from cloud_sync.fleet.simulating import Report, as_json, simulate
from tests.fakes.broker import Mosquitto, free_port
from tests.fakes.collecting import collecting, collector_settings
from tests.fakes.killing import write_settings

# A quarter of an hour in half a second, twice, and an outage in between.
PLAN = Plan(homes=30, minutes=30.0, speed=1800.0, outage_minutes=10.0, prefix="sim-test")


async def run(plan: Plan, mosquitto: Mosquitto, database: str, patience_s: float = 20.0) -> Report:
    address = (mosquitto.host, mosquitto.port)
    return await asyncio.to_thread(simulate, plan, address, database, patience_s, Console(quiet=True))


async def test_homes_that_come_back_at_once_lose_nothing(mosquitto: Mosquitto, database: str) -> None:
    async with collecting(collector_settings(mosquitto, database)):
        found = await run(PLAN, mosquitto, database)
    assert found.made >= PLAN.homes
    assert (found.unsafe, found.missing, found.doubles) == (0, 0, 0)
    assert found.whole
    assert found.recovered_s is not None
    assert found.lag_s["p50"] <= found.lag_s["max"]


async def test_what_a_broker_without_a_collector_drops_is_told(mosquitto: Mosquitto, database: str) -> None:
    async with collecting(collector_settings(mosquitto, database)):
        pass  # the tables are there; nobody collects
    found = await run(replace(PLAN, minutes=8.0, outage_minutes=0.0), mosquitto, database, patience_s=0.3)
    # The collector's session is: what it would have got waits for it, and is not in the database.
    assert found.made > 0
    assert found.unsafe == found.made == found.missing
    assert not found.whole


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate"],
        ["simulate", "--broker", "example.org"],
        ["simulate", "--broker", "127.0.0.1:70000"],
        ["simulate", "--broker", "127.0.0.1:1883", "--homes", "0"],
        ["simulate", "--broker", "127.0.0.1:1883", "--outage", "-1"],
        ["simulate", "--broker", "127.0.0.1:1883", "--speed", "nan"],
        ["run", "--config", "/nowhere/collector.toml"],
    ],
)
def test_wrong_use_is_told_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["password", "port"])
def test_a_file_or_port_that_cannot_be_used_is_told_in_one_line(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] if wrong == "port" else 0
        config = write_settings(tmp_path / "collector.toml", 1, f"host=127.0.0.1 port={free_port()}", metrics_port=port)
        if wrong == "password":
            missing = tmp_path / "missing"
            config.write_text(config.read_text().replace("[collector]", f'password_file = "{missing}"\n[collector]'))
        assert main(["run", "--config", str(config)]) == 2
    told_last = capsys.readouterr().err.splitlines()[-1]
    assert ("password cannot be read" if wrong == "password" else "cannot listen") in told_last


def test_the_owner_migrates_once(tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_settings(tmp_path / "collector.toml", 1, database)
    assert main(["migrate", "--config", str(config)]) == 0
    assert main(["migrate", "--config", str(config)]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert (first, last) == ("0001_messages.sql", "nothing to do")


def test_the_report_is_for_machines_too() -> None:
    found = Report(1, 2, 3, 0, 0, 0, {"p50": 0.1}, None, None)
    assert json.loads(as_json(found))["whole"] is True
