"""Recordings become the daemon's own Windows, with the experts' labels; the delivered model on people it never saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge.notices import AlertState
from edge.readings import Channel, Reading, Risk
from edge.risks.catalogue import load_models
from edge.signals.atrial_fibrillation import model_input, windows
from edge.watches.risk import watch_risk
from training.corpora.ltafdb import LTAFDB
from training.corpora.mitdb import MITDB
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import AFIB, UNLABELLED, RhythmRecord
from training.recipe import Judged, LabelledWindows, Recording
from training.recipes.atrial_fibrillation import RECIPE, fibrillation, policy_with, rr_reading

BEATS = 60


def record(rhythm: list[str]) -> RhythmRecord:
    """A beat every second, with the given rhythm at each."""
    return RhythmRecord("ltafdb", "00", "00", np.arange(len(rhythm), dtype=np.float64), np.array(rhythm))


def label(one: RhythmRecord) -> LabelledWindows:
    return RECIPE.label(Recording("ltafdb", "00", "ltafdb/00", 0.0, {}, one), BEATS)


def test_half_of_the_beats_make_a_window_fibrillation() -> None:
    assert label(record(["N"] * 31 + [AFIB] * 30)).label.tolist() == [1]
    assert label(record(["N"] * 32 + [AFIB] * 29)).label.tolist() == [0]


def test_a_window_with_an_unlabelled_beat_is_in_no_figure() -> None:
    labelled = label(record([UNLABELLED] * 61 + [AFIB] * 60))
    assert labelled.judged.all()
    assert labelled.label.tolist() == [-1, -1, 1]


def test_a_window_that_a_hole_cut_short_is_not_judged() -> None:
    beats_s = np.concatenate([np.arange(75.0), np.arange(300.0, 361.0)])
    labelled = label(dataclasses.replace(record(["N"] * len(beats_s)), beats_s=beats_s))
    assert labelled.judged.tolist() == [True, False, True]
    assert not labelled.inputs[1].any()


def test_pauses_under_a_minute_do_not_end_an_episode() -> None:
    rhythm = ["N"] * 10 + [AFIB] * 100 + ["N"] * 50 + [AFIB] * 100 + ["N"] * 70 + [AFIB] * 10
    assert fibrillation(record(rhythm)) == [(10.0, 259.0), (330.0, 339.0)]


def test_examples_are_half_fibrillation_and_within_range() -> None:
    rhythm = ["N"] * 400 + [AFIB] * 400
    sampler = RECIPE.sampler([Recording("ltafdb", "00", "ltafdb/00", 0.5, {}, record(rhythm))], RECIPE.architecture)
    inputs, targets = sampler.draw(200, np.random.default_rng(1))
    assert inputs.shape == (200, RECIPE.architecture.length, RECIPE.architecture.channels)
    assert np.abs(inputs).max() <= 1.0
    assert 0.4 < targets.mean() < 0.6


def test_three_windows_in_a_row_are_judged_together_and_none_over_a_hole() -> None:
    seconds = np.concatenate([np.arange(121.0), np.arange(1000.0, 1121.0)])
    one = dataclasses.replace(record(["N"] * 121 + [AFIB] * 121), beats_s=seconds)
    labelled = label(one)
    logits = np.where(labelled.label == 1, 1.0, -1.0)
    logits[:3] = [-3.0, 3.0, -3.0]  # its mean is below that of the others, its highest is not
    judged = Judged(labelled, 1.0 / (1.0 + np.exp(-logits)), logits[:, np.newaxis].astype(np.float32), RECIPE.risk)
    figures = RECIPE.other_figures([judged], policy_with(0.5))
    assert figures["auroc_of_3_windows"] == 1.0
    assert figures["youden_flutter_is_none"] < 1.0


@pytest.mark.recordings
def test_training_sees_what_the_daemon_sees(recordings: Path) -> None:
    (recording,) = [one for one in RECIPE.read(recordings, MITDB.name) if one.name == "201"]
    labelled = RECIPE.label(recording, BEATS)
    packets = rr_reading(recording.signal)
    starts = packets.start + np.concatenate(([0.0], np.cumsum(packets.values)[:-1])) / 1000.0
    builder = windows("201", length=BEATS, step=RECIPE.step)
    live = [
        window
        for begin, interval_ms in zip(starts.tolist(), packets.values, strict=True)
        for window in builder.push(Reading("201", "strap", Channel.RR_INTERVAL, "ms", begin, begin, (interval_ms,)))
    ]
    assert len(live) == len(labelled.label) > 50
    assert all((model_input(one)[0] == other).all() for one, other in zip(live, labelled.inputs, strict=True))
    assert [one.end for one in live] == pytest.approx(labelled.end.tolist(), abs=1e-3)


@pytest.mark.recordings
def test_the_corpora_are_read_with_their_traps(recordings: Path) -> None:
    unlabelled = LTAFDB.read(recordings, "64")
    assert int(np.count_nonzero(unlabelled.rhythm == UNLABELLED)) == 92_804
    assert set(np.unique(NSR2DB.read(recordings, "nsr001").rhythm)) == {"N"}
    assert MITDB.read(recordings, "202").person == MITDB.read(recordings, "201").person
    beginning = MITDB.read(recordings, "201")
    first_other = float(beginning.beats_s[np.flatnonzero(beginning.rhythm != AFIB)[0]])
    assert first_other == pytest.approx(380.0, abs=3.0)


@pytest.mark.recordings
def test_the_delivered_model_tells_fibrillation_in_people_it_never_saw(recordings: Path) -> None:
    model = load_models()[Risk.ATRIAL_FIBRILLATION]
    assert MITDB.name in {one.name for one in model.manifest.training.data if not one.split}, "in no fold"
    right: dict[bool, list[bool]] = {True: [], False: []}
    for recording in RECIPE.read(recordings, MITDB.name)[::4]:
        one = recording.signal
        for window in windows("", length=model.manifest.input.length, step=RECIPE.step).push(rr_reading(one)):
            beats = (one.beats_s > window.start + 0.0005) & (one.beats_s <= window.end + 0.0005)
            score = model.assess(window).score
            if score is not None:
                is_af = bool(np.mean(one.rhythm[beats] == AFIB) >= 0.5)
                right[is_af].append((score >= model.threshold) == is_af)
    assert np.mean(right[True]) > 0.85
    assert np.mean(right[False]) > 0.85


@pytest.mark.recordings
def test_nobody_is_alarmed_by_the_sway_of_a_slow_healthy_heart(recordings: Path) -> None:
    record = NSR2DB.read(recordings, "nsr014")
    night = (record.beats_s > 10.3 * 3600.0) & (record.beats_s < 13.0 * 3600.0)
    asleep = dataclasses.replace(record, beats_s=record.beats_s[night], rhythm=record.rhythm[night])
    watch = watch_risk("ann", load_models()[Risk.ATRIAL_FIBRILLATION])
    told = [watch.judge(one) for one in watch.windows.push(rr_reading(asleep))]
    strong = [one.score is not None and one.score >= 0.95 for one, _ in told]
    assert sum(strong) > 50, "single windows look like fibrillation"
    assert [alert for _, alert in told if alert is not None and alert.state is AlertState.RAISED] == []
