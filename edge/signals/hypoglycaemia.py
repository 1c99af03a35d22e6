"""What the hypoglycaemia model sees of a Window of glucose, and how its finding is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.phrases import phrase, several
from edge.readings import Channel, Explanation, Risk, Window
from edge.signals.glucose import PACE_S, GlucoseWindows

CHANNEL: Final = Channel.GLUCOSE
CHANNELS: Final = 4
# Below this is hypoglycaemia, level 1: American Diabetes Association, Standards of Care in Diabetes, section 6.
LOW_MG_DL: Final = 70.0
# Our choice, for int8, whose step is 1/127 of the range: 0.4 mg/dL between 40 and 140, where the risk is decided; 1.6
# in the channel that reaches up to the 400 mg/dL that sensors tell; and changes up to 4 mg/dL a minute, which glucose
# nearly never exceeds (Dunn et al., Med Eng Phys 30, 2008).
FINE_MIDDLE_MG_DL: Final = 90.0
FINE_REACH_MG_DL: Final = 50.0
COARSE_MIDDLE_MG_DL: Final = 200.0
COARSE_REACH_MG_DL: Final = 200.0
CHANGE_REACH_MG_DL: Final = 20.0
# One unit of the outputs after the first is a change of so much from now on. Our choice: nearly all changes within half
# an hour are smaller, so that their errors count squared in the Huber loss; and an int8 step, 1/16, is 2.5 mg/dL, small
# against the error of any forecast.
FORECAST_MG_DL: Final = 40.0
# A quarter of an hour in a row is the least that shows where glucose goes; a low is one whatever was before, and is
# judged at once. Our choice, as is the hour and a half after which a value that never moves is no person's: in 71
# people with type 1 diabetes that was seen 18 times in 6,858 days. A sensor at the end of its range tells its last
# value for hours, and rightly.
STEPS_IN_A_ROW: Final = 4
FROZEN_STEPS: Final = 19
SENSOR_RANGE_MG_DL: Final = (41.0, 399.0)


def windows(person: str, *, length: int, step: int, last_end: float | None = None) -> GlucoseWindows:
    """A builder of Windows of `length` values PACE_S apart; see GlucoseWindows."""
    return GlucoseWindows(person, Risk.HYPOGLYCAEMIA, length=length, step=step, last_end=last_end)


def shortage(window: Window, *, length: int, minimum_coverage: float) -> str | None:
    """Why the Window cannot be judged, None when it can; one that ends with a low can, whatever came before."""
    if window.marks[-1]:
        return "the newest glucose reading is out of the sensor's range, or too far from the one before to be true"
    is_low = float(window.values[-1]) < LOW_MG_DL
    known = np.flatnonzero(window.marks[::-1])
    in_a_row = int(known[0]) if known.size else length
    minutes = PACE_S / 60.0
    if in_a_row < STEPS_IN_A_ROW and not is_low:
        needed = (STEPS_IN_A_ROW - 1) * minutes
        return f"only {(in_a_row - 1) * minutes:.0f} minutes of glucose readings without a gap; {needed:.0f} are needed"
    if window.coverage < minimum_coverage and not is_low:
        return f"glucose is known for only {window.coverage:.0%} of the last {length * minutes / 60.0:.1f} hours"
    last = window.values[-FROZEN_STEPS:]
    low, high = SENSOR_RANGE_MG_DL
    if in_a_row >= FROZEN_STEPS and np.ptp(last) == 0.0 and low < last[-1] < high:
        return f"glucose has stood still at {last[-1]:.0f} mg/dL for {(FROZEN_STEPS - 1) * minutes:.0f} minutes"
    return None


def model_input(window: Window) -> NDArray[np.float32]:
    """The model's input for a Window that can be judged: shape (1, length, CHANNELS), within -1 to 1."""
    return model_inputs(window.values[np.newaxis])


def model_inputs(mg_dl: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same for many windows of shape (windows, length) in mg/dL, NaN where unknown: (windows, length, CHANNELS).

    Channel 0 is glucose between 40 and 140 mg/dL, channel 1 between 0 and 400, channel 2 the change since the step
    before, channel 3 is 1 where glucose is known. A step at which it is not known is all zeros and says nothing.
    """
    found = np.zeros((*mg_dl.shape, CHANNELS), dtype=np.float32)
    found[..., 0] = (mg_dl - FINE_MIDDLE_MG_DL) / FINE_REACH_MG_DL
    found[..., 1] = (mg_dl - COARSE_MIDDLE_MG_DL) / COARSE_REACH_MG_DL
    found[:, 1:, 2] = np.diff(mg_dl, axis=1) / CHANGE_REACH_MG_DL
    found[..., 3] = 1.0
    found[np.isnan(mg_dl)] = 0.0
    np.nan_to_num(found, copy=False, nan=0.0)  # a change from the unknown
    return found.clip(-1.0, 1.0, out=found)


def step_times(window: Window) -> NDArray[np.float64]:
    """The times between which each step of the model's input lies, (length + 1,)."""
    return window.end - PACE_S * np.arange(len(window.values), -1, -1.0)


def forecast(window: Window, outputs: NDArray[np.float32]) -> tuple[tuple[float, float], ...]:
    """Times and glucose (mg/dL) that the outputs after the first foretell: every PACE_S from the Window's end on."""
    changes = outputs[1:].astype(np.float64) * FORECAST_MG_DL
    now = float(window.values[-1])
    return tuple(
        (window.end + PACE_S * ahead, round(max(0.0, now + change), 1))
        for ahead, change in enumerate(changes.tolist(), start=1)
    )


def explain(
    window: Window,
    usual: Mapping[str, float],  # noqa: ARG001 -- glucose is what it is: other people's says nothing of it
    part: tuple[float, float] | None,
) -> Explanation:
    """Why a Window speaks for a low."""
    numbers = plain_numbers(window)
    now, pace = numbers["glucose_mg_dl"], numbers.get("change_mg_dl_per_min", 0.0)
    told: dict[str, float] = {"glucose": now, "pace": abs(pace)}
    level = phrase("Glucose is {glucose:.0f} mg/dL", **told)
    if pace >= 0.05:
        level = phrase("Glucose is {glucose:.0f} mg/dL and rising by {pace:.1f} a minute", **told)
    elif pace <= -0.05:
        level = phrase("Glucose is {glucose:.0f} mg/dL and falling by {pace:.1f} a minute", **told)
    elif "change_mg_dl_per_min" in numbers:
        level = phrase("Glucose is {glucose:.0f} mg/dL and steady", **told)
    if now < LOW_MG_DL:
        sentence = phrase("{level}: it is below {low:.0f}.", level=level, low=LOW_MG_DL)
    elif pace < -0.05 and (minutes := (now - LOW_MG_DL) / -pace) <= 60.0:
        sentence = several(
            "{level}: at that pace it is below {low:.0f} in {n:.0f} minute.",
            "{level}: at that pace it is below {low:.0f} in {n:.0f} minutes.",
            max(1.0, round(minutes)),
            level=level,
            low=LOW_MG_DL,
        )
    else:
        sentence = phrase("{level}.", level=level)
    return Explanation(sentence, numbers, part)


def plain_numbers(window: Window) -> dict[str, float]:
    """Two figures of a Window that can be judged, the second only where two readings are known.

    `glucose_mg_dl`: the newest reading. `change_mg_dl_per_min`: slope of the line of least squares through its last
    quarter of an hour, the trend that sensors show as an arrow.
    """
    last = window.values[-STEPS_IN_A_ROW:]
    known = ~np.isnan(last)
    minutes = np.arange(STEPS_IN_A_ROW) * PACE_S / 60.0
    numbers = {"glucose_mg_dl": float(last[-1])}
    if known.sum() > 1:
        numbers["change_mg_dl_per_min"] = float(np.polyfit(minutes[known], last[known], 1)[0])
    return numbers
