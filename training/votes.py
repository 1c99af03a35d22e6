"""Scores to episodes by a manifest's alert policy: the daemon's decision, as one pure function over a recording."""

from __future__ import annotations

import math
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
    recent: deque[Assessment] = deque()
    begun: tuple[float, float] | None = None
    for newest in assessments:
        recent.append(newest)
        while _is_spent(recent, policy):
            recent.popleft()
        if begun is None:
            since = _raised_since(recent, policy)
            begun = None if since is None else (since, newest.end)
        elif _is_cleared(recent, policy, raised_at=begun[1]):
            found.append(Episode(*begun, newest.end))
            begun = None
    return found if begun is None else [*found, Episode(*begun, None)]


def _is_spent(recent: deque[Assessment], policy: AlertPolicy) -> bool:
    """Whether the oldest assessment is stale, or those after it are enough without it."""
    end = recent[-1].end
    if end - recent[0].start > policy.maximum_span_s:
        return True
    return len(recent) > policy.n and end - recent[1].start >= policy.minimum_span_s


def _raised_since(recent: deque[Assessment], policy: AlertPolicy) -> float | None:
    """When the evidence for raising began, None when there is not enough of it."""
    agreeing = [one for one in recent if one.score is not None and one.score >= policy.threshold]
    needed = max(policy.k, math.ceil(len(recent) * policy.k / policy.n))
    if len(agreeing) < needed or agreeing[-1] is not recent[-1]:
        return None
    return agreeing[0].start if recent[-1].end - agreeing[0].start >= policy.minimum_span_s else None


def _is_cleared(recent: deque[Assessment], policy: AlertPolicy, *, raised_at: float) -> bool:
    """Whether enough of the last n deny it, all of them since it was raised."""
    calm = [one for one in list(recent)[-policy.n :] if one.score is not None and one.score < policy.clear_threshold]
    return len(calm) >= policy.clear_k and calm[0].start >= raised_at
