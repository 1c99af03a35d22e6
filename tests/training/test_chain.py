"""The whole chain on a handful of people: fit, quantise, evaluate, card; and what it says when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.readings import Risk
from edge.risks.catalogue import load_models
from edge.risks.manifest import read_manifest

AF = Risk.ATRIAL_FIBRILLATION.value
# Five people with both rhythms, five healthy ones, and two records that are reported alone.
PEOPLE = {
    "ltafdb": ("01", "10", "115", "26", "72"),
    "nsr2db": ("nsr022", "nsr033", "nsr037", "nsr010", "nsr004"),
    "mitdb": ("100", "201"),
}


def train(command: str, *, data: Path, home: Path, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run one command as a user would; TensorFlow and tflite-runtime do not get on in one process."""
    folders = ("--data", str(data), "--work", str(home / "work"), "--models", str(home / "models"))
    return subprocess.run(
        [sys.executable, "-m", "training.cli", command, AF, *folders, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


@pytest.fixture
def few_people(recordings: Path, tmp_path: Path) -> Path:
    """A data folder that holds PEOPLE alone."""
    for corpus, names in PEOPLE.items():
        (tmp_path / "data" / corpus).mkdir(parents=True)
        for name in names:
            for path in (recordings / corpus).glob(f"{name}.*"):
                (tmp_path / "data" / corpus / path.name).symlink_to(path)
    return tmp_path / "data"


@pytest.mark.recordings
def test_a_model_is_made_from_recordings_and_can_be_loaded(few_people: Path, tmp_path: Path) -> None:
    results: dict[str, Any] = {}
    for command, options in (
        ("fit", ("--epochs", "2", "--examples", "4000")),
        ("quantise", ()),
        ("evaluate", ()),
        ("card", ()),
    ):
        done = train(command, data=few_people, home=tmp_path, options=options)
        assert done.returncode == 0, done.stderr
        results[command] = json.loads(done.stdout)
    manifest = read_manifest(tmp_path / "models" / AF)
    parts = {
        part: people for one in manifest.training.data if one.name == "ltafdb" for part, people in one.split.items()
    }
    assert sorted(person for people in parts.values() for person in people) == sorted(PEOPLE["ltafdb"])
    assert results["quantise"]["int8_bytes"] <= 64 * 1024
    assert abs(manifest.metrics["ltafdb_test_auroc"]["float"] - manifest.metrics["ltafdb_test_auroc"]["int8"]) <= 0.01
    assert load_models(tmp_path / "models")[Risk.ATRIAL_FIBRILLATION].version == manifest.version
    card = tmp_path / "models" / AF / "card.md"
    assert manifest.version in card.read_text()
    figures = [line.split("(")[1].rstrip(")") for line in card.read_text().splitlines() if line.startswith("![AF")]
    assert figures
    assert all((card.parent / figure).stat().st_size > 1000 for figure in figures)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fit", "no recordings"),
        ("quantise", "run `hearthbeat-train fit` first"),
        ("evaluate", "run `hearthbeat-train fit` first"),
        ("card", "manifest.json"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, command: str, message: str) -> None:
    done = train(command, data=tmp_path, home=tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith(("WARNING: All log", "I0000", "W0000"))]
    assert done.returncode == 2
    assert message in said[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    for corpus in ("ltafdb", "nsr2db"):
        (tmp_path / "data" / corpus).mkdir(parents=True)
        (tmp_path / "data" / corpus / "00.hea").write_text("nonsense\n")
    done = train("fit", data=tmp_path / "data", home=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / "data" / "ltafdb" / "00") in done.stderr.splitlines()[-1]
