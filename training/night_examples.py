"""Draws minutes of nights to learn from, each night troubled anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.signals import sleep_apnoea
from edge.signals.heart_minutes import STEP_S, faulty, steps
from training.corpora.nights import NightRecord
from training.night_faults import trouble

# A night is troubled and cut into steps once for so many of its minutes. Our choice: several dozen nights make a draw.
MINUTES_AT_ONCE: Final = 128
TROUBLED: Final = 0.6


class NightExamples:
    """Draws minutes evenly from all labelled minutes of the nights, by the night."""

    def __init__(self, nights: Sequence[NightRecord], *, length: int) -> None:
        self._nights = nights
        self._length = length
        self._share = np.array([np.sum(one.apnoea >= 0) for one in nights], dtype=np.float64)
        self._share /= self._share.sum()

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (count, length, channels) and targets (count, 1), 1 for a minute with apnoea."""
        inputs = np.empty((count, self._length, sleep_apnoea.CHANNELS), dtype=np.float32)
        targets = np.empty((count, 1), dtype=np.float32)
        for first in range(0, count, MINUTES_AT_ONCE):
            after = min(first + MINUTES_AT_ONCE, count)
            night = self._nights[random.choice(len(self._nights), p=self._share)]
            minutes = random.choice(np.flatnonzero(night.apnoea >= 0), after - first)
            inputs[first:after] = sleep_apnoea.model_inputs(self._values(night, minutes, random))
            targets[first:after, 0] = night.apnoea[minutes]
        return inputs, targets

    def _values(
        self, night: NightRecord, minutes: NDArray[np.intp], random: np.random.Generator
    ) -> NDArray[np.float64]:
        """The values of the Windows that end with these minutes, (minutes, length, 2), see HeartMinutes."""
        times, rr_ms = night.times, night.rr_ms
        if random.random() < TROUBLED:
            times, rr_ms = trouble(times, rr_ms, random)
        of_minute, end = round(60.0 / STEP_S), 60.0 * len(night.apnoea)
        whole = steps(times, rr_ms, faulty(rr_ms), end=end, length=of_minute * len(night.apnoea))
        padded = np.concatenate((np.full((self._length, 2), np.nan), whole))
        ends = of_minute * (minutes + 1)
        return np.asarray(padded[ends[:, np.newaxis] + np.arange(self._length)])
