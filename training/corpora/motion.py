"""Acted falls and daily activities with a worn accelerometer: what every corpus of falls is read into."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError

PREPARED: Final = "prepared"


@dataclass(frozen=True, slots=True, eq=False)
class MotionTrial:
    """One trial of one person: somebody falls once in it, or does an everyday activity.

    `times` (samples,) are in s from some begin and increase, `mg` (samples, 3) is the acceleration in mg; `position` is
    where the sensor was worn, `age` a group of age or "" where the corpus does not say.
    """

    corpus: str
    name: str
    person: str
    activity: str
    is_fall: bool
    position: str
    age: str
    times: NDArray[np.float64]
    mg: NDArray[np.float64]


def read_prepared(path: Path, columns: tuple[str, ...], mend: str) -> dict[str, NDArray[Any]]:
    """The arrays of a prepared corpus: `columns` are of one value a trial, `offset` bounds the trials' samples.

    Raises RecordingError when the file is missing, damaged, or not of this kind.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        what = "is missing" if not path.exists() else f"not readable: {error}"
        raise RecordingError(what, where=str(path), mend=mend) from error
    for name in ("acc_mg", "offset", *columns):
        if name not in arrays:
            raise RecordingError(f"holds no array {name}", where=str(path), mend=mend)
    offset, trials = arrays["offset"], len(arrays["offset"]) - 1
    in_order = (
        trials > 0 and offset[0] == 0 and offset[-1] == len(arrays["acc_mg"]) and bool((np.diff(offset) > 1).all())
    )
    if not in_order or any(len(arrays[name]) != trials for name in columns):
        raise RecordingError("its arrays do not fit each other", where=str(path), mend=mend)
    return arrays


def numbers(rows: list[list[str]], columns: int) -> NDArray[np.float64]:
    """The first `columns` fields of rows of text, (rows, columns); ValueError where there are fewer, or no numbers."""
    found = np.array([[float(field) for field in row[:columns]] for row in rows])
    if found.ndim != 2 or found.shape[1] != columns:
        raise ValueError(f"not {columns} columns")
    return found


def write_prepared(path: Path, arrays: dict[str, Any]) -> None:
    """Write the arrays of a corpus aside, then put them in place, so that no half-written file is ever there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        np.savez_compressed(aside, **arrays)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
