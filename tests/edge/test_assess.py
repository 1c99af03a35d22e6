"""`hearthbeat assess`: a recording through the production path, as JSON lines."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.cli import main
from edge.virtual.recording import read_rr
from edge.virtual.rhythm import atrial_fibrillation, sinus


def write_csv(path: Path, times: list[float], rr_ms: list[float]) -> Path:
    lines = (f"{time:.3f},{rr:.3f}" for time, rr in zip(times, rr_ms, strict=True))
    path.write_text("\n".join(["time_s,rr_ms", *lines]) + "\n")
    return path


def simulated(path: Path, rr_ms: list[float], *, start: float = 100.0) -> Path:
    times, time = [], start
    for rr in rr_ms:
        time += rr / 1000.0
        times.append(time)
    return write_csv(path, times, rr_ms)


def assess(recording: Path) -> list[dict[str, Any]]:
    out = recording.with_suffix(".jsonl")
    assert main(["assess", "--kind", "rr_intervals", "--input", str(recording), "--out", str(out)]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def of_type(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == kind]


def test_every_line_holds_what_the_contract_says(tmp_path: Path) -> None:
    chance = random.Random(1)
    rr = [*sinus(600, bpm=60, chance=chance), *atrial_fibrillation(900, bpm=90, chance=chance)]
    lines = assess(simulated(tmp_path / "rr.csv", rr))
    assessments, alerts = of_type(lines, "assessment"), of_type(lines, "alert")
    assert len(assessments) + len(alerts) == len(lines)
    assert all(
        {"type", "risk", "start", "end", "score", "reason", "model"} <= line.keys() and line["start"] < line["end"]
        for line in assessments
    )
    assert [(line["kind"], line["state"]) for line in alerts] == [("atrial_fibrillation", "raised")]
    assert 700.0 < alerts[0]["at"] < 1600.0
    assert alerts[0]["severity"] in {"info", "warning", "critical"}
    assert all(a["end"] < b["end"] for a, b in pairwise(assessments))


def test_a_window_is_named_by_the_recordings_own_stamps(tmp_path: Path) -> None:
    recording = simulated(tmp_path / "rr.csv", list(sinus(300, bpm=70, chance=random.Random(2))))
    stamps = {float(line.split(",")[0]) for line in recording.read_text().splitlines()[1:]}
    for line in of_type(assess(recording), "assessment"):
        assert line["end"] in stamps
        assert sum(line["start"] < stamp <= line["end"] for stamp in stamps) == 60


def test_nothing_after_a_window_changes_what_was_said_of_it(tmp_path: Path) -> None:
    chance = random.Random(3)
    calm = list(sinus(600, bpm=60, chance=chance))
    first = assess(simulated(tmp_path / "calm.csv", calm))
    both = assess(simulated(tmp_path / "both.csv", [*calm, *atrial_fibrillation(600, bpm=110, chance=chance)]))
    assert both[: len(first)] == first


def test_a_long_gap_is_told_and_gets_no_score(tmp_path: Path) -> None:
    calm = list(sinus(300, bpm=60, chance=random.Random(4)))
    times, time = [], 0.0
    for number, rr in enumerate(calm):
        time += rr / 1000.0 + (120.0 if number == 150 else 0.0)
        times.append(time)
    lines = of_type(assess(write_csv(tmp_path / "gap.csv", times, calm)), "assessment")
    silent = [line for line in lines if line["score"] is None]
    assert silent
    assert all(line["reason"] for line in silent)
    assert all(line["start"] < 200.0 < line["end"] for line in silent)


def test_without_a_file_the_lines_go_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = simulated(tmp_path / "rr.csv", list(sinus(200, bpm=60, chance=random.Random(5))))
    assert main(["assess", "--kind", "rr_intervals", "--input", str(recording)]) == 0
    assert all(json.loads(line)["type"] == "assessment" for line in capsys.readouterr().out.splitlines())


@pytest.mark.recordings
@pytest.mark.parametrize(("record", "expected"), [("mitdb/201", "raised"), ("mitdb/100", None)])
def test_real_people(record: str, expected: str | None, tmp_path: Path, recordings: Path) -> None:
    found = read_rr(recordings / record)
    lines = assess(write_csv(tmp_path / "rr.csv", found.beat_times[1:].tolist(), found.rr_ms.tolist()))
    states = [line["state"] for line in of_type(lines, "alert")]
    assert (states[0] if states else None) == expected
    assert states == ["raised", "cleared"] * (len(states) // 2) + ["raised"] * (len(states) % 2)
