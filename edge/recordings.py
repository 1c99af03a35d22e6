"""Recordings in CSV: each kind's columns, and what cannot be in them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError
from edge.readings import CHANNELS, Channel, Quality, Reading, Source
from edge.signals import acceleration, glucose, rr_series

TIME: Final = "time_s"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of recording: the columns beside `time_s`, the channel that they are, and how they become Readings.

    The median size of a sample (the length of its vector, where it has axes) lies within `typical` in any recording of
    a person. A time that is told lies within `tolerance_s` of the recording's own stamps, and is told as the nearest of
    them: RR intervals are chained, and leave their stamps by so much before they are set back. `other_units` tells what
    a smaller median looks like: below which size, which unit, and how to mend it.
    """

    channel: Channel
    columns: tuple[str, ...]
    readings_of: Callable[[Source, NDArray[np.float64], NDArray[np.float64]], Iterator[Reading]]
    typical: tuple[float, float]
    tolerance_s: float
    other_units: tuple[tuple[float, str, str], ...]


# The column in which each vital sign is recorded, and the median that any recording of a person has. Our choice.
_COLUMNS: Final[Mapping[Channel, tuple[str, tuple[float, float]]]] = MappingProxyType(
    {
        Channel.SPO2: ("percent", (50.0, 100.0)),
        Channel.HEART_RATE: ("bpm", (20.0, 300.0)),
        Channel.TEMPERATURE: ("celsius", (24.0, 46.5)),
        Channel.SYSTOLIC: ("systolic_mmhg", (40.0, 300.0)),
        Channel.DIASTOLIC: ("diastolic_mmhg", (20.0, 250.0)),
        Channel.GLUCOSE: ("mg_dl", (30.0, 600.0)),
        Channel.BLOOD_GLUCOSE: ("mg_dl", (30.0, 600.0)),
    }
)
_OTHER_UNITS: Final[Mapping[Channel, tuple[tuple[float, str, str], ...]]] = MappingProxyType(
    {
        Channel.SPO2: ((1.01, "shares of one, not percent", "multiply percent by 100"),),
        Channel.GLUCOSE: ((30.0, "mmol/L, not mg/dL", "multiply mg_dl by 18.016"),),
        Channel.BLOOD_GLUCOSE: ((30.0, "mmol/L, not mg/dL", "multiply mg_dl by 18.016"),),
    }
)


def vital_kind(channel: Channel) -> Kind:
    """How single values of a vital sign are recorded."""
    column, typical = _COLUMNS[channel]
    return Kind(channel, (column,), partial(_readings, channel), typical, 0.001, _OTHER_UNITS.get(channel, ()))


def _readings(
    channel: Channel, source: Source, times: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterator[Reading]:
    facts = CHANNELS[channel]
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        quality = Quality.GOOD if facts.low <= value <= facts.high else Quality.OUT_OF_RANGE
        yield Reading(source.person, source.device, channel, facts.unit, time, time, (value,), quality)


# RR intervals: 10 ms would be 6,000 bpm. Acceleration: a sensor at rest or in wear measures about the gravity of
# 1000 mg, which is 9.80665 m/s2. Glucose: 1 mmol/L is 18.016 mg/dL (molar mass 180.16 g/mol); below 30 mg/dL in the
# median nobody walks about. The upper ends are three times what a heart, a sensor and a meter can show. Our choice.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "rr_intervals": Kind(
            channel=Channel.RR_INTERVAL,
            columns=("rr_ms",),
            readings_of=rr_series.readings_of,
            typical=(10.0, 9_000.0),
            tolerance_s=rr_series.TOLERANCE_S,
            other_units=((10.0, "seconds, not milliseconds", "multiply rr_ms by 1000"),),
        ),
        "accelerometer": Kind(
            channel=Channel.ACCELERATION,
            columns=("x_mg", "y_mg", "z_mg"),
            readings_of=acceleration.readings_of,
            typical=(200.0, 5_000.0),
            tolerance_s=0.001,
            other_units=(
                (3.0, "g, not mg", "multiply x_mg, y_mg and z_mg by 1000"),
                (40.0, "m/s2, not mg", "multiply x_mg, y_mg and z_mg by 101.97"),
            ),
        ),
        "glucose": Kind(
            channel=Channel.GLUCOSE,
            columns=("mg_dl",),
            readings_of=glucose.readings_of,
            typical=(30.0, 1_800.0),
            tolerance_s=0.001,
            other_units=((30.0, "mmol/L, not mg/dL", "multiply mg_dl by 18.016"),),
        ),
        "spo2": vital_kind(Channel.SPO2),
    }
)


def read_recording(path: Path, kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (samples,) in s and values (samples,) or (samples, axes) of a CSV recording with a header.

    Of samples with the same time the first is taken. Raises RecordingError for a file that cannot be read, a missing
    column, a field that is no number, time that runs backwards, and values in another unit.
    """
    header = ",".join((TIME, *kind.columns))
    mend = f"give a CSV file with the header {header} and a number in each field"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = _rows(csv.reader(file), path, kind, mend)
    except OSError as error:
        raise RecordingError(error.strerror or str(error), where=str(path), mend=mend) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"not a CSV file: {error}", where=str(path), mend=mend) from error
    step = np.diff(rows[:, 0], prepend=-np.inf)
    if step.min() < 0:
        where = f"{path}: line {int(np.argmax(step < 0)) + 2}"
        raise RecordingError("time runs backwards", where=where, mend="sort the lines by time_s")
    rows = rows[step > 0]
    times, values = rows[:, 0], rows[:, 1:]
    _check_unit(values, path, kind)
    return times, values[:, 0] if len(kind.columns) == 1 else values


def _rows(rows: Iterator[list[str]], path: Path, kind: Kind, mend: str) -> NDArray[np.float64]:
    header = [name.strip() for name in next(rows, [])]
    for name in (TIME, *kind.columns):
        if name not in header:
            raise RecordingError(f"no column {name}", where=f"{path}: line 1", mend=mend)
    places = [header.index(name) for name in (TIME, *kind.columns)]
    found: list[list[float]] = []
    for line, row in enumerate(rows, start=2):
        try:
            numbers = [float(row[place]) for place in places]
        except (ValueError, IndexError) as error:
            raise RecordingError(f"not a number in {row!r}", where=f"{path}: line {line}", mend=mend) from error
        # RR intervals and glucose are above zero; an axis may be anything.
        if not all(map(math.isfinite, numbers)) or (len(numbers) == 2 and numbers[1] <= 0.0):
            raise RecordingError(f"{row!r} cannot be", where=f"{path}: line {line}", mend="leave out what is not known")
        found.append(numbers)
    if not found:
        raise RecordingError("no samples in it", where=str(path), mend=mend)
    return np.array(found)


def _check_unit(values: NDArray[np.float64], path: Path, kind: Kind) -> None:
    size = float(np.median(np.linalg.norm(values, axis=1)))
    low, high = kind.typical
    if low <= size <= high:
        return
    where = f"{path}: {', '.join(kind.columns)}"
    for below, unit, mend in kind.other_units:
        if 0.0 < size < below:
            raise RecordingError(f"the values look like {unit} (median {size:.3g})", where=where, mend=mend)
    mend = f"give values in the unit that the column's name says, whose median is {low:g} to {high:g}"
    raise RecordingError(f"a median of {size:.3g} cannot be", where=where, mend=mend)
