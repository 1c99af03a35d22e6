"""The AF model from beats to alerts: sustained AF is said in time, and what only looks like it for a while is not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cli import main
from edge.virtual.rhythm import atrial_fibrillation, sinus

CALM_S = 900.0


def alerts(folder: Path, rr_ms: Iterable[float], *, lost: float = 0.0, step_ms: float = 1.0) -> list[dict[str, Any]]:
    """What `assess` says of a heart whose strap loses a share of the beats and rounds what it tells."""
    intervals = np.fromiter(rr_ms, dtype=np.float64)
    times = np.cumsum(intervals) / 1000.0
    kept = np.random.default_rng(3).random(len(times)) >= lost
    times = times[kept]
    told_ms = np.rint(np.diff(times, prepend=0.0) * 1000.0 / step_ms) * step_ms
    recording, out = folder / "beats.csv", folder / "beats.jsonl"
    rows = (f"{time:.3f},{rr:.3f}" for time, rr in zip(times, told_ms, strict=True))
    recording.write_text("\n".join(["time_s,rr_ms", *rows]) + "\n")
    assert main(["assess", "--kind", "rr_intervals", "--input", str(recording), "--out", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return [line for line in lines if line["type"] == "alert" and line["kind"] == "atrial_fibrillation"]


@pytest.mark.parametrize("bpm", [55.0, 80.0, 110.0, 150.0])
def test_sustained_fibrillation_is_said_within_ten_minutes(tmp_path: Path, bpm: float) -> None:
    chance = random.Random(5)
    heart = chain(sinus(CALM_S, bpm=66.0, chance=chance), atrial_fibrillation(1200.0, bpm=bpm, chance=chance))
    (alert,) = alerts(tmp_path, heart)
    assert alert["state"] == "raised"
    assert CALM_S < alert["at"] <= CALM_S + 600.0


def test_a_strap_that_loses_beats_and_rounds_delays_no_alert_beyond_that(tmp_path: Path) -> None:
    chance = random.Random(6)
    heart = chain(sinus(CALM_S, bpm=66.0, chance=chance), atrial_fibrillation(1200.0, bpm=90.0, chance=chance))
    (alert,) = alerts(tmp_path, heart, lost=0.02, step_ms=8.0)
    assert CALM_S < alert["at"] <= CALM_S + 600.0


@pytest.mark.parametrize("bpm", [110.0, 150.0, 190.0])
def test_two_minutes_of_fast_irregular_beats_alert_nobody(tmp_path: Path, bpm: float) -> None:
    chance = random.Random(7)
    before, after = (sinus(CALM_S, bpm=80.0, chance=chance) for _ in range(2))
    assert not alerts(tmp_path, chain(before, atrial_fibrillation(120.0, bpm=bpm, chance=chance), after))


def test_early_beats_in_a_fixed_order_alert_nobody(tmp_path: Path) -> None:
    chance = random.Random(8)
    for pattern in ([1.0, 0.6, 1.4], [0.6, 1.4], [1.0, 1.0, 0.7, 1.3]):
        heart = (800.0 * share * (1.0 + chance.gauss(0.0, 0.015)) for _ in range(600) for share in pattern)
        assert not alerts(tmp_path, heart)


@pytest.mark.parametrize("blocks", [(2, 4), (2, 3, 4), (4, 4, 4, 2)])
def test_flutter_whose_block_changes_in_turn_alerts_nobody(tmp_path: Path, blocks: tuple[int, ...]) -> None:
    chance = random.Random(9)
    heart = (210.0 * block * (1.0 + chance.gauss(0.0, 0.01)) for _ in range(300) for block in blocks)
    assert not alerts(tmp_path, heart)
