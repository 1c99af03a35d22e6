"""What the models thought of a person in an hour, in a few numbers per risk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Final

import numpy as np

from cloud_sync.messages.bodies import RiskFigures
from edge.readings import Assessment

# A reason tells its numbers, which differ from window to window: told without, those of one kind count together.
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
# Scores are told to so many digits: far finer than any threshold. Our choice.
_DIGITS: Final = 3
_COVERAGE_DIGITS: Final = 2


def assessed_hour(assessments: Iterable[Assessment]) -> dict[str, RiskFigures]:
    """By risk, how many windows there were, how many without enough data and why, and how the scores lay.

    `assessments` are in the order of their risks. Percentiles are interpolated linearly (type 7 of Hyndman and Fan,
    The American Statistician 50(4), 1996).
    """
    return {risk.value: _figures(list(those)) for risk, those in groupby(assessments, key=lambda one: one.risk)}


def _figures(assessments: list[Assessment]) -> RiskFigures:
    scores = [one.score for one in assessments if one.score is not None]
    quantiles: list[float | None] = [None, None, None]
    if scores:
        quantiles = [round(float(score), _DIGITS) for score in np.percentile(scores, (5.0, 50.0, 95.0))]
    reasons = Counter(_NUMBER.sub("#", one.reason or "not known") for one in assessments if one.score is None)
    return RiskFigures(
        windows=len(assessments),
        assessed=len(scores),
        without=dict(reasons),
        coverage=round(min(1.0, sum(one.coverage for one in assessments) / len(assessments)), _COVERAGE_DIGITS),
        p5=quantiles[0],
        p50=quantiles[1],
        p95=quantiles[2],
        max=round(max(scores), _DIGITS) if scores else None,
        models=sorted({one.model for one in assessments}),
    )
