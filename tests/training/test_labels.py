"""Recordings become the daemon's own Windows, with the experts' labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge.readings import Channel, Reading, Risk
from edge.signals.artefacts import mark_artefacts
from edge.signals.atrial_fibrillation import model_input, model_inputs
from edge.signals.windows import RrWindows
from training.corpora.ltafdb import LTAFDB
from training.corpora.mitdb import MITDB
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import AFIB, UNLABELLED, RhythmRecord
from training.labels import label_windows


def record(rhythm: list[str]) -> RhythmRecord:
    """A beat every second, with the given rhythm at each."""
    return RhythmRecord("ltafdb", "00", "00", np.arange(len(rhythm), dtype=np.float64), np.array(rhythm))


def test_half_of_the_beats_make_a_window_fibrillation() -> None:
    labelled = label_windows(record(["N"] * 31 + [AFIB] * 30), beats=60, step=30)
    assert labelled.af.tolist() == [0.5]
    assert labelled.is_af.tolist() == [True]
    assert label_windows(record(["N"] * 32 + [AFIB] * 29), beats=60, step=30).is_af.tolist() == [False]


def test_a_window_with_an_unlabelled_beat_is_not_scored() -> None:
    labelled = label_windows(record([UNLABELLED] * 61 + [AFIB] * 60), beats=60, step=30)
    assert labelled.complete.all()
    assert labelled.scored(0.8).tolist() == [False, False, True]


def test_a_window_that_a_hole_cut_short_is_not_scored() -> None:
    beats_s = np.concatenate([np.arange(75.0), np.arange(300.0, 361.0)])
    holed = dataclasses.replace(record(["N"] * len(beats_s)), beats_s=beats_s)
    labelled = label_windows(holed, beats=60, step=30)
    assert labelled.complete.tolist() == [True, False, True]
    assert labelled.scored(0.8).tolist() == [True, False, True]


@pytest.mark.recordings
def test_training_sees_what_the_daemon_sees(recordings: Path) -> None:
    recording = MITDB.read(recordings, "201")
    labelled = label_windows(recording, beats=60, step=30)
    intervals_ms = np.diff(recording.beats_s) * 1000.0
    builder = RrWindows("201", Risk.ATRIAL_FIBRILLATION, beats=60, step=30)
    live = [
        window
        for begin, interval_ms in zip(recording.beats_s[:-1].tolist(), intervals_ms.tolist(), strict=True)
        for window in builder.push(Reading("201", "strap", Channel.RR_INTERVAL, "ms", begin, begin, (interval_ms,)))
    ]
    rr_ms = np.stack([window.values for window in labelled.windows])
    of_training = model_inputs(rr_ms, mark_artefacts(rr_ms))
    assert len(live) == len(of_training) > 50
    assert all((model_input(one)[0] == other).all() for one, other in zip(live, of_training, strict=True))


@pytest.mark.recordings
def test_the_corpora_are_read_with_their_traps(recordings: Path) -> None:
    unlabelled = LTAFDB.read(recordings, "64")
    assert int(np.count_nonzero(unlabelled.rhythm == UNLABELLED)) == 92_804
    assert set(np.unique(NSR2DB.read(recordings, "nsr001").rhythm)) == {"N"}
    assert MITDB.read(recordings, "202").person == MITDB.read(recordings, "201").person
    beginning = MITDB.read(recordings, "201")
    first_other = float(beginning.beats_s[np.flatnonzero(beginning.rhythm != AFIB)[0]])
    assert first_other == pytest.approx(380.0, abs=3.0)
