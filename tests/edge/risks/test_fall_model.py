"""The fall model on a wrist or a waist: hard everyday movements stay quiet, a fall is told whatever the sensor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cli import main
from training.recipes.fall import RECIPE

RATE = 50
Motion = tuple[NDArray[np.float64], NDArray[np.float64]]


def assess(folder: Path, motion: Motion) -> list[dict[str, Any]]:
    times, mg = motion
    recording, out = folder / "motion.csv", folder / "motion.jsonl"
    rows = (f"{time:.4f},{x:.1f},{y:.1f},{z:.1f}" for time, (x, y, z) in zip(times, mg, strict=True))
    recording.write_text("\n".join(["time_s,x_mg,y_mg,z_mg", *rows]) + "\n")
    assert main(["assess", "--kind", "accelerometer", "--input", str(recording), "--out", str(out)]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def alerts(lines: list[dict[str, Any]]) -> list[str]:
    return [line["state"] for line in lines if line["type"] == "alert" and line["kind"] == "fall"]


def standing(seconds: float, seed: int = 1) -> Motion:
    """Somebody upright who sways and moves a little."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    mg = np.stack([60.0 * np.sin(2.1 * time), 40.0 * np.cos(1.3 * time), np.full(len(time), 990.0)], axis=1)
    return time, mg + random.normal(0.0, 12.0, mg.shape)


def pulse(time: NDArray[np.float64], at: float, size_mg: float, width_s: float) -> NDArray[np.float64]:
    return np.asarray(size_mg * np.exp(-(((time - at) / width_s) ** 2)), dtype=np.float64)


def sitting_down_hard() -> Motion:
    time, mg = standing(15.0)
    mg[:, 2] += pulse(time, 6.6, -450.0, 0.25) + pulse(time, 7.0, 2600.0, 0.05) + pulse(time, 7.15, -300.0, 0.08)
    mg[:, 0] += 250.0 / (1.0 + np.exp(-(time - 6.8) * 8.0))
    return time, mg


def jumping() -> Motion:
    time, mg = standing(15.0)
    for at in (4.0, 5.2, 6.4):
        mg[(time > at) & (time < at + 0.4), 2] = 80.0
        mg[:, 2] += pulse(time, at - 0.15, 900.0, 0.1) + pulse(time, at + 0.45, 3800.0, 0.05)
    return time, mg


def clapping() -> Motion:
    time, mg = standing(15.0)
    for number in range(24):
        mg[:, number % 2] += pulse(time, 4.0 + 0.25 * number, 5500.0 * (-1) ** number, 0.025)
    return time, mg


def walking(seconds: float) -> Motion:
    time, mg = standing(seconds)
    mg[:, 2] += 350.0 * np.sin(2.0 * np.pi * 1.8 * time)
    mg[:, 0] += 200.0 * np.sin(2.0 * np.pi * 0.9 * time)
    return time, mg


@pytest.mark.parametrize("movement", [sitting_down_hard, jumping, clapping])
def test_hard_everyday_movements_stay_quiet(movement: Callable[[], Motion], tmp_path: Path) -> None:
    assert alerts(assess(tmp_path, movement())) == []


def test_a_watch_on_a_table_is_never_scored(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    time = np.arange(60 * RATE) / RATE
    lines = assess(tmp_path, (time, random.normal([10.0, -20.0, 1000.0], 3.0, (len(time), 3))))
    assert lines
    assert all(line["score"] is None and "no movement" in line["reason"] for line in lines)


def falls(recordings: Path) -> list[Motion]:
    """Falls of several people at either place."""
    found = []
    for corpus in RECIPE.trained_on:
        for one in RECIPE.read(recordings, corpus)[1:20:6]:
            of_person = [trial for trial in one.signal.trials if trial.is_fall]
            found += [(trial.times - trial.times[0], trial.mg.clip(-16_000.0, 16_000.0)) for trial in of_person[4:5]]
    return found


def turned(mg: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(mg @ rotation, dtype=np.float64)


@pytest.mark.recordings
@pytest.mark.parametrize(("rate_hz", "limit_mg"), [(20.0, 16_000.0), (100.0, 4_000.0), (33.0, 8_000.0)])
def test_a_recorded_fall_is_told_whatever_the_sensor(
    rate_hz: float, limit_mg: float, recordings: Path, tmp_path: Path
) -> None:
    told = []
    for seed, (times, mg) in enumerate(falls(recordings)):
        at = np.arange(times[0], times[-1], 1.0 / rate_hz)
        axes = [np.interp(at, times, axis) for axis in turned(mg, seed).T]
        told.append(alerts(assess(tmp_path, (at, np.stack(axes, axis=1).clip(-limit_mg, limit_mg)))) == ["raised"])
    assert len(told) >= 6
    assert np.mean(told) >= 0.8


@pytest.mark.recordings
def test_an_alert_stays_open_while_somebody_lies_there_and_is_cleared_by_walking(
    recordings: Path, tmp_path: Path
) -> None:
    times, mg = falls(recordings)[0]
    random = np.random.default_rng(3)
    lying = mg[-25:].mean(axis=0) + random.normal(0.0, 5.0, (round(180.0 * RATE), 3))
    stir = slice(60 * RATE, 64 * RATE)
    lying[stir] += 150.0 * np.sin(np.arange(4 * RATE) / 9.0)[:, np.newaxis]
    _, walk = walking(240.0)
    whole = np.concatenate((mg, lying, walk))
    states = [
        (line["state"], line["at"])
        for line in assess(tmp_path, (times[0] + np.arange(len(whole)) / RATE, whole))
        if line["type"] == "alert"
    ]
    assert [state for state, _ in states] == ["raised", "cleared"]
    assert states[0][1] < times[-1]
    assert states[1][1] > times[-1] + 180.0
