"""`hearthbeat alerts simulate`: what a rule would have done, as the daemon would have done it."""

from __future__ import annotations

import json
import random
from itertools import accumulate
from pathlib import Path

import pytest

from edge.cli import main
from edge.virtual.rhythm import atrial_fibrillation, sinus
from tests.edge.settings.test_home import GOOD


def spo2(path: Path, levels: list[float]) -> str:
    """A value every ten seconds; each level lasts a minute."""
    lines = [f"{60 * minute + 10 * part},{level}" for minute, level in enumerate(levels) for part in range(6)]
    path.write_text("time_s,percent\n" + "\n".join(lines), encoding="utf-8")
    return str(path)


def config(folder: Path, rule: str = "") -> str:
    path = folder / "hearthbeat.toml"
    path.write_text(GOOD.replace("[[contacts]]", f"{rule}\n[[contacts]]", 1), encoding="utf-8")
    return str(path)


def test_a_default_tells_when_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = spo2(tmp_path / "night.csv", [97.0] * 10 + [89.0] * 20 + [97.0] * 20)
    given = ["alerts", "simulate", "spo2_low", "--input", recording, "--config", config(tmp_path)]
    assert main([*given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(line["state"], line["at"], line["since"]) for line in told["alerts"]] == [
        ("raised", 1200.0, 600.0),
        ("cleared", 2400.0, 600.0),
    ]
    assert main(given) == 0
    assert capsys.readouterr().out.endswith("spo2_low: 1 alert in 0.035 days\n")


def test_the_persons_own_rule_counts_even_one_that_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = spo2(tmp_path / "night.csv", [89.0] * 30)
    own = config(tmp_path, '[[people.rules]]\nname = "spo2_low"\non = false\nbelow = 88\nclear = 90')
    assert main(["alerts", "simulate", "spo2_low", "--input", recording, "--config", own, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["raised"] == 0


def test_a_risk_is_its_models_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rr = [
        *sinus(120, bpm=66, chance=random.Random(1)),
        *atrial_fibrillation(700, bpm=95, chance=random.Random(2)),
    ]
    beats = accumulate(one / 1000.0 for one in rr)
    path = tmp_path / "beats.csv"
    path.write_text(
        "time_s,rr_ms\n" + "\n".join(f"{at:.3f},{one:.1f}" for at, one in zip(beats, rr, strict=True)), encoding="utf-8"
    )
    given = ["alerts", "simulate", "atrial_fibrillation", "--input", str(path), "--config", config(tmp_path), "--json"]
    assert main(given) == 0
    assert json.loads(capsys.readouterr().out)["raised"] == 1


def test_what_cannot_be_simulated_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = spo2(tmp_path / "night.csv", [0.97] * 5)
    own = config(tmp_path)
    for arguments in (
        ("nothing", "--input", recording),
        ("spo2_low", "--input", recording),  # shares of one
        ("spo2_low", "--input", str(tmp_path / "missing.csv")),
        ("heart_rate_low", "--input", recording),  # another column
        ("spo2_low", "--input", recording, "--person", "nobody"),
    ):
        assert main(["alerts", "simulate", *arguments, "--config", own]) == 2, arguments
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
