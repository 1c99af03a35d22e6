"""Lows in a glucose series: what is ahead of each reading, and which episodes an alert should have foretold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.signals.glucose import MAXIMUM_GAP_S, PACE_S, on_grid
from edge.signals.hypoglycaemia import LOW_MG_DL
from training.votes import Episode

HORIZON_S: Final = 1800.0
HORIZONS: Final = 6
# An episode of hypoglycaemia in sensor data: at least 15 minutes below 70 mg/dL, over when 15 or more are above it
# (Danne et al., Diabetes Care 40, 2017); ours ends only after 30 minutes above, so that one low is not counted twice.
LEAST_S: Final = 900.0
PAUSE_S: Final = 1800.0
# Stamps are some seconds early or late.
TOLERANCE_S: Final = 30.0
# An alert is false when no reading is below 70 in the hour after it; one that is open, or was raised in the hour before
# an episode, has told it. Our choice: as long as a person would remember it.
BELIEVED_S: Final = 3600.0
TOLD_AHEAD_S: Final = 900.0


def least_ahead(times: NDArray[np.float64], mg_dl: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lowest glucose from each reading, itself included, to HORIZON_S after it: (readings,)."""
    least = mg_dl.copy()
    for ahead in range(1, len(times)):
        near = times[ahead:] - times[:-ahead] <= HORIZON_S
        if not near.any():
            break
        least[:-ahead] = np.where(near, np.minimum(least[:-ahead], mg_dl[ahead:]), least[:-ahead])
    return least


def labels_of(times: NDArray[np.float64], mg_dl: NDArray[np.float64]) -> NDArray[np.int8]:
    """For each reading 1 if it or one within HORIZON_S after it is below LOW_MG_DL, 0 if none is, -1 if unknown.

    It is known where readings go on to HORIZON_S ahead with no gap of more than MAXIMUM_GAP_S.
    """
    gap_after = np.append(np.diff(times) > MAXIMUM_GAP_S, True)
    next_gap = np.append(times[gap_after], np.inf)[np.searchsorted(times[gap_after], times)]
    labels = np.where(next_gap >= times + HORIZON_S - PACE_S, 0, -1)
    return np.where(least_ahead(times, mg_dl) < LOW_MG_DL, 1, labels).astype(np.int8)


def future(times: NDArray[np.float64], mg_dl: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Glucose (mg/dL) PACE_S, 2 PACE_S, ... HORIZON_S after each of `ends`: (ends, HORIZONS), NaN where unknown."""
    # The grid goes on for MAXIMUM_GAP_S, so that a reading after the horizon can hold the line.
    after = int(np.ceil(MAXIMUM_GAP_S / PACE_S))
    length = 2 + HORIZONS + after
    return on_grid(times, mg_dl, ends + (HORIZONS + after) * PACE_S, length)[:, 2 : 2 + HORIZONS]


def lows(times: NDArray[np.float64], mg_dl: NDArray[np.float64]) -> NDArray[np.float64]:
    """Onsets (s) of the episodes of at least LEAST_S below 70 mg/dL, which pauses under PAUSE_S do not end."""
    below = mg_dl < LOW_MG_DL
    if not below.any():
        return np.empty(0)
    places = np.flatnonzero(below)
    # The pause lasts from the first reading that is not below to the next that is.
    pause = times[places[1:]] - times[np.minimum(places[:-1] + 1, len(times) - 1)]
    breaks = np.flatnonzero((np.diff(places) > 1) & (pause >= PAUSE_S - TOLERANCE_S))
    silent = np.flatnonzero(np.diff(times[places]) > PAUSE_S + MAXIMUM_GAP_S)
    breaks = np.union1d(breaks, silent)
    first, last = places[np.append(0, breaks + 1)], places[np.append(breaks, len(places) - 1)]
    lasts = times[last] - times[first] >= LEAST_S - TOLERANCE_S
    return np.asarray(times[first][lasts], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Foretold:
    """One person's episodes and alerts.

    `lead_s` is how long before each onset its alert was raised: 0 at the onset, -inf for an episode that nothing told
    until then; `told_late` is True where it was told within LEAST_S after the onset at the latest. `false_alerts` were
    followed by no reading below 70 mg/dL in BELIEVED_S; `open_s` is how long alerts were open within `span_s`.
    `all_clear_s` is, of each alert that was cleared and under which glucose was below 70 mg/dL, how long after it was
    back there; `low_again` is of all that were cleared how many were followed by a reading below it in BELIEVED_S.
    """

    lead_s: NDArray[np.float64]
    told_late: NDArray[np.bool_]
    alerts: int
    false_alerts: int
    open_s: float
    span_s: float
    all_clear_s: NDArray[np.float64]
    all_clears: int
    low_again: int


def foretold(times: NDArray[np.float64], mg_dl: NDArray[np.float64], alerts: Sequence[Episode]) -> Foretold:
    """Hold alerts against the readings of the same time."""
    onsets = lows(times, mg_dl)
    low_times = np.append(times[mg_dl < LOW_MG_DL], np.inf)
    raised = np.array([alert.raised_at for alert in alerts])
    cleared = np.array([np.inf if alert.cleared_at is None else alert.cleared_at for alert in alerts])
    lead = np.full(len(onsets), -np.inf)
    late = np.zeros(len(onsets), dtype=np.bool_)
    for place, onset in enumerate(onsets):
        before = np.flatnonzero((raised <= onset) & ((cleared >= onset) | (onset - raised <= BELIEVED_S)))
        if before.size:
            lead[place] = onset - raised[before[-1]]
        late[place] = before.size > 0 or bool(((raised > onset) & (raised <= onset + LEAST_S)).any())
    ended = cleared[np.isfinite(cleared)]
    next_low = low_times[np.searchsorted(low_times, raised, side="right")] if len(raised) else np.empty(0)
    return Foretold(
        lead_s=lead,
        told_late=late,
        alerts=len(alerts),
        false_alerts=int((next_low - raised > BELIEVED_S).sum()),
        open_s=float((np.minimum(cleared, times[-1]) - raised).sum()),
        span_s=float(np.minimum(np.diff(times), PAUSE_S).sum()),
        all_clear_s=_since_back(times, mg_dl, alerts),
        all_clears=len(ended),
        low_again=int((low_times[np.searchsorted(low_times, ended)] - ended <= BELIEVED_S).sum()),
    )


def _since_back(
    times: NDArray[np.float64], mg_dl: NDArray[np.float64], alerts: Sequence[Episode]
) -> NDArray[np.float64]:
    """Of each alert that told a low and was cleared, seconds from the first reading at 70 again to the all-clear."""
    found = []
    for alert in alerts:
        if alert.cleared_at is None:
            continue
        low = np.flatnonzero((times >= alert.raised_at) & (times < alert.cleared_at) & (mg_dl < LOW_MG_DL))
        if low.size and low[-1] + 1 < len(times):
            found.append(max(0.0, alert.cleared_at - times[low[-1] + 1]))
    return np.array(found, dtype=np.float64)
