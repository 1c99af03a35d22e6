"""Forecasts of glucose that no network makes: a straight line, and ARIMA(p,1,0)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.low_glucose import HORIZONS

# The line goes through a quarter of an hour, as the trend arrow of a sensor does.
LINE_STEPS: Final = 4
# Sparacino et al., "Glucose concentration can be predicted ahead in time from continuous glucose monitoring sensor
# time-series", IEEE Trans Biomed Eng 54, 2007, fit ARIMA and AR models of order 1 to 3 to such series.
ORDER: Final = 3
DAY_S: Final = 86_400.0


def line(mg_dl: NDArray[np.float64]) -> NDArray[np.float64]:
    """Forecasts (windows, HORIZONS) by the line of least squares through the last LINE_STEPS of (windows, length)."""
    steps = np.arange(LINE_STEPS) - (LINE_STEPS - 1) / 2.0
    last = mg_dl[:, -LINE_STEPS:]
    slope = last @ steps / (steps @ steps)
    ahead = np.arange(1, HORIZONS + 1)
    return np.asarray(last[:, -1:] + slope[:, np.newaxis] * ahead, dtype=np.float64)


def arima(begin: float, ends: NDArray[np.float64], mg_dl: NDArray[np.float64]) -> NDArray[np.float64]:
    """Forecasts (windows, HORIZONS) by ARIMA(ORDER,1,0) for windows of one person, `mg_dl` (windows, length) at `ends`.

    Its coefficients are those of conditional least squares (Box & Jenkins) over all windows that ended on earlier days
    and whose last ORDER + 1 changes are known; on the first day, the forecast is that nothing changes. `begin` is when
    the first day begins (s).
    """
    changes = np.diff(mg_dl[:, -ORDER - 2 :], axis=1)
    known = np.isfinite(changes).all(axis=1)
    rows, nexts = changes[:, ORDER - 1 :: -1], changes[:, -1]
    day = ((ends - begin) // DAY_S).astype(int)
    found = np.full((len(mg_dl), HORIZONS), np.nan)
    gram, moment = np.zeros((ORDER, ORDER)), np.zeros(ORDER)
    for today in np.unique(day):
        here = day == today
        weights = np.linalg.lstsq(gram, moment, rcond=None)[0]
        found[here] = _continue(mg_dl[here, -ORDER - 1 :], weights)
        learnt = here & known
        gram += rows[learnt].T @ rows[learnt]
        moment += rows[learnt].T @ nexts[learnt]
    return found


def _continue(last: NDArray[np.float64], weights: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Go on from the last values, (windows, ORDER + 1), by the weights of the last changes, the newest first."""
    now, changes = last[:, -1], np.diff(last, axis=1)[:, ::-1]
    found = []
    for _ in range(HORIZONS):
        change = changes @ weights
        now = now + change
        changes = np.column_stack([change, changes[:, :-1]])
        found.append(now)
    return np.column_stack(found)
