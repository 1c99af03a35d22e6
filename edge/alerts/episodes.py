"""Assessments in, Alert transitions out: one episode is raised once and cleared once.

A risk is said only when `k` of the last `n` consecutive windows agree, and the episode ends only when `clear_k` of
them, or their mean for so long, say the opposite with a margin (hysteresis); in between nothing is said. A window
without enough data takes its place among the `n` and votes for neither: silence can delay an alert, never raise or
clear one. Why this k and n: each model's card.
"""

from __future__ import annotations

import math
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from edge.notices import Alert, AlertState, Severity
from edge.phrases import phrase
from edge.readings import Assessment, Explanation

# Votes that are kept: at 200 beats a minute a window of 30 new beats comes every 9 s, so this is a quarter of an hour.
LOOK_BACK: Final = 100
# Two Assessments that end within this time end with the same beat: none follows another sooner than 200 ms.
SAME_END_S: Final = 0.1
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:alert")


@dataclass(frozen=True, slots=True)
class PersistenceRule:
    """When windows agree: scores in 0..1, counts of windows, `maximum_span_s` in seconds.

    The windows that are looked at span at least `minimum_span_s`, more than `n` of them if need be, of which the same
    share must agree: windows of so many beats come faster from a fast heart, which is not to be judged any sooner.
    The mean score of those of them that have one is at least `minimum_mean`: many weak agreements are not a strong one.
    Evidence that began more than `maximum_span_s` before the newest window's end is stale and no longer counts. For
    `rearm_s` after an episode was raised no other is, even where that one was cleared meanwhile.

    What clears an episode began after it was raised. Where windows are far longer than what they tell, it would stand
    for hours after it is over: there `clear_span_s`, above 0, asks instead that the newest window denies it, and the
    mean of the last ones too: at least `clear_k` that span so long, ended after it was raised, and none of which ended
    more than `clear_gap_s` after the one before.
    """

    threshold: float
    clear_threshold: float
    k: int
    n: int
    clear_k: int
    minimum_coverage: float
    minimum_span_s: float
    maximum_span_s: float
    rearm_s: float = 0.0
    minimum_mean: float = 0.0
    clear_span_s: float = 0.0
    clear_gap_s: float = 0.0


def look_back(n: int) -> int:
    """How many Assessments a rule that looks at the last `n` can need: more than n where they come fast."""
    return max(LOOK_BACK, 2 * n)


@dataclass(frozen=True, slots=True)
class _Vote:
    start: float
    end: float
    score: float | None


class Episodes:
    """The episodes of one kind of alert for one person; pure.

    `past` are the newest stored Assessments, oldest first, and `open_alert` the stored open episode: with them a new
    process goes on where the old one stopped (`look_back` of them are always enough). Where the rule has a `rearm_s`,
    `raised_at` is when the newest stored episode was raised, even if it is over.
    """

    def __init__(
        self,
        rule: PersistenceRule,
        severity: Severity,
        *,
        past: Iterable[Assessment] = (),
        open_alert: Alert | None = None,
        raised_at: float | None = None,
    ) -> None:
        self.rule = rule
        self.open_alert = open_alert
        self._raised_at = -math.inf if raised_at is None else raised_at
        if open_alert is not None:
            self._raised_at = max(self._raised_at, open_alert.opened_at)
        self._severity = severity
        self._votes: deque[_Vote] = deque(maxlen=look_back(rule.n))
        self._last_end = -math.inf
        for assessment in past:
            self._count(assessment)

    def under(self, rule: PersistenceRule, severity: Severity) -> Episodes:
        """The same episodes, going on under another model's rule."""
        other = Episodes(rule, severity, open_alert=self.open_alert, raised_at=self._raised_at)
        other._votes.extend(self._votes)
        other._last_end = self._last_end
        return other

    def weigh(self, assessment: Assessment, *, waits: bool = False) -> Alert | None:
        """The Alert in its new state if this Assessment raises or clears an episode; Assessments come in time order.

        None is raised while it `waits` for another alert that says the same (see alerts.overlap).
        """
        if not self._count(assessment):
            return None
        if self.open_alert is None:
            return None if waits else self._raise(assessment)
        return self._clear(assessment)

    def _count(self, assessment: Assessment) -> bool:
        """Take a vote in; one that ends with the last one was counted before."""
        if abs(assessment.end - self._last_end) < SAME_END_S:
            return False
        if assessment.end < self._last_end:
            # The clock was set back: what was counted or raised is of another time.
            self._votes.clear()
            self._raised_at = -math.inf
        self._last_end = assessment.end
        enough = assessment.coverage >= self.rule.minimum_coverage
        self._votes.append(_Vote(assessment.start, assessment.end, assessment.score if enough else None))
        while self._votes and self._is_spent(assessment.end):
            self._votes.popleft()
        return True

    def _is_spent(self, end: float) -> bool:
        """Whether the oldest vote is no longer looked at: it is stale, or those after it are enough without it.

        Where an episode ends after so long without a sign, all that are not stale may be needed for that.
        """
        if end - self._votes[0].start > self.rule.maximum_span_s:
            return True
        return self.rule.clear_span_s == 0.0 and self._enough_to_raise(list(self._votes)[1:], end)

    def _enough_to_raise(self, votes: list[_Vote], end: float) -> bool:
        return len(votes) >= self.rule.n and end - votes[0].start >= self.rule.minimum_span_s

    def _raise(self, assessment: Assessment) -> Alert | None:
        votes = list(self._votes)
        while self._enough_to_raise(votes[1:], assessment.end):
            del votes[0]
        agreeing = [v for v in votes if v.score is not None and v.score >= self.rule.threshold]
        needed = max(self.rule.k, math.ceil(len(votes) * self.rule.k / self.rule.n))
        if len(agreeing) < needed or agreeing[-1].end != assessment.end:
            return None
        if assessment.end - agreeing[0].start < self.rule.minimum_span_s:
            return None
        scores = [v.score for v in votes if v.score is not None]
        if sum(scores) < self.rule.minimum_mean * len(scores):
            return None
        # A stored time from before the clock was set back may lie ahead: it holds nothing up.
        if 0.0 <= assessment.end - self._raised_at < self.rule.rearm_s:
            return None
        name = f"{assessment.person}/{assessment.risk}/{assessment.end!r}"
        self.open_alert = Alert(
            id=str(uuid.uuid5(_NAMESPACE, name)),
            person=assessment.person,
            kind=assessment.risk.value,
            severity=self._severity,
            state=AlertState.RAISED,
            since=agreeing[0].start,
            opened_at=assessment.end,
            cleared_at=None,
            explanation=assessment.explanation
            or Explanation(phrase("{count} of {all} windows agreed.", count=len(agreeing), all=self.rule.n)),
        )
        self._raised_at = assessment.end
        return self.open_alert

    def _clear(self, assessment: Assessment) -> Alert | None:
        opened = self.open_alert
        assert opened is not None  # noqa: S101 -- see weigh
        # A stored time from before the clock was set back may lie ahead: it holds nothing up.
        since = opened.opened_at if opened.opened_at <= assessment.end else -math.inf
        rule = self.rule
        if rule.clear_span_s > 0.0:
            last = self._stretch_since(since)
            is_over = bool(last) and max(fmean(last), last[-1]) < rule.clear_threshold
            calm, looked_at = sum(score < rule.clear_threshold for score in last), len(last)
        else:
            denying = [vote for vote in list(self._votes)[-rule.n :] if self._denies(vote)]
            is_over = len(denying) >= rule.clear_k and denying[0].start >= since
            calm, looked_at = len(denying), rule.n
        if not is_over:
            return None
        self.open_alert = None
        return replace(
            opened,
            state=AlertState.CLEARED,
            cleared_at=assessment.end,
            explanation=Explanation(
                phrase(
                    "{count} of the last {all} windows showed no sign of it any more.",
                    count=calm,
                    all=looked_at,
                )
            ),
        )

    def _denies(self, vote: _Vote) -> bool:
        return vote.score is not None and vote.score < self.rule.clear_threshold

    def _stretch_since(self, since: float) -> list[float]:
        """Scores of the last votes whose mean may end an episode raised at `since`, oldest first; [] if too few."""
        ends: list[float] = []
        scores: list[float] = []
        for vote in reversed(self._votes):
            if vote.score is None and ends:
                continue
            if vote.score is None or vote.end <= since or (ends and ends[0] - vote.end > self.rule.clear_gap_s):
                break
            ends.insert(0, vote.end)
            scores.insert(0, vote.score)
            if len(ends) >= self.rule.clear_k and ends[-1] - ends[0] >= self.rule.clear_span_s:
                return scores
        return []
