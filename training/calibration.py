"""From logits to probabilities, fitted on people who were not learnt from.

Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods", Advances
in Large Margin Classifiers, 1999; the two numbers are found by Newton's method as in Lin, Lin & Weng, "A note on
Platt's probabilistic outputs for support vector machines", Machine Learning 68, 2007.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.risks.manifest import Calibration
from training.evaluation import Bin

ROUNDS: Final = 100
SMALLEST_STEP: Final = 1e-8
BINS: Final = 10


def platt(logits: NDArray[np.float64], labels: NDArray[np.bool_]) -> Calibration:
    """The slope and offset that make logits (n,) probabilities; ModelError when the logits say the opposite."""
    positive = int(labels.sum())
    negative = len(labels) - positive
    target = np.where(labels, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))
    columns = np.stack((logits, np.ones_like(logits)))
    guess = np.array([1.0, np.log((positive + 1.0) / (negative + 1.0))])
    for _ in range(ROUNDS):
        score = _sigmoid(guess @ columns)
        slope = columns @ (target - score)
        curve = (columns * (score * (1.0 - score) + 1e-12)) @ columns.T
        step = np.linalg.solve(curve, slope)
        # Newton's step may go too far where the curve is flat: it is halved until the fit gets better.
        while _loss((guess + step) @ columns, target) > _loss(guess @ columns, target) and np.abs(step).max() > 1e-12:
            step /= 2.0
        guess = guess + step
        if np.abs(step).max() < SMALLEST_STEP:
            break
    if guess[0] <= 0.0:
        raise ModelError("says the opposite of the labels", where="the network", mend="fit it longer, or look at it")
    return Calibration(slope=round(float(guess[0]), 5), offset=round(float(guess[1]), 5))


def scores_of(calibration: Calibration, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores 0..1 of logits (n,); NaN stays NaN."""
    return _sigmoid(calibration.slope * logits + calibration.offset)


def reliability(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> list[Bin]:
    """How often windows of about the same score (n,) had the risk, in ten equal parts of 0 to 1."""
    bins = np.clip((scores * BINS).astype(int), 0, BINS - 1)
    return [
        Bin(
            score=round(float(scores[bins == place].mean()), 4),
            share=round(float(labels[bins == place].mean()), 4),
            windows=int((bins == place).sum()),
        )
        for place in range(BINS)
        if (bins == place).any()
    ]


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * values))


def _loss(logits: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float(np.sum(np.logaddexp(0.0, logits) - target * logits))
