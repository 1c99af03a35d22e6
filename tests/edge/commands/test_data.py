"""`hearthbeat export` and `hearthbeat erase`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from edge.cli import main
from edge.readings import Channel, Reading
from edge.recordings import KINDS, read_recording
from edge.running.maintenance import BACKUP_NAME
from edge.settings.home import load_settings
from edge.store.store import Batch, Store
from tests.edge.settings.test_home import GOOD
from tests.edge.store.samples import START, alert, assessment, rr, sample

DEVICE = "A0:9E:1A:00:00:01"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A home with a store of two people, of whom one does not live there any more."""
    path = tmp_path / "hearthbeat.toml"
    path.write_text(GOOD, encoding="utf-8")
    (tmp_path / "state").mkdir()
    with Store(load_settings(path).home.state_directory / "hearthbeat.db") as store:
        beats = [rr(START + n, 1000 + n % 7, device=DEVICE) for n in range(1500)]
        values = tuple(float(n % 90) for n in range(3 * 5000))
        moved = [
            Reading("anna", DEVICE, Channel.ACCELERATION, "mg", at, at, values, interval_s=0.02)
            for at in (START, START + 9000.0)
        ]
        glucose = [sample(Channel.GLUCOSE, START + 300.0 * n, 100.0 + n) for n in range(20)]
        store.commit(Batch(readings=[*beats, *moved, *glucose], alerts=[alert()], assessments=[assessment(START)]))
        store.commit(Batch(readings=[rr(START, 900, person="gone", device="ZZ")]))
    return path


def stored(config: Path) -> Path:
    return load_settings(config).home.state_directory / "hearthbeat.db"


def test_what_is_exported_is_what_assess_reads(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", "anna", "--out", str(out), "--config", str(config), "--json"]) == 0
    files = {Path(one["path"]).name: one["lines"] for one in json.loads(capsys.readouterr().out)}
    name = DEVICE.replace(":", "-")
    assert files == {
        f"rr_intervals_{name}.csv": 1500,
        f"accelerometer_{name}.csv": 10_000,
        "glucose_AA.csv": 20,
        "alerts.jsonl": 1,
        "assessments_atrial_fibrillation.jsonl": 1,
    }
    assert sorted(path.name for path in out.iterdir()) == sorted(files)
    for kind, channel, device in (
        ("rr_intervals", Channel.RR_INTERVAL, DEVICE),
        ("glucose", Channel.GLUCOSE, "AA"),
    ):
        times, values = read_recording(out / f"{kind}_{device.replace(':', '-')}.csv", KINDS[kind])
        with Store(stored(config)) as store:
            series = store.signals.series("anna", channel, 0.0, float("inf"), device)
        assert np.allclose(times, series.times, rtol=0.0, atol=1e-6)
        assert np.allclose(values, series.values, rtol=0.0, atol=1e-6)
    with (out / f"accelerometer_{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(rows[-1][column]) for column in ("x_mg", "y_mg", "z_mg")] == [n % 90 for n in range(14_997, 15_000)]
    assert float(rows[-1]["time_s"]) == pytest.approx(START + 9000.0 + 0.02 * 4999, abs=1e-3)
    assert (out.stat().st_mode & 0o077, (out / "alerts.jsonl").stat().st_mode & 0o077) == (0, 0)


@pytest.mark.parametrize("command", [["export", "bert", "--out", "x"], ["erase", "bert", "--yes"]])
def test_whom_nobody_knows_is_refused_in_one_line(
    command: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--config", str(config)]) == 2
    assert capsys.readouterr().err == "PERSON: nothing is kept of 'bert'; use anna or gone\n"


def test_an_export_to_nowhere_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "anna", "--out", str(config / "folder"), "--config", str(config)]) == 2
    assert "give a folder that can be written" in capsys.readouterr().err


def test_erasing_asks_first_and_reaches_the_backup(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backup = stored(config).with_name(BACKUP_NAME)
    with Store(stored(config)) as store:
        store.backup(backup)
    assert main(["erase", "gone", "--config", str(config)]) == 2
    assert "would be gone for good" in capsys.readouterr().err
    assert main(["erase", "gone", "--yes", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == 1
    for path in (stored(config), backup):
        with Store(path) as store:
            assert store.people() == ["anna"]


def test_who_is_still_recorded_is_not_erased_under_the_daemons_hands(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.running.status.ask", lambda _folder: {"daemon": "running"})
    assert main(["erase", "anna", "--yes", "--config", str(config)]) == 2
    assert "the daemon still records anna" in capsys.readouterr().err
    assert main(["erase", "gone", "--yes", "--config", str(config)]) == 0
