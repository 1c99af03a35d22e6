"""The Apnea-ECG Database: the 35 learning records, each minute of which an expert called apnoea or normal breathing.

Penzel, Moody, Mark, Goldberger, Peter, "The Apnea-ECG database", Computers in Cardiology 27, 2000; PhysioNet apnea-ecg
1.0.0. The records are of fewer people, and whose they are is not said. An annotation is of the minute that follows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import wfdb

from edge.errors import RecordingError
from training.corpora.nights import NightRecord

NAME: Final = "apnea-ecg"
RECORDS: Final = 35
MEND: Final = "fetch it from https://physionet.org/content/apnea-ecg again"


def read(data: Path) -> list[NightRecord]:
    """All learning records in the order of their names; RecordingError when any is missing or damaged."""
    folder = data / NAME
    names = sorted(path.stem for path in folder.glob("*.apn") if (folder / f"{path.stem}.qrs").is_file())
    names = [name for name in names if name[0] in "abc" and not name.endswith("er")]
    if len(names) != RECORDS:
        raise RecordingError(f"{len(names)} of {RECORDS} records are there", where=str(folder), mend=MEND)
    return [read_night(folder / name) for name in names]


def read_night(path: Path) -> NightRecord:
    """Read one record, the path without an ending; RecordingError when it cannot be read."""
    try:
        rate = wfdb.rdheader(str(path)).fs
        beats = wfdb.rdann(str(path), "qrs").sample / rate
        notes = wfdb.rdann(str(path), "apn")
    except (OSError, ValueError, IndexError) as error:
        raise RecordingError(f"not readable: {error}", where=str(path), mend=MEND) from error
    minute = np.rint(notes.sample / rate / 60.0).astype(np.intp)
    apnoea = np.full(int(minute.max(initial=-1)) + 1, -1, dtype=np.int8)
    apnoea[minute] = [symbol == "A" for symbol in notes.symbol]
    rr_ms = np.diff(beats) * 1000.0
    return NightRecord(path.name, beats[1:][rr_ms > 0.0], rr_ms[rr_ms > 0.0], apnoea)
