"""What the sleep apnoea model sees of a Window of RR intervals, and how its finding is put into words.

When the breath stops the heart slows, and when it starts again the heart speeds up: the cyclical variation of heart
rate, a swing every 20 to 100 s (Guilleminault et al., "Cyclical variation of the heart rate in sleep apnoea syndrome",
Lancet 1984; Penzel et al., "Systematic comparison of different algorithms for apnoea detection based on
electrocardiogram recordings", Med Biol Eng Comput 40, 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.phrases import phrase
from edge.readings import Channel, Explanation, Risk, Window
from edge.signals.heart_minutes import STEP_S, HeartMinutes

CHANNEL: Final = Channel.RR_INTERVAL
CHANNELS: Final = 6
# The last minute is the one that is judged.
MINUTE_STEPS: Final = round(60.0 / STEP_S)
# A swing takes up to 100 s, so three minutes of beats are the least that can show one; and half of the minute that is
# judged must be known. Our choice.
LEAST_KNOWN_S: Final = 180.0
LEAST_OF_MINUTE: Final = 0.5
# A step without a good beat takes the value of the one before it, up to three steps (6 s) long. Our choice.
HELD_STEPS: Final = 3
# The slow course of the heart rate is its mean over two minutes around; what is left are swings. Our choice: 100 s, the
# longest swing, and a little more.
SLOW_STEPS: Final = 30
# Scales of the channels, our choice: of the training windows' values 1 % or fewer lie outside.
RATE_REACH: Final = 0.4
SWING_REACH: Final = 0.12
SWING_SPREADS: Final = 8.0
SMALLEST_SPREAD: Final = 1e-3
CHANGE_FLOOR: Final = 0.002
CHANGE_REACH: Final = 2.0
CHANGE_MIDDLE: Final = -4.0
CHANGE_SPAN: Final = 2.5
# The stretch at the end of a Window that is put into words, and the swings in it: periods of 20 to 100 s, see above.
TOLD_STEPS: Final = round(600.0 / STEP_S)
SWING_HZ: Final = (0.01, 0.05)


def windows(person: str, *, length: int, step: int, last_end: float | None = None) -> HeartMinutes:
    """A builder of Windows of `length` steps of STEP_S, one every `step` steps; see HeartMinutes."""
    return HeartMinutes(person, Risk.SLEEP_APNOEA, length=length, step=step, last_end=last_end)


def shortage(window: Window, *, length: int, minimum_coverage: float) -> str | None:
    """Why the Window cannot be judged, None when it can."""
    known = ~window.marks
    minute = float(known[-MINUTE_STEPS:].mean())
    if minute < LEAST_OF_MINUTE:
        return f"good heartbeats cover only {minute:.0%} of the minute; {LEAST_OF_MINUTE:.0%} are needed"
    seconds = float(known.sum()) * STEP_S
    if seconds < LEAST_KNOWN_S:
        return f"only {seconds:.0f} s of good heartbeats so far; {LEAST_KNOWN_S:.0f} s are needed"
    if window.coverage < minimum_coverage:
        span = length * STEP_S / 60.0
        return f"good heartbeats cover only {window.coverage:.0%} of the last {span:.0f} minutes"
    return None


def model_input(window: Window) -> NDArray[np.float32]:
    """The model's input for a Window that can be judged: shape (1, length, CHANNELS), within -1 to 1."""
    return model_inputs(window.values[np.newaxis])


def model_inputs(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same for the values of many Windows, (windows, length, 2) in ms, see HeartMinutes.

    Channels 0 to 2 are the heart rate: its distance from the window's median, as a share of it; its swing around the
    mean of two minutes; and that swing in units of its own median size in the window. Channels 3 and 4 are the change
    from beat to beat as a share of the RR interval, as a logarithm: from the window's median, and in itself; the breath
    makes it. Channel 5 is 1 where the heart rate is known. Steps at which it is not are all zeros and say nothing.
    """
    # Both columns at once: for a single window most of the time goes into calls, not into numbers.
    count = len(values)
    held = _held(np.concatenate((values[..., 0], values[..., 1])))
    rr_ms, change = held[:count], held[count:]
    known = ~np.isnan(rr_ms)
    np.log(change / rr_ms + CHANGE_FLOOR, out=change)
    medians = _median(held)
    with np.errstate(invalid="ignore"):
        rate = np.where(known, medians[:count] / rr_ms - 1.0, 0.0)
    swing = np.where(known, rate - _slow(rate, known), 0.0)
    spread = np.maximum(_median(np.where(known, np.abs(swing), np.nan)), SMALLEST_SPREAD)
    found = np.empty((*rr_ms.shape, CHANNELS), dtype=np.float32)
    found[..., 0] = rate / RATE_REACH
    found[..., 1] = swing / SWING_REACH
    found[..., 2] = swing / (SWING_SPREADS * spread)
    found[..., 3] = (change - medians[count:]) / CHANGE_REACH
    found[..., 4] = (change - CHANGE_MIDDLE) / CHANGE_SPAN
    found[..., 5] = known
    found[np.isnan(found)] = 0.0
    return np.minimum(np.maximum(found, -1.0, out=found), 1.0, out=found)


def step_times(window: Window) -> NDArray[np.float64]:
    """The times between which each step of the model's input lies, (length + 1,)."""
    return window.end - STEP_S * np.arange(len(window.values), -1, -1.0)


def explain(window: Window, usual: Mapping[str, float], part: tuple[float, float] | None) -> Explanation:
    """Why a Window speaks for apnoea; `usual` are the medians of the same numbers in minutes without it."""
    numbers = plain_numbers(window)
    sentence = phrase(
        "The heart rate, around {heart_rate:.0f}, swung by {swing:.0f} beats a minute about every {period:.0f} seconds "
        "({usual:.0f} are common).",
        heart_rate=numbers["heart_rate_bpm"],
        swing=numbers["swing_bpm"],
        period=numbers["swing_s"],
        usual=usual["swing_bpm"],
    )
    return Explanation(sentence, numbers, part)


def plain_numbers(window: Window) -> dict[str, float]:
    """Three figures of the last ten minutes of a Window that can be judged.

    `swing_bpm`: how far the heart rate goes up and down around its slow course: from its 10th to its 90th percentile,
    beats a minute (our choice). `swing_s`: the period, 20 to 100 s, at which it does so most. `heart_rate_bpm`: median.
    """
    swing_bpm, swing_s, heart_rate = swings(window.values[np.newaxis])[0].tolist()
    return {"swing_bpm": swing_bpm, "swing_s": swing_s, "heart_rate_bpm": heart_rate}


def swings(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """plain_numbers of many Windows, (windows, length, 2): (windows, 3); NaN where nothing is known."""
    rate = 60_000.0 / _held(values[:, -TOLD_STEPS:, 0])
    known = ~np.isnan(rate)
    filled = np.where(known, rate, 0.0)
    swing = np.where(known, filled - _slow(filled, known), np.nan)
    ordered = np.sort(swing, axis=1)
    count, rows = known.sum(axis=1), np.arange(len(rate))
    low = ordered[rows, (0.1 * np.maximum(count - 1, 0)).astype(np.intp)]
    high = ordered[rows, (0.9 * np.maximum(count - 1, 0)).astype(np.intp)]
    hertz = np.fft.rfftfreq(rate.shape[1], STEP_S)
    slow = (hertz >= SWING_HZ[0]) & (hertz <= SWING_HZ[1])
    power = np.abs(np.fft.rfft(np.nan_to_num(swing), axis=1)[:, slow]) ** 2
    period = 1.0 / hertz[slow][np.argmax(power, axis=1)]
    return np.column_stack((high - low, period, _median(rate)[:, 0]))


def _held(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of steps, (windows, length), where NaN takes the value before it, at most HELD_STEPS long."""
    place = np.arange(values.shape[1])
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, place), axis=1)
    held = values[np.arange(len(values))[:, np.newaxis], last]
    held[(last < 0) | (place - last > HELD_STEPS)] = np.nan
    return np.asarray(held)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower median of what is not NaN in each row, (windows, 1); NaN where all is."""
    middle = np.maximum(np.count_nonzero(values == values, axis=1) - 1, 0) // 2  # noqa: PLR0124  NaN is not itself
    return np.asarray(np.sort(values, axis=1)[np.arange(len(values)), middle][:, np.newaxis])


def _slow(rate: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean of the known steps within SLOW_STEPS of each; `rate` is 0 where not known."""
    first, after = _around(rate.shape[1])
    sums = np.zeros((2, len(rate), rate.shape[1] + 1))
    np.cumsum(rate, axis=1, out=sums[0, :, 1:])
    np.cumsum(known, axis=1, out=sums[1, :, 1:])
    total, count = sums.take(after, axis=2) - sums.take(first, axis=2)
    return np.asarray(total / np.maximum(count, 1.0))


@cache
def _around(length: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each of `length` steps the first one within SLOW_STEPS of it, and the one after the last."""
    place = np.arange(length)
    return np.maximum(place - SLOW_STEPS, 0), np.minimum(place + SLOW_STEPS + 1, length)
