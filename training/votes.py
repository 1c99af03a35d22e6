"""Scores to episodes by a manifest's alert policy: the same decision as the daemon's, as one pure function."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edge.readings import Assessment
from edge.risks.manifest import AlertPolicy


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert that would have been given: begin of its evidence, when raised, when cleared (None: still open)."""

    since: float
    raised_at: float
    cleared_at: float | None


def episodes(assessments: Sequence[Assessment], policy: AlertPolicy) -> list[Episode]:
    """Decide over one person's assessments in the order of time."""
    found: list[Episode] = []
    recent: deque[Assessment] = deque(maxlen=policy.n)
    since: float | None = None
    raised_at: float | None = None
    for assessment in assessments:
        recent.append(assessment)
        fresh = [one for one in recent if one.score is not None and assessment.end - one.start <= policy.maximum_span_s]
        agreeing = [one.start for one in fresh if one.score is not None and one.score >= policy.threshold]
        denying = sum(1 for one in fresh if one.score is not None and one.score < policy.clear_threshold)
        if raised_at is None:
            since = (agreeing[0] if since is None else since) if len(agreeing) >= policy.k else None
            if since is not None and assessment.end - since >= policy.minimum_span_s:
                raised_at = assessment.end
        elif since is not None and denying >= policy.clear_k:
            found.append(Episode(since, raised_at, assessment.end))
            since, raised_at = None, None
    if since is not None and raised_at is not None:
        found.append(Episode(since, raised_at, None))
    return found
