"""`hearthbeat assess`: a recording through the production path, as JSON lines."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cli import main
from edge.virtual.recording import read_rr
from edge.virtual.rhythm import atrial_fibrillation, sinus

AF = "atrial_fibrillation"


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


def assess(recording: Path, kind: str = "rr_intervals") -> list[dict[str, Any]]:
    out = recording.with_suffix(".jsonl")
    assert main(["assess", "--kind", kind, "--input", str(recording), "--out", str(out)]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def of_type(lines: list[dict[str, Any]], kind: str, risk: str = AF) -> list[dict[str, Any]]:
    """The assessments or the alerts of one risk."""
    return [line for line in lines if line["type"] == kind and line.get("risk", line.get("kind")) == risk]


def test_every_line_holds_what_the_contract_says(tmp_path: Path) -> None:
    chance = random.Random(1)
    rr = [*sinus(600, bpm=60, chance=chance), *atrial_fibrillation(900, bpm=90, chance=chance)]
    lines = assess(simulated(tmp_path / "rr.csv", rr))
    assessments, alerts = of_type(lines, "assessment"), of_type(lines, "alert")
    assert {line["type"] for line in lines} == {"assessment", "alert"}
    every = [line for line in lines if line["type"] == "assessment"]
    assert {line["risk"] for line in every} == {AF, "sleep_apnoea"}, "every risk of the kind in one pass"
    assert all(
        {"type", "risk", "start", "end", "score", "reason", "model"} <= line.keys() and line["start"] < line["end"]
        for line in every
    )
    assert all((line["score"] is None) == bool(line["reason"]) for line in every)
    assert [(line["kind"], line["state"]) for line in alerts] == [(AF, "raised")]
    begin, end = alerts[0]["part"]
    assert alerts[0]["since"] <= begin < end <= alerts[0]["at"], "the part that mattered"
    assert alerts[0]["numbers"]["irregularity_percent"] > 5.0
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
    for risk in (AF, "sleep_apnoea"):
        before = of_type(first, "assessment", risk)
        assert before
        assert of_type(both, "assessment", risk)[: len(before)] == before


def test_the_last_whole_minute_of_a_night_is_told(tmp_path: Path) -> None:
    recording = write_csv(tmp_path / "rr.csv", [float(beat) for beat in range(1, 601)], [1000.0] * 600)
    assert of_type(assess(recording), "assessment", "sleep_apnoea")[-1]["end"] == 600.0


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


def write_glucose(path: Path, mg_dl: list[float], pace_s: float = 300.0) -> Path:
    lines = (f"{place * pace_s:.0f},{value:.0f}" for place, value in enumerate(mg_dl))
    path.write_text("\n".join(["time_s,mg_dl", *lines]) + "\n")
    return path


@pytest.mark.parametrize("pace_s", [300.0, 900.0])
def test_falling_glucose_is_told_before_it_is_low_with_the_forecast(tmp_path: Path, pace_s: float) -> None:
    falling = [150.0] * int(7200 / pace_s) + [150.0 - 1.5 * pace_s / 60.0 * n for n in range(1, int(4500 / pace_s))]
    lines = assess(write_glucose(tmp_path / "glucose.csv", falling, pace_s), "glucose")
    (alert,) = of_type(lines, "alert", "hypoglycaemia")
    assert alert["state"] == "raised"
    below = next(place * pace_s for place, value in enumerate(falling) if value < 70.0)
    assert below - 2400.0 <= alert["at"] < below
    told = next(line for line in of_type(lines, "assessment", "hypoglycaemia") if line["end"] == alert["at"])
    assert [round(time - told["end"]) for time, _ in told["forecast"]] == [300, 600, 900, 1200, 1500, 1800]
    assert all(40.0 < value < 90.0 for _, value in told["forecast"])


def test_level_glucose_says_nothing(tmp_path: Path) -> None:
    chance = random.Random(6)
    lines = assess(write_glucose(tmp_path / "glucose.csv", [115.0 + chance.gauss(0, 4) for _ in range(400)]), "glucose")
    assert of_type(lines, "alert", "hypoglycaemia") == []
    scores = [line["score"] for line in of_type(lines, "assessment", "hypoglycaemia") if line["score"] is not None]
    assert len(scores) > 350
    assert max(scores) < 0.5


def write_motion(path: Path, mg: NDArray[np.float64], rate_hz: float) -> Path:
    times = np.arange(len(mg)) / rate_hz
    np.savetxt(
        path, np.column_stack([times, mg]), delimiter=",", header="time_s,x_mg,y_mg,z_mg", comments="", fmt="%.3f"
    )
    return path


def test_a_sensor_on_the_table_and_a_walk_are_no_falls(tmp_path: Path) -> None:
    chance = np.random.default_rng(7)
    table = np.array([0.0, 0.0, 1000.0]) + chance.normal(0.0, 4.0, (6000, 3))
    lines = assess(write_motion(tmp_path / "table.csv", table, 50.0), "accelerometer")
    assert lines
    assert all(line["score"] is None and line["reason"] for line in lines)
    time = np.arange(6000)[:, np.newaxis] / 50.0
    walk = table + 250.0 * np.sin(2 * np.pi * 1.9 * time + np.array([0.0, 1.0, 2.0])) + chance.normal(0, 60, (6000, 3))
    lines = assess(write_motion(tmp_path / "walk.csv", walk, 50.0), "accelerometer")
    assert any(line["score"] is not None for line in lines)
    assert of_type(lines, "alert", "fall") == []


@pytest.mark.recordings
@pytest.mark.parametrize(("clip_mg", "every"), [(16_000, 1), (4_000, 1), (8_000, 2)])
def test_real_falls_are_told_by_another_wearable_too(
    clip_mg: int, every: int, tmp_path: Path, recordings: Path
) -> None:
    with np.load(recordings / "prepared" / "sisfall_acc50.npz") as file:
        falls = [place for place, name in enumerate(file["activity"]) if str(name).startswith("F")][::170]
        trials = [file["acc_mg"][file["offset"][place] : file["offset"][place + 1]] for place in falls]
    told = []
    for trial in trials:
        turned = trial[::every, [2, 0, 1]].astype(np.float64).clip(-clip_mg, clip_mg) * np.array([1.0, -1.0, -1.0])
        lines = assess(write_motion(tmp_path / "fall.csv", turned, 50.0 / every), "accelerometer")
        told.append(any(line["state"] == "raised" for line in of_type(lines, "alert", "fall")))
    assert len(told) >= 10
    assert np.mean(told) >= 0.9


@pytest.mark.recordings
@pytest.mark.parametrize(("record", "expected"), [("mitdb/201", "raised"), ("mitdb/100", None)])
def test_real_people(record: str, expected: str | None, tmp_path: Path, recordings: Path) -> None:
    found = read_rr(recordings / record)
    lines = assess(write_csv(tmp_path / "rr.csv", found.beat_times[1:].tolist(), found.rr_ms.tolist()))
    states = [line["state"] for line in of_type(lines, "alert", AF)]
    assert (states[0] if states else None) == expected
    assert states == ["raised", "cleared"] * (len(states) // 2) + ["raised"] * (len(states) % 2)


def test_oxygen_is_judged_by_the_default_rules(tmp_path: Path) -> None:
    percent = [96] * 900 + [90] * 1500 + [96] * 1200
    recording = tmp_path / "night.csv"
    recording.write_text("\n".join(["time_s,percent", *(f"{at},{value}" for at, value in enumerate(percent))]) + "\n")
    told = [(line["kind"], line["state"], line["at"]) for line in assess(recording, "spo2")]
    assert told == [("spo2_low", "raised", 1500.0), ("spo2_low", "cleared", 3000.0)]
