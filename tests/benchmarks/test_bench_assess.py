"""The bar for `hearthbeat assess`: RR intervals at least 1,000 times as fast as life on one core, all risks at once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.assess import assess_recording

HOURS = 8.0


def rr_night(path: Path) -> Path:
    """A night of RR intervals that sway with the breath, every one of them written like a strap's."""
    chance = np.random.default_rng(1)
    beats = int(HOURS * 3600.0)
    sway = 40.0 * np.sin(np.arange(beats) / 4.0 + np.cumsum(chance.normal(0.0, 0.2, beats)))
    rr_ms = np.round((1000.0 + sway + chance.normal(0.0, 12.0, beats)) * 1.024) / 1.024
    rows = np.column_stack([np.cumsum(rr_ms) / 1000.0, rr_ms])
    np.savetxt(path, rows, delimiter=",", header="time_s,rr_ms", comments="", fmt="%.4f")
    return path


def test_bench_assess(benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording, out = rr_night(tmp_path / "night.csv"), tmp_path / "night.jsonl"
    before = time.process_time()
    benchmark.pedantic(assess_recording, args=("rr_intervals", recording, out), rounds=1)  # type: ignore[no-untyped-call]
    ratio = HOURS * 3600.0 / (time.process_time() - before)
    with capsys.disabled():
        print(f"\nassess, RR intervals, every risk: {ratio:,.0f} x real time on one core (bar 1,000)")  # noqa: T201
    benchmark.extra_info["ratio"] = ratio
