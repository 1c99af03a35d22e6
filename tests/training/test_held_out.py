"""The delivered model on people whom it never saw, through the daemon's own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edge.readings import Risk
from edge.risks.catalogue import load_models
from edge.risks.model import RiskModel
from training.corpora.ltafdb import LTAFDB
from training.corpora.mitdb import MITDB
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import Corpus, RhythmRecord
from training.labels import LabelledWindows, label_windows
from training.votes import Episode, episodes

pytestmark = pytest.mark.recordings


@pytest.fixture
def model() -> RiskModel:
    return load_models()[Risk.ATRIAL_FIBRILLATION]


def held_out(model: RiskModel, corpus: Corpus) -> list[str]:
    """The corpus' test people."""
    return next(one.split["test"] for one in model.manifest.training.data if one.name == corpus.name)


def windows_of(model: RiskModel, record: RhythmRecord) -> LabelledWindows:
    return label_windows(record, beats=model.beats, step=model.step)


def alerts_of(model: RiskModel, record: RhythmRecord) -> list[Episode]:
    return episodes([model.assess(window) for window in windows_of(model, record).windows], model.policy)


def test_fibrillation_is_told_from_other_rhythms_in_people_it_never_saw(model: RiskModel, recordings: Path) -> None:
    labels, scores = [], []
    for name in held_out(model, LTAFDB)[::3]:
        labelled = windows_of(model, LTAFDB.read(recordings, name))
        counted = labelled.scored(model.policy.minimum_coverage)
        # Every fourth window: neighbours say much the same, and the test stays short.
        for place in np.flatnonzero(counted)[::4]:
            labels.append(bool(labelled.is_af[place]))
            scores.append(model.assess(labelled.windows[place]).score)
    assert 0.1 < np.mean(labels) < 0.9
    assert roc_auc_score(labels, scores) >= 0.985


def test_a_healthy_persons_day_says_nothing(model: RiskModel, recordings: Path) -> None:
    assert alerts_of(model, NSR2DB.read(recordings, held_out(model, NSR2DB)[0])) == []
    assert alerts_of(model, MITDB.read(recordings, "100")) == []


def test_the_six_minutes_of_fibrillation_that_begin_record_201_are_said_while_they_last(
    model: RiskModel, recordings: Path
) -> None:
    first = alerts_of(model, MITDB.read(recordings, "201"))[0]
    assert first.since < 5.0
    assert first.raised_at < 378.0


def test_nobody_of_the_test_was_trained_on(model: RiskModel) -> None:
    for data in model.manifest.training.data:
        people = [person for part in data.split.values() for person in part]
        assert len(people) == len(set(people))
    mitdb = next(one for one in model.manifest.training.data if one.name == MITDB.name)
    assert list(mitdb.split) == ["report"]
