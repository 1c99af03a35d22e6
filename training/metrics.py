"""The figures of a model: of each the float and the int8 value, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.scores import ScoredRecord, Scores, pooled

Figures = dict[str, dict[str, float]]
# A person's own AUROC is only told when they have this many windows of either rhythm: a handful at the begin or end of
# an episode says more about the label than about the model.
FEWEST_WINDOWS: Final = 20


def detection(records: Sequence[ScoredRecord], threshold: float) -> Figures:
    """AUROC pooled over people, the worst and the median person's, and sensitivity and specificity at a threshold."""
    return _both(records, lambda scores: _detection(records, scores, threshold))


def specificity(records: Sequence[ScoredRecord], threshold: float) -> Figures:
    """Of people without fibrillation, the share of windows below the threshold, pooled and in the worst person."""
    return _both(records, lambda scores: _specificity(records, scores, threshold))


def with_flutter(records: Sequence[ScoredRecord], threshold: float, *, excluded: bool) -> Figures:
    """Figures where windows with atrial flutter are left out, or (not `excluded`) count as no fibrillation."""

    def of(scores: Sequence[Scores]) -> dict[str, float]:
        kept = [one.counted & ((one.labelled.flutter == 0.0) | (not excluded)) for one in records]
        labels = np.concatenate([one.labelled.is_af[keep] for one, keep in zip(records, kept, strict=True)])
        values = np.concatenate([score[keep] for score, keep in zip(scores, kept, strict=True)])
        return {"auroc": float(roc_auc_score(labels, values))} | _shares(labels, values, threshold)

    return _both(records, of)


def peer_auroc(records: Sequence[ScoredRecord], peer: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
    """Pooled AUROC of another score on the very same windows; `peer` takes RR intervals (windows, beats) in ms."""
    scores = []
    for one in records:
        values = np.full(len(one.counted), np.nan)
        for place in np.array_split(np.flatnonzero(one.counted), 1 + len(values) // 500):
            if len(place):
                values[place] = peer(np.stack([one.labelled.windows[each].values for each in place]))
        scores.append(values)
    return float(roc_auc_score(*pooled(records, scores)))


def _both(records: Sequence[ScoredRecord], figures: Callable[[Sequence[Scores]], dict[str, float]]) -> Figures:
    of_float = figures([one.as_float for one in records])
    of_int8 = figures([one.as_int8 for one in records])
    return {name: {"float": of_float[name], "int8": of_int8[name]} for name in of_float}


def _detection(records: Sequence[ScoredRecord], scores: Sequence[Scores], threshold: float) -> dict[str, float]:
    labels, values = pooled(records, scores)
    of_people = []
    for one, score in zip(records, scores, strict=True):
        own = one.labelled.is_af[one.counted]
        if min(np.count_nonzero(own), np.count_nonzero(~own)) >= FEWEST_WINDOWS:
            of_people.append(float(roc_auc_score(own, score[one.counted])))
    figures = {"auroc": float(roc_auc_score(labels, values))}
    if of_people:
        figures |= {"auroc_worst_person": min(of_people), "auroc_median_person": float(np.median(of_people))}
    return figures | _shares(labels, values, threshold)


def _specificity(records: Sequence[ScoredRecord], scores: Sequence[Scores], threshold: float) -> dict[str, float]:
    of_people = [float(np.mean(score[one.counted] < threshold)) for one, score in zip(records, scores, strict=True)]
    _, values = pooled(records, scores)
    return {"specificity": float(np.mean(values < threshold)), "specificity_worst_person": min(of_people)}


def _shares(labels: NDArray[np.bool_], values: Scores, threshold: float) -> dict[str, float]:
    """Share of AF windows at or above the threshold, and of the others below it."""
    return {
        "sensitivity": float(np.mean(values[labels] >= threshold)),
        "specificity": float(np.mean(values[~labels] < threshold)),
    }
