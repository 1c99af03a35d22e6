"""What the fall model sees of a Window, and how its finding is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.phrases import phrase
from edge.readings import Channel, Explanation, Risk, Window
from edge.signals.acceleration import RATE_HZ
from edge.signals.impacts import BLOW_MG, LOWEST_HZ, ImpactWindows

CHANNEL: Final = Channel.ACCELERATION
CHANNELS: Final = 8
# Accelerations are compressed as log(1 + 4 |g|), because a turn in bed and a blow of 15 g must both fit into int8. Our
# choice: the first tenth of a g takes up as much of the range as the last 4 g of the 16 that sensors measure.
COMPRESSION: Final = 4.0
FULL_SCALE: Final = float(np.log1p(COMPRESSION * 15.0))
# The posture is the direction of the mean over a second, to which a vector adds 2 g at most, so that a blow does not
# pass for a posture. The posture before ends half a second before the blow, the one after begins a second after it.
# Our choice.
POSTURE_STEPS: Final = RATE_HZ
POSTURE_LIMIT_G: Final = 2.0
BEFORE_BLOW_STEPS: Final = RATE_HZ // 2
AFTER_BLOW_STEPS: Final = RATE_HZ
# Without a blow there must be some movement: a watch on a table and a sleeper show the same. Our choice: the vector
# strays by 5 to 20 mg in those and by more than 100 mg in people who walk (measured in SisFall and UMAFall).
MOVEMENT_MG: Final = 50.0
# At rest a sensor feels 1 g, and the median of one that is worn stays near it even in a run. Our choice.
GRAVITY_G: Final = (0.5, 2.0)
# A sensor that is at its limit for so much of the time is stuck, or its range is too small. Our choice.
MOST_AT_LIMIT: Final = 0.5
STILL_S: Final = 1.5
# Times in seconds since 1970 are rounded so that a mean over a step of what is constant strays by a hundredth of a mg.
SAME_MG: Final = 0.1


def windows(person: str, *, length: int, step: int, last_end: float | None = None) -> ImpactWindows:
    """A builder of Windows of `length` steps around every blow, and every `step` steps where there is none."""
    return ImpactWindows(person, Risk.FALL, length=length, step=step, last_end=last_end)


def shortage(window: Window, *, length: int, minimum_coverage: float) -> str | None:
    """Why a Window cannot be judged, None when it can."""
    seconds = window.end - window.start
    if len(window.values) != length:
        return f"no usable samples for {seconds:.0f} s"
    if window.coverage < minimum_coverage:
        return (
            f"samples cover {window.coverage:.0%} of {seconds:.0f} s at {LOWEST_HZ:.0f} or more a second, "
            f"and {minimum_coverage:.0%} are needed"
        )
    return _fault(window.values[~window.marks])


def _fault(mg: NDArray[np.float64]) -> str | None:
    """Why samples (samples, 3) in mg that are there cannot be judged, None when they can."""
    axes = np.ascontiguousarray(mg.T)
    highest, lowest = axes.max(axis=1), axes.min(axis=1)
    if (highest - lowest).max() < SAME_MG:
        return "the sensor is stuck: all samples are the same"
    largest = max(float(highest.max()), -float(lowest.min()))
    if largest >= BLOW_MG:
        at_limit = float(np.count_nonzero(np.abs(axes).max(axis=0) > 0.999 * largest)) / len(mg)
        if at_limit > MOST_AT_LIMIT:
            return f"the sensor is at its limit of {largest / 1000.0:.1f} g for {at_limit:.0%} of the time"
    size = _size(axes)
    middle = (len(size) - 1) // 2
    ordered = np.partition(size, (middle, len(size) // 2))
    median_g = float(ordered[middle] + ordered[len(size) // 2]) / 2000.0
    if not GRAVITY_G[0] <= median_g <= GRAVITY_G[1]:
        return f"the sensor shows {median_g:.2f} g where it must show about 1 g, so it is faulty"
    if size.max() < BLOW_MG and _stray(mg) < MOVEMENT_MG:
        return "no movement to judge: lying or sitting still, or not worn"
    return None


def model_input(window: Window) -> NDArray[np.float32]:
    """The model's input for a Window that can be judged: shape (1, length, CHANNELS), within -1 to 1."""
    return model_inputs(window.values[np.newaxis], window.marks[np.newaxis])


def model_inputs(mg: NDArray[np.float64], marks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The same for many windows of shape (windows, length, 3) in mg: shape (windows, length, CHANNELS).

    No channel depends on how the sensor is turned on the body. They are: how far the vector's length is from 1 g; its
    change from the step before; the angle (1 is 180 degrees) of the present posture to the one before the blow, and to
    the one after; the acceleration along the present posture beyond 1 g, and across it; the same for the posture before
    the blow. A marked step is all zeros.
    """
    # Axes first: sums over three rows of many numbers take a tenth of the time of sums over many rows of three.
    v = np.ascontiguousarray(np.moveaxis(mg, -1, 0)) / 1000.0
    gaps = marks.any()
    if gaps:
        v[:, marks] = 0.0
    size = _size(v)
    change = np.zeros_like(size)
    change[:, 1:] = _size(v[..., 1:] - v[..., :-1])
    if gaps:
        change[:, 1:][marks[:, 1:] | marks[:, :-1]] = 0.0
    limited = _limited(v, size)
    blow = mg.shape[1] // 2
    present = _direction(_moving_sum(limited))
    before = _direction(limited[..., : blow - BEFORE_BLOW_STEPS].sum(axis=-1))[..., np.newaxis]
    after = _direction(limited[..., blow + AFTER_BLOW_STEPS :].sum(axis=-1))[..., np.newaxis]
    found = np.empty((CHANNELS, *size.shape))
    found[0], found[1] = size - 1.0, change
    found[2], found[3] = _angle(present, before), _angle(present, after)
    for place, posture in ((4, present), (6, before)):
        along = (v * posture).sum(axis=0)
        found[place], found[place + 1] = along - 1.0, _size(v - along * posture)
    for part in (found[:2], found[4:]):
        part[:] = _compressed(part)
    inputs = np.ascontiguousarray(np.moveaxis(found, 0, -1), dtype=np.float32)
    if gaps:
        inputs[marks] = 0.0
    return np.minimum(np.maximum(inputs, -1.0, out=inputs), 1.0, out=inputs)


def step_times(window: Window) -> NDArray[np.float64]:
    """The times in s between which each step of the model's input lies, (length + 1,)."""
    return window.start + np.arange(len(window.values) + 1) / RATE_HZ


def explain(window: Window, usual: Mapping[str, float], part: tuple[float, float] | None) -> Explanation:
    """Why a Window speaks for a fall; `usual` are the medians of the same numbers in people who do not fall."""
    numbers = plain_numbers(window)
    movement = 100.0 * numbers["movement_mg"] / max(usual["movement_mg"], 1.0)
    sentence = phrase(
        "A blow of {blow:.1f} g ({usual_blow:.1f} g is common) turned the sensor by {turn:.0f} degrees "
        "({usual_turn:.0f} are common), and after it there was {movement:.0f} % of the usual movement.",
        blow=numbers["blow_g"],
        usual_blow=usual["blow_g"],
        turn=numbers["turn_degrees"],
        usual_turn=usual["turn_degrees"],
        movement=movement,
    )
    return Explanation(sentence, numbers, part)


def plain_numbers(window: Window) -> dict[str, float]:
    """Three figures of a Window that can be judged.

    `blow_g`: the greatest acceleration, averaged over a step, in g. `turn_degrees`: the angle between the postures
    before and after the middle (see model_inputs), 0 to 180, and 0 where one of them is unknown. `movement_mg`: how far
    the vector strays from its mean in the last STILL_S seconds that are known (root mean square), in mg.
    """
    good = ~window.marks
    v = np.where(good, window.values.T / 1000.0, 0.0)
    size = _size(v)
    limited = _limited(v, size)
    blow = len(size) // 2
    before = _direction(limited[:, : blow - BEFORE_BLOW_STEPS].sum(axis=1))
    after = _direction(limited[:, blow + AFTER_BLOW_STEPS :].sum(axis=1))
    last = window.values[good][-round(STILL_S * RATE_HZ) :]
    return {
        "blow_g": float(size.max()),
        "turn_degrees": 180.0 * float(_angle(after, before)),
        "movement_mg": _stray(last) if len(last) else 0.0,
    }


def _size(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of vectors (3, ...)."""
    return np.asarray(np.sqrt((vectors * vectors).sum(axis=0)))


def _stray(mg: NDArray[np.float64]) -> float:
    """Root mean square distance of vectors (samples, 3) from their mean."""
    return float(np.sqrt(mg.var(axis=0).sum()))


def _compressed(g: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.copysign(np.log1p(COMPRESSION * np.abs(g)) / FULL_SCALE, g))


def _limited(vectors: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (3, ...) of lengths `size` (...), none longer than POSTURE_LIMIT_G."""
    return np.asarray(vectors * np.minimum(1.0, POSTURE_LIMIT_G / np.maximum(size, 1e-6)))


def _direction(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (3, ...) of length 1, and of length 0 where nothing is known."""
    return np.asarray(vectors / np.maximum(_size(vectors), 1e-6))


def _angle(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle between directions (3, ...), 0 to 1 for 0 to 180 degrees; 0 where one of them is unknown."""
    known = (_size(first) > 0.5) & (_size(second) > 0.5)
    cosine = np.minimum(np.maximum((first * second).sum(axis=0), -1.0), 1.0)
    return np.where(known, np.arccos(cosine) / np.pi, 0.0)


def _moving_sum(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over POSTURE_STEPS centred on each step of (3, windows, length), fewer at both ends."""
    half, length = POSTURE_STEPS // 2, vectors.shape[-1]
    sums = np.zeros((*vectors.shape[:-1], length + POSTURE_STEPS))
    np.cumsum(vectors, axis=-1, out=sums[..., half + 1 : half + 1 + length])
    sums[..., half + 1 + length :] = sums[..., half + length : half + 1 + length]
    return np.asarray(sums[..., POSTURE_STEPS:] - sums[..., :-POSTURE_STEPS])
