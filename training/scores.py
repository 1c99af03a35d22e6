"""Every window of a recording, scored by the float and the int8 network through the daemon's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.readings import Assessment
from edge.risks.interpreter import Network
from edge.signals.atrial_fibrillation import model_input
from training.labels import LabelledWindows

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRecord:
    """One recording's windows with their scores 0..1, NaN where a window holds too little to be judged."""

    part: str
    labelled: LabelledWindows
    minimum_coverage: float
    as_float: Scores
    as_int8: Scores

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which windows a figure may be made of."""
        return self.labelled.scored(self.minimum_coverage)

    def assessments(self) -> list[Assessment]:
        """The int8 network's assessments, as the daemon would make them."""
        return [
            Assessment(
                person=window.person,
                risk=window.risk,
                start=window.start,
                end=window.end,
                score=None if np.isnan(score) else float(score),
                reason="not enough data" if np.isnan(score) else None,
                model="",
                coverage=window.coverage,
            )
            for window, score in zip(self.labelled.windows, self.as_int8, strict=True)
        ]


def score_record(
    labelled: LabelledWindows, part: str, *, minimum_coverage: float, as_float: Network, as_int8: Network
) -> ScoredRecord:
    """Score the windows that are complete and covered well enough."""
    scores = np.full((2, len(labelled.windows)), np.nan)
    for place, window in enumerate(labelled.windows):
        if labelled.complete[place] and window.coverage >= minimum_coverage:
            values = model_input(window)
            scores[:, place] = as_float.run(values)[0, 0], as_int8.run(values)[0, 0]
    return ScoredRecord(part, labelled, minimum_coverage, scores[0], scores[1])


def pooled(records: Sequence[ScoredRecord], scores: Sequence[Scores]) -> tuple[NDArray[np.bool_], Scores]:
    """Labels and scores of all counted windows of all recordings; `scores` are one array for each recording."""
    labels = np.concatenate([one.labelled.is_af[one.counted] for one in records])
    return labels, np.concatenate([values[one.counted] for one, values in zip(records, scores, strict=True)])
