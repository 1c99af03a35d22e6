"""The command line's contract: one line on stderr for what is wrong, and the right exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rich.console import Console

from edge.cli import main
from edge.commands import status_view
from edge.running.status import stored
from edge.settings.home import load_settings
from tests.edge.settings.test_home import GOOD


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command prints."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


def test_an_unknown_command_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "see `hearthbeat --help`" in refused(["fly"], capsys)


def test_a_missing_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--input" in refused(["assess", "--kind", "rr_intervals"], capsys)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "inf", "1e9"])
def test_a_speed_that_cannot_be_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--speed" in refused(["demo", "--speed", speed], capsys)


def test_a_record_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(tmp_path / "999") in refused(["demo", "--record", str(tmp_path / "999")], capsys)


def test_wrong_settings_end_the_daemon_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(GOOD.replace('name = "Anna"', 'nmae = "Anna"'))
    assert "people.1.nmae: unknown field" in refused(["run", "--config", str(config)], capsys)


def test_a_contact_whose_secret_is_missing_ends_the_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(GOOD)
    assert "annas-phone.url" in refused(["run", "--config", str(config)], capsys)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column time_s"),
        ("time_s,rr_ms\n", "no samples"),
        ("time,rr\n1,800\n", "no column time_s"),
        ("time_s,rr_ms\n1,800\n0.5,800\n", "line 3: time runs backwards"),
        ("time_s,rr_ms\n1,0.8\n1.8,0.8\n", "look like seconds"),
        ("time_s,rr_ms\n1,nan\n", "line 2"),
        ("time_s,rr_ms\n1,800\n2\n", "line 3"),
        ("time_s,rr_ms\n1,many\n", "line 2"),
        ("time_s,rr_ms\n1,-800\n", "line 2"),
    ],
)
def test_a_recording_that_cannot_be_is_refused(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, out = tmp_path / "rr.csv", tmp_path / "out.jsonl"
    recording.write_text(text)
    line = refused(["assess", "--kind", "rr_intervals", "--input", str(recording), "--out", str(out)], capsys)
    assert told in line
    assert str(recording) in line
    assert list(tmp_path.iterdir()) == [recording]


def test_status_without_a_daemon_is_a_fault_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(GOOD)
    assert main(["status", "--json", "--config", str(config)]) == 1
    status = json.loads(capsys.readouterr().out)
    assert status["daemon"] == "not running"
    (person,) = status["people"]
    (wearable,) = person["wearables"]
    assert wearable["reading_age_s"] is None
    assert wearable["battery_percent"] is None
    assert person["last_assessment"] is None
    assert person["assessments"] == []
    assert main(["status", "--config", str(config)]) == 1
    assert "not running" in capsys.readouterr().out


def test_a_damaged_store_is_told_by_status_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(GOOD)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "hearthbeat.db").write_bytes(b"no database" * 1000)
    assert main(["status", "--config", str(config)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "hearthbeat.db" in line
    assert "backup" in line


@pytest.fixture
def locked_home() -> Iterator[Path]:
    """Settings that all can read, of a home whose state none but root can."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        state = Path(folder) / "state"
        state.mkdir()
        config = Path(folder) / "hearthbeat.toml"
        config.write_text(GOOD)
        yield config
        state.chmod(0o700)


@pytest.mark.parametrize(
    "command",
    ["status", "alerts list", "people claims", "people claim 3f --nobody", "people nights anna", "export anna --out x"],
)
def test_whoever_may_not_see_the_store_is_told_to_use_sudo(
    command: str, locked_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*command.split(), "--config", str(locked_home)]
    main(arguments)  # all that it imports is there then
    capsys.readouterr()
    (locked_home.parent / "state").chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        assert "use sudo" in refused(arguments, capsys)
    finally:
        if is_root:
            os.seteuid(0)


def test_what_a_wearable_calls_itself_is_shown_as_it_is(tmp_path: Path) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(GOOD)
    settings = load_settings(config)
    answer = dict(stored(settings))
    answer["people"][0]["wearables"][0]["name"] = "H10 [/b] x"
    answer["faults"] = ["[/var/lib] is full"]
    console = Console(width=200, record=True)
    status_view.show(answer, console)
    shown = console.export_text()
    assert "H10 [/b] x" in shown
    assert "[/var/lib] is full" in shown
