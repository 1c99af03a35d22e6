"""What the machine says of its own clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.clock import network_time


@pytest.mark.parametrize(("answer", "known"), [("yes", True), ("no", False), ("", None)])
async def test_pain_23_whether_the_network_keeps_the_clock_is_what_timedated_says(
    answer: str, known: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "timedatectl"
    command.write_text(f"#!/bin/sh\necho {answer}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert await network_time() is known


async def test_where_nobody_can_be_asked_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await network_time() is None
