"""What the scores would have said to people: the choice of the alert policy, and how it does on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.risks.manifest import AlertPolicy
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import AFIB, RhythmRecord
from training.scores import ScoredRecord, pooled
from training.votes import Episode, episodes

MINIMUM_COVERAGE: Final = 0.8
# Our choice. Nine of ten windows, one every 30 beats, need 300 to 330 beats of fibrillation: at 50 bpm six to seven
# minutes, within the ten in which it is to be said. A tenth window may disagree, so that a burst of ectopic beats or
# lost contact does not silence an alert. At 150 bpm the same beats pass in two minutes, hence the least span in
# seconds: two minutes of fast irregular beats, with half a window of smear at both ends, say nothing.
K, N, CLEAR_K = 9, 10, 9
MINIMUM_SPAN_S: Final = 180.0
# Ten windows take 15 minutes at 22 bpm; what is older has passed.
MAXIMUM_SPAN_S: Final = 900.0
# Our choice: an open alert is only closed by scores well below those that opened it.
CLEAR_SHARE: Final = 0.5
# Thresholds that are tried, in steps of 1/20.
CANDIDATES: Final = np.arange(0.05, 1.0, 0.05)

# What is to be said within ten minutes: fibrillation of that length, where pauses under a minute do not end it.
SUSTAINED_S: Final = 600.0
PAUSE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """How a policy does: sustained episodes, those said in time, hours without any fibrillation, alerts in them."""

    people: int
    sustained: int
    said_in_time: int
    median_delay_s: float | None
    hours_without: float
    false_alerts: int


def policy_with(threshold: float) -> AlertPolicy:
    """Our policy at a threshold 0..1."""
    return AlertPolicy(
        threshold=round(threshold, 2),
        clear_threshold=round(threshold * CLEAR_SHARE, 3),
        k=K,
        n=N,
        clear_k=CLEAR_K,
        minimum_coverage=MINIMUM_COVERAGE,
        minimum_span_s=MINIMUM_SPAN_S,
        maximum_span_s=MAXIMUM_SPAN_S,
    )


def choose_policy(validation: Sequence[ScoredRecord]) -> AlertPolicy:
    """Of the thresholds that alert the fewest healthy validation people, the one that errs least."""
    labels, scores = pooled(validation, [one.as_int8 for one in validation])
    healthy = [one.assessments() for one in validation if one.labelled.record.corpus == NSR2DB.name]

    def worth(threshold: float) -> tuple[int, float]:
        policy = policy_with(threshold)
        alerted = sum(bool(episodes(one, policy)) for one in healthy)
        return -alerted, float(np.mean(scores[labels] >= threshold) + np.mean(scores[~labels] < threshold))

    return policy_with(max(CANDIDATES.tolist(), key=worth))


def alert_figures(records: Sequence[ScoredRecord], policy: AlertPolicy) -> AlertFigures:
    """Count over recordings what their people would have been told."""
    delays, sustained, false_alerts, without_s = [], 0, 0, 0.0
    for one in records:
        alerts = episodes(one.assessments(), policy)
        stretches = fibrillation(one.labelled.record)
        for begin, end in stretches:
            if end - begin >= SUSTAINED_S:
                sustained += 1
                delays += [max(0.0, alert.raised_at - begin) for alert in alerts if _overlaps(alert, begin, end)][:1]
        without_s += float(np.ptp(one.labelled.record.beats_s)) - sum(end - begin for begin, end in stretches)
        false_alerts += sum(not _is_true(alert, stretches) for alert in alerts)
    return AlertFigures(
        people=len(records),
        sustained=sustained,
        said_in_time=sum(delay <= SUSTAINED_S for delay in delays),
        median_delay_s=float(np.median(delays)) if delays else None,
        hours_without=without_s / 3600.0,
        false_alerts=false_alerts,
    )


def fibrillation(record: RhythmRecord) -> list[tuple[float, float]]:
    """Begin and end in s of each stretch of atrial fibrillation; pauses under PAUSE_S do not end one."""
    is_af = np.concatenate(([False], record.rhythm == AFIB, [False]))
    turns = np.flatnonzero(np.diff(is_af.astype(np.int8)))
    stretches: list[tuple[float, float]] = []
    for first, after in turns.reshape(-1, 2):
        begin, end = float(record.beats_s[first]), float(record.beats_s[after - 1])
        if stretches and begin - stretches[-1][1] < PAUSE_S:
            begin = stretches.pop()[0]
        stretches.append((begin, end))
    return stretches


def _overlaps(alert: Episode, begin: float, end: float) -> bool:
    """Whether an alert was open at any moment between begin and end."""
    return alert.raised_at <= end and (alert.cleared_at is None or alert.cleared_at >= begin)


def _is_true(alert: Episode, stretches: Sequence[tuple[float, float]]) -> bool:
    """Whether at least half of the time of an alert's evidence was atrial fibrillation."""
    within = sum(max(0.0, min(alert.raised_at, end) - max(alert.since, begin)) for begin, end in stretches)
    return within >= 0.5 * (alert.raised_at - alert.since)
