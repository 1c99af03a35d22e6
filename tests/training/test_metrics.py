"""Figures of windows: as others define them, and with intervals over people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from training.metrics import Windows, recall_at, window_figures


def windows_of(people: int = 12, each: int = 60, *, seed: int = 1) -> Windows:
    """People who differ: the scores of some tell nothing."""
    random = np.random.default_rng(seed)
    person = np.repeat([f"p{place}" for place in range(people)], each)
    label = random.random(people * each) < 0.3
    worth = np.repeat(random.uniform(0.0, 3.0, people), each)
    score = np.round(1.0 / (1.0 + np.exp(-(worth * label + random.normal(0.0, 1.0, people * each)))), 3)
    return Windows(person, label, score)


def test_the_figures_are_the_usual_ones() -> None:
    windows = windows_of()
    said = windows.score >= 0.6
    figures = window_figures(windows, 0.6)
    for told, expected in (
        (figures.auroc, roc_auc_score(windows.label, windows.score)),
        (figures.auprc, average_precision_score(windows.label, windows.score)),
        (figures.precision, precision_score(windows.label, said)),
        (figures.recall, recall_score(windows.label, said)),
        (figures.specificity, recall_score(~windows.label, ~said)),
        (figures.f1, f1_score(windows.label, said)),
    ):
        assert told is not None
        assert told.value == pytest.approx(expected, abs=1e-5)
        assert told.low is not None
        assert told.high is not None
        assert told.low < told.value < told.high
    assert (figures.people, figures.windows, figures.positive) == (12, 720, int(windows.label.sum()))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=4, max_size=60), st.integers(0, 5))
def test_ties_and_thresholds_count_as_defined(rows: list[tuple[bool, int]], threshold: int) -> None:
    label, score = np.array([one for one, _ in rows]), np.array([float(one) for _, one in rows])
    figures = window_figures(Windows(np.array(["a"] * len(rows)), label, score), float(threshold))
    if 0 < label.sum() < len(label):
        assert figures.auroc is not None
        assert figures.auroc.value == pytest.approx(roc_auc_score(label, score), abs=1e-5)
        assert figures.recall is not None
        assert figures.recall.value == pytest.approx(np.mean(score[label] >= threshold), abs=1e-5)
    else:
        assert figures.auroc is None


def test_more_windows_of_the_same_people_are_no_more_evidence() -> None:
    once = windows_of()
    often = Windows(np.tile(once.person, 8), np.tile(once.label, 8), np.tile(once.score, 8))
    few, many = window_figures(once, 0.5).auroc, window_figures(often, 0.5).auroc
    assert few is not None
    assert many == few


def test_the_worst_person_is_named_and_people_with_few_windows_are_not() -> None:
    windows = windows_of(4, 200)
    score = np.where(windows.person == "p2", 1.0 - windows.score, windows.score + windows.label)
    few = Windows(
        np.append(windows.person, ["stranger"] * 4),
        np.append(windows.label, [True, True, False, False]),
        np.append(score, [0.0, 0.0, 1.0, 1.0]),
    )
    figures = window_figures(few, 0.5)
    assert figures.worst_auroc is not None
    assert figures.worst_auroc.person == "p2"
    assert figures.median_auroc == 1.0


def test_people_without_the_risk_have_a_specificity_alone() -> None:
    windows = windows_of()
    healthy = replace(windows, label=np.zeros_like(windows.label))
    figures = window_figures(healthy, 0.9)
    assert figures.auroc is figures.recall is figures.f1 is None
    assert figures.specificity is not None
    assert figures.worst_specificity is not None
    assert figures.worst_specificity.value <= figures.specificity.value


def test_a_set_without_labelled_windows_has_no_figures() -> None:
    nobody = Windows(np.array([], dtype=np.str_), np.array([], dtype=np.bool_), np.array([]))
    figures = window_figures(nobody, 0.5)
    assert (figures.people, figures.windows, figures.auroc, figures.specificity) == (0, 0, None, None)


def test_recall_is_told_at_no_less_than_the_specificity() -> None:
    windows = Windows(
        np.array(["a"] * 8), np.array([False] * 4 + [True] * 4), np.array([0.1, 0.2, 0.3, 0.9, 0.25, 0.4, 0.95, 0.3])
    )
    assert recall_at(windows, 1.0) == 0.25
    assert recall_at(windows, 0.75) == 0.5
    assert recall_at(windows, 0.0) == 1.0
