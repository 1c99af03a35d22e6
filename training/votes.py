"""Scores to episodes by a manifest's alert policy: the daemon's own decision over a whole recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.alerts.episodes import Episodes, PersistenceRule
from edge.readings import Assessment
from edge.risks.manifest import AlertPolicy


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert that would have been given: begin of its evidence, when raised, when cleared (None: still open)."""

    since: float
    raised_at: float
    cleared_at: float | None


def episodes(
    assessments: Sequence[Assessment], policy: AlertPolicy, doubtful: Callable[[Assessment], bool] | None = None
) -> list[Episode]:
    """Decide over one person's assessments in the order of time; no episode begins with one that is `doubtful`."""
    engine = Episodes(PersistenceRule(**policy.model_dump(exclude={"severity"})), policy.severity)
    transitions = []
    for one in assessments:
        could_begin = engine.open_alert is None and one.score is not None and one.score >= policy.threshold
        held = could_begin and doubtful is not None and doubtful(one)
        alert = engine.weigh(one, waits=held)
        if alert is not None:
            transitions.append(alert)
    # Raised and cleared alternate; an episode that is still open at the end was raised only.
    ends = [*(alert.cleared_at for alert in transitions[1::2]), None]
    return [Episode(alert.since, alert.opened_at, end) for alert, end in zip(transitions[::2], ends, strict=False)]
