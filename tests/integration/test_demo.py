"""`hearthbeat demo` as a newcomer sees it: its lines and its exit code."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT


async def demo(*arguments: str) -> str:
    """What a demo that ends with exit code 0 has printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from edge.cli import main; sys.exit(main())",
        "demo",
        *arguments,
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    assert complaints == b""
    return printed.decode()


async def test_the_simulated_story_ends_at_its_first_alert() -> None:
    printed = await demo("--speed", "300", "--until-alert")
    assert "Simulated heartbeats" in printed
    assert "link: streaming" in printed
    assert "phone: Wearer: irregular heartbeat" in printed
    assert "[Acknowledge] [Snooze 1 h]" in printed
    assert "phone: [Acknowledge] is pressed: Thank you. It is noted that you see to it." in printed
    assert "broker: hearthbeat/v1/demo/wearer/alert" in printed
    assert "1 AF alert raised, 0 cleared" in printed
    assert "do not work" not in printed, "nothing is cried wolf at"


async def test_a_calm_beginning_ends_without_an_alert() -> None:
    assert "no alert" in await demo("--speed", "300", "--minutes", "3")


@pytest.mark.recordings
@pytest.mark.parametrize(("record", "told"), [("mitdb/202", "AF alert raised"), ("mitdb/100", "no alert")])
async def test_real_people(record: str, told: str, recordings: Path) -> None:
    printed = await demo("--record", str(recordings / record), "--speed", "600", "--until-alert")
    assert "a real person" in printed
    assert told in printed
