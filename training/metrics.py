"""What the scores of windows are worth, with bootstrap intervals over people.

People are drawn, not windows: a person's windows are alike, so windows drawn one by one would make the intervals far
too narrow (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, on clustered data). Each person's windows are
counted in bins of like scores once; a draw of people is then a weighted sum of these counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.evaluation import Interval, OfPerson, WindowFigures

Counts = NDArray[np.float64]
# An int8 network gives at most 256 scores, so its bins are exact; finer scores are ranked into this many.
MOST_BINS: Final = 2048
DRAWS: Final = 1000
SEED: Final = 7
# A person's own AUROC is only told when they have this many windows of either label: a handful at the begin or end of
# an episode says more about the label than about the model. Our choice.
FEWEST_WINDOWS: Final = 20
DIGITS: Final = 5
NO_FIGURES: Final = WindowFigures(
    people=0,
    windows=0,
    positive=0,
    auroc=None,
    auprc=None,
    recall=None,
    specificity=None,
    precision=None,
    f1=None,
    worst_auroc=None,
    median_auroc=None,
    worst_specificity=None,
)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Windows counted by person and by bin of like scores, in rising order; bins from `said` on are called the risk."""

    positive: Counts
    negative: Counts
    said: int


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of a set: whose they are (n,), their labels, True for the risk, (n,), and a score of each (n,)."""

    person: NDArray[np.str_]
    label: NDArray[np.bool_]
    score: NDArray[np.float64]


def tally(windows: Windows, threshold: float) -> Tally:
    """Count windows by person and bin; `threshold` is the least score that is called the risk."""
    edges = np.unique(windows.score)
    if len(edges) > MOST_BINS:
        edges = np.unique(np.quantile(windows.score, np.linspace(0.0, 1.0, MOST_BINS)))
    edges = np.union1d(edges, [threshold])
    bins = np.searchsorted(edges, windows.score, side="right")
    people, place = np.unique(windows.person, return_inverse=True)
    width = len(edges) + 1
    counts = [
        np.bincount(place[which] * width + bins[which], minlength=len(people) * width).reshape(len(people), width)
        for which in (windows.label, ~windows.label)
    ]
    return Tally(
        counts[0].astype(np.float64),
        counts[1].astype(np.float64),
        int(np.searchsorted(edges, threshold, side="right")),
    )


def auroc(positive: Counts, negative: Counts) -> Counts:
    """Area under the ROC of counts (..., bins): how often a positive scores higher than a negative, ties half."""
    below = np.cumsum(negative, axis=-1) - 0.5 * negative
    return np.asarray((positive * below).sum(axis=-1) / (positive.sum(axis=-1) * negative.sum(axis=-1)))


def average_precision(positive: Counts, negative: Counts) -> Counts:
    """Area under precision and recall of counts (..., bins), as the mean precision at each positive."""
    found = np.cumsum(positive[..., ::-1], axis=-1)
    said = found + np.cumsum(negative[..., ::-1], axis=-1)
    precision = found / np.maximum(said, 1.0)
    return np.asarray((positive[..., ::-1] * precision).sum(axis=-1) / positive.sum(axis=-1))


def draws(people: int) -> Counts:
    """How often each of `people` is in each of DRAWS bootstrap samples of people, (DRAWS, people)."""
    random = np.random.default_rng(SEED)
    return random.multinomial(people, np.full(people, 1.0 / people), size=DRAWS).astype(np.float64)


def bootstrap(of: Tally, figure: Callable[[Counts, Counts], Counts]) -> tuple[float, Counts]:
    """A figure of pooled counts, and the same of every bootstrap sample; NaN where it is not defined."""
    weights = draws(len(of.positive))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(figure(of.positive.sum(axis=0), of.negative.sum(axis=0)))
        return value, figure(weights @ of.positive, weights @ of.negative)


def interval(value: float, sampled: Counts) -> Interval | None:
    """A figure with the 2.5 and 97.5 % quantiles of its bootstrap samples; None where it is not defined."""
    if np.isnan(value):
        return None
    known = sampled[~np.isnan(sampled)]
    if len(known) < DRAWS // 2 or np.ptp(known) == 0.0:
        return Interval(value=round(value, DIGITS))
    low, high = np.quantile(known, (0.025, 0.975)).round(DIGITS).tolist()
    return Interval(value=round(value, DIGITS), low=low, high=high)


def window_figures(windows: Windows, threshold: float) -> WindowFigures:
    """All figures of a set of windows at a threshold; a set without any labelled window has none."""
    if not len(windows.label):
        return NO_FIGURES
    of = tally(windows, threshold)

    def told(figure: Callable[[Counts, Counts], Counts]) -> Interval | None:
        return interval(*bootstrap(of, figure))

    def recall(positive: Counts, _: Counts) -> Counts:
        return np.asarray(positive[..., of.said :].sum(axis=-1) / positive.sum(axis=-1))

    def specificity(_: Counts, negative: Counts) -> Counts:
        return np.asarray(negative[..., : of.said].sum(axis=-1) / negative.sum(axis=-1))

    def precision(positive: Counts, negative: Counts) -> Counts:
        found = positive[..., of.said :].sum(axis=-1)
        return np.asarray(found / (found + negative[..., of.said :].sum(axis=-1)))

    def f1(positive: Counts, negative: Counts) -> Counts:
        found = positive[..., of.said :].sum(axis=-1)
        return np.asarray(2.0 * found / (positive.sum(axis=-1) + found + negative[..., of.said :].sum(axis=-1)))

    has_both = 0 < int(windows.label.sum()) < len(windows.label)
    of_people = _aurocs(windows) if has_both else {}
    quiet = _specificities(windows, threshold)
    return WindowFigures(
        people=len(of.positive),
        windows=len(windows.label),
        positive=int(windows.label.sum()),
        auroc=told(auroc) if has_both else None,
        auprc=told(average_precision) if has_both else None,
        recall=told(recall),
        specificity=told(specificity),
        precision=told(precision) if has_both else None,
        f1=told(f1) if has_both else None,
        worst_auroc=_worst(of_people),
        median_auroc=round(float(np.median(list(of_people.values()))), DIGITS) if of_people else None,
        worst_specificity=_worst(quiet),
    )


def recall_at(windows: Windows, specificity: float) -> float:
    """The highest recall 0..1 that a score can have at no less than a specificity 0..1."""
    negative = np.sort(windows.score[~windows.label])
    allowed = len(negative) - int(np.ceil(specificity * len(negative)))
    threshold = negative[-1 - allowed] if allowed < len(negative) else -np.inf
    return round(float(np.mean(windows.score[windows.label] > threshold)), DIGITS)


def _aurocs(windows: Windows) -> dict[str, float]:
    """The AUROC of each person with enough windows of either label."""
    of_people = {}
    for person in np.unique(windows.person).tolist():
        own = windows.person == person
        positive = int(windows.label[own].sum())
        if min(positive, int(own.sum()) - positive) >= FEWEST_WINDOWS:
            of_people[person] = float(roc_auc_score(windows.label[own], windows.score[own]))
    return of_people


def _specificities(windows: Windows, threshold: float) -> dict[str, float]:
    """Of each person with enough windows without the risk, the share that is below the threshold."""
    of_people = {}
    for person in np.unique(windows.person).tolist():
        own = windows.score[(windows.person == person) & ~windows.label]
        if len(own) >= FEWEST_WINDOWS:
            of_people[person] = float(np.mean(own < threshold))
    return of_people


def _worst(of_people: dict[str, float]) -> OfPerson | None:
    if not of_people:
        return None
    person = min(of_people, key=lambda one: of_people[one])
    return OfPerson(person=person, value=round(of_people[person], DIGITS))
