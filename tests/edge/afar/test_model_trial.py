"""When a new model is worse, and what is known of one that kills the process."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from edge.afar.model_trial import CrashMark, Figures, Trial, is_enough, worse
from edge.notices import Alert, AlertState
from edge.readings import Source
from edge.risks.catalogue import MODELS
from edge.risks.model import RiskModel
from edge.signals import rr_series
from edge.virtual.rhythm import atrial_fibrillation, sinus
from edge.watches.risk import watch_risk

WELL = Figures(windows=1000, both=900, only_old=20, only_new=20, alerts_old=4, alerts_new=5)
SLOW = replace(WELL, seconds_old=0.9, seconds_new=0.9 * 2 + 900 * 0.0051)


@pytest.mark.parametrize(
    ("figures", "why"),
    [
        (WELL, None),
        (Figures(), None),
        (replace(WELL, alerts_new=8), None),
        (replace(WELL, alerts_new=9), "it would have raised 9 alerts, the old one 4"),
        (replace(WELL, alerts_old=0, alerts_new=2), None),
        (replace(WELL, alerts_old=0, alerts_new=3), "it would have raised 3 alerts, the old one 0"),
        (replace(WELL, alerts_old=6, alerts_new=0), "it would have raised 0 alerts, the old one 6"),
        (replace(WELL, alerts_old=4, alerts_new=0), None),
        (replace(WELL, only_old=100, only_new=0), "it could judge 900 windows, the old one 1000"),
        (replace(WELL, both=30, only_old=10), None),
        (replace(WELL, failures=1, failure="ValueError: no"), "it failed: ValueError: no"),
        (SLOW, "it takes 7.1 ms for a window, the old one 1.0 ms"),
        (replace(SLOW, both=49, only_new=0, only_old=0), None),
    ],
)
def test_a_model_is_worse_by_bounds_that_are_known_before(figures: Figures, why: str | None) -> None:
    assert worse(figures) == why


def test_figures_are_kept_as_they_are() -> None:
    assert Figures.read({**asdict(SLOW), "shadow": {}}) == SLOW
    assert (is_enough(WELL), is_enough(Figures(both=49))) == (True, False)
    assert Figures().told()["disagreement"] is None, "missing is never zero"


def test_a_process_that_died_while_a_model_ran_leaves_word(tmp_path: Path) -> None:
    path = tmp_path / "models" / "running"
    code = (
        "import os, signal, sys; from pathlib import Path; from edge.afar.model_trial import CrashMark\n"
        "mark = CrashMark(Path(sys.argv[1]))\n"
        "with mark.running('b' * 64): pass\n"
        "with mark.running('a' * 64): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    mark = CrashMark(path)
    assert mark.left() == "a" * 64
    assert mark.left() is None
    with mark.running("c" * 64):
        pass
    assert CrashMark(path).left() is None


def test_an_alert_goes_on_when_another_model_takes_over() -> None:
    chance = random.Random(3)
    beats = np.array([*atrial_fibrillation(1500.0, bpm=95.0, chance=chance), *sinus(1500.0, bpm=66.0, chance=chance)])
    readings = rr_series.readings_of(Source("anna", "C0:DE:00:00:00:01"), 1.8e9 + np.cumsum(beats) / 1000.0, beats)
    old, new = (RiskModel.load(MODELS / "atrial_fibrillation") for _ in range(2))
    watch = watch_risk("anna", old)
    windows = [window for reading in readings for window in watch.push(reading)]
    turns: list[Alert] = []
    for window in windows:
        alert = watch.judge(window)[1]
        if alert is None:
            continue
        turns.append(alert)
        if len(turns) == 1:
            watch.take_on(new, Trial("a" * 64, old, new, CrashMark(None), Figures(), leads=True))
    assert [turn.state for turn in turns] == [AlertState.RAISED, AlertState.CLEARED]
    assert turns[0].id == turns[1].id
    assert watch.trial is not None
    assert watch.trial.figures.both > 20
    assert watch.trial.figures.alerts_old == watch.trial.figures.alerts_new
