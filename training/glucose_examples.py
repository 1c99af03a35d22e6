"""Training examples from glucose series, made worse as sensors make them: slow, patchy, noisy, and badly calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.signals.glucose import PACE_S, Belief, on_grid
from edge.signals.hypoglycaemia import FORECAST_MG_DL, LOW_MG_DL, STEPS_IN_A_ROW, model_inputs
from training.low_glucose import future, labels_of, least_ahead

# Between the series of two people, so that all can stand in one array: far more than any window.
APART_S: Final = 1e6
# Shares of the examples: as they are; from a sensor that tells every 15 minutes (FreeStyle Libre); with lost readings.
AS_THEY_ARE: Final = 0.5
SLOW: Final = 0.25
SLOW_PACE_S: Final = 900.0
# Of the readings up to so many are lost, and so many of the stretches of 40 minutes, as a body between sensor and
# receiver loses them.
LOST: Final = 0.3
LOST_STRETCHES: Final = 0.05
STRETCH_S: Final = 2400.0
# Of the examples with lost readings so many come from a sensor that has only just begun.
BEGUN: Final = 0.2
# A sensor's error against blood is 9 % in the mean (Dexcom G6: Wadwa et al., Diabetes Technol Ther 20, 2018), of which
# we let a third be calibration; the noise comes on top of its own.
CALIBRATION_SD: Final = 0.03
NOISE_MG_DL: Final = 0.3
# Glucose near 70 is where the risk is decided.
NEAR_MG_DL: Final = (60.0, 130.0)
NEAR_WEIGHT: Final = 2.0


def believed_series(
    times: NDArray[np.float64], mg_dl: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The readings that the edge believes, a series for each time that it began anew."""
    belief, series = Belief(), []
    for time, value in zip(times.tolist(), mg_dl.tolist(), strict=True):
        heard, values = belief.times, belief.mg_dl
        belief.hear(time, value)
        if belief.times is not heard:
            series.append((np.array(heard), np.array(values)))
    series.append((np.array(belief.times), np.array(belief.mg_dl)))
    return [one for one in series if len(one[0])]


class GlucoseExamples:
    """A sampler over the series of many people; a person of four times as many readings is drawn twice as often."""

    def __init__(self, people: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], *, length: int) -> None:
        self.length = length
        times, mg_dl, labels, weights, fast = [], [], [], [], []
        begin = 0.0
        for person in people:
            for series_times, series_mg_dl in believed_series(*person):
                times.append(series_times - series_times[0] + begin)
                begin = times[-1][-1] + APART_S
                mg_dl.append(series_mg_dl)
                labels.append(labels_of(series_times, series_mg_dl))
                near = (series_mg_dl >= NEAR_MG_DL[0]) & (series_mg_dl <= NEAR_MG_DL[1])
                weights.append(np.where(near, NEAR_WEIGHT, 1.0) / np.sqrt(len(person[0])))
                pace = float(np.median(np.diff(series_times))) if len(series_times) > 1 else PACE_S
                fast.append(np.full(len(series_times), pace < SLOW_PACE_S / 2.0))
        self._times, self._mg_dl = np.concatenate(times), np.concatenate(mg_dl)
        self._weights = np.where(np.concatenate(labels) >= 0, np.concatenate(weights), 0.0)
        self._least = least_ahead(self._times, self._mg_dl)
        self._fast = np.concatenate(fast)

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (count, length, channels) and targets (count, 1 + HORIZONS); see Sampler."""
        slow, lost = int(count * SLOW), int(count * (1.0 - AS_THEY_ARE - SLOW))
        parts = [
            self._some(count - slow - lost, np.ones(len(self._times), dtype=np.bool_), random),
            self._some(slow, self._slowed(random), random),
            self._some(lost, self._kept(random), random, begun=BEGUN),
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _slowed(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """Of fast sensors one reading of every SLOW_PACE_S."""
        turn = np.floor((self._times + random.uniform(0.0, SLOW_PACE_S)) / SLOW_PACE_S)
        return np.asarray(~self._fast | (np.diff(turn, prepend=-1.0) > 0.0), dtype=np.bool_)

    def _kept(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """What is left where readings, and stretches of them, are lost."""
        stretch = ((self._times + random.uniform(0.0, STRETCH_S)) / STRETCH_S).astype(np.int64)
        gone = random.random(stretch[-1] + 1) < LOST_STRETCHES
        return np.asarray((random.random(len(stretch)) >= random.uniform(0.0, LOST)) & ~gone[stretch], dtype=np.bool_)

    def _some(
        self, count: int, kept: NDArray[np.bool_], random: np.random.Generator, *, begun: float = 0.0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Examples that end with one of the `kept` readings and see no others; a share of them has `begun` lately."""
        places = np.flatnonzero(kept)
        times, mg_dl = self._times[places], self._mg_dl[places]
        odds = np.cumsum(self._weights[places])
        windows, chosen = np.empty((0, self.length)), np.empty(0, dtype=np.intp)
        while len(chosen) < count:
            # In order, because that is found faster.
            at = np.sort(random.uniform(0.0, odds[-1], count + count // 8 + 8))
            drawn = np.searchsorted(odds, at, side="right")
            values = on_grid(times, mg_dl, times[drawn], self.length)
            enough = ~np.isnan(values[:, -STEPS_IN_A_ROW:]).any(axis=1)
            windows = np.concatenate([windows, values[enough]])
            chosen = np.concatenate([chosen, places[drawn[enough]]])
        some = random.permutation(len(chosen))[:count]
        first = random.integers(0, self.length - STEPS_IN_A_ROW + 1, len(windows)) * (
            random.random(len(windows)) < begun
        )
        windows[np.arange(self.length) < first[:, np.newaxis]] = np.nan
        return self._worsened(windows[some], chosen[some], random)

    def _worsened(
        self, mg_dl: NDArray[np.float64], places: NDArray[np.intp], random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Windows (n, length) that end at `places` as a sensor with an error of calibration and noise tells them.

        What is ahead is told by the same sensor, and so is judged by its values.
        """
        factor = np.exp(random.normal(0.0, CALIBRATION_SD, (len(mg_dl), 1)))
        noise = np.abs(random.normal(0.0, NOISE_MG_DL, (len(mg_dl), 1)))
        seen = mg_dl * factor + noise * random.normal(size=mg_dl.shape)
        ahead = future(self._times, self._mg_dl, self._times[places]) * factor
        is_low = self._least[places] * factor[:, 0] < LOW_MG_DL
        changes = (ahead - seen[:, -1:]) / FORECAST_MG_DL
        return model_inputs(seen), np.column_stack([is_low, changes]).astype(np.float32)
