"""What is there, what is missing, and where to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wfdb

from edge.errors import RecordingError
from tests.training.toy import RECIPE, write_people
from training import prepare as module
from training.prepare import Published, fetch, prepare


def test_what_is_there_is_counted_and_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_people(tmp_path)
    monkeypatch.setattr(module, "PUBLISHED", {"village": Published(9, "https://example.org/village", 8)})
    figures = prepare([RECIPE], tmp_path, download=False)
    assert figures["town"] == {"people": 6, "recordings": 6}
    assert figures["village"]["missing"] == "8 of 9 people: https://example.org/village"


def test_all_corpora_are_looked_at_before_one_that_is_absent_is_told(tmp_path: Path, capsys: Any) -> None:
    write_people(tmp_path)
    for path in (tmp_path / "village").iterdir():
        path.unlink()
    with pytest.raises(RecordingError, match="village: no people; write some"):
        prepare([RECIPE], tmp_path, download=False)
    assert "island: 3 people" in capsys.readouterr().err


def test_only_what_is_missing_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_people(tmp_path)
    converted = []

    def convert(raw: Path, data: Path) -> list[str]:
        converted.append(raw)
        (data / "prepared").mkdir()
        (data / "prepared" / "village.npz").touch()
        return ["7 of 8 trials"]

    monkeypatch.setattr(module, "CONVERTED", {"village": ("village.npz", convert)})
    monkeypatch.setattr(module, "PUBLISHED", {"village": Published(8, "https://example.org/village")})
    assert prepare([RECIPE], tmp_path, download=False)["village"]["missing"] == (
        "7 of 8 trials: https://example.org/village"
    )
    assert "missing" not in prepare([RECIPE], tmp_path, download=False)["village"]
    assert converted == [tmp_path / "village"]


def test_a_set_is_fetched_file_by_file_and_nothing_is_printed_where_figures_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    asked = []

    def dl_files(name: str, folder: str, files: list[str]) -> None:
        print("Downloading files...")  # noqa: T201  as wfdb does
        asked.append((name, Path(folder), files))

    monkeypatch.setattr(wfdb, "get_record_list", lambda _: ["00", "01"])
    monkeypatch.setattr(wfdb, "dl_files", dl_files)
    fetch(Published(2, "https://physionet.org", 2, "ltafdb", ("hea", "atr")), tmp_path / "ltafdb")
    assert asked == [("ltafdb", tmp_path / "ltafdb", [f"{name}.hea", f"{name}.atr"]) for name in ("00", "01")]
    assert capsys.readouterr().out == ""


def test_without_a_network_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> list[str]:
        raise OSError("no route")

    monkeypatch.setattr(wfdb, "get_record_list", fail)
    with pytest.raises(RecordingError, match="cannot be fetched: no route; fetch it by hand into"):
        fetch(Published(2, "https://physionet.org", 2, "ltafdb", ("hea",)), tmp_path / "ltafdb")
    assert not (tmp_path / "ltafdb").exists()
