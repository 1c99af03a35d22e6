"""Glucose recordings in the form of Glucose-ML: a CSV file for each person, and what is known of all of them in one.

Prioleau et al., "Glucose-ML: a collection of longitudinal diabetes datasets for development of robust AI solutions",
2025. A file has the columns `timestamp` (local time) and `glucose_value_mg_dl`, where "Low" and "High" stand for what
lies beyond the sensor's range.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError

FOLDER: Final = "glucose-ml"
# Just beyond the 40 to 400 mg/dL that sensors tell (Dexcom G6 user guide).
BEYOND: Final[Mapping[str, float]] = {"low": 39.0, "high": 401.0}


@dataclass(frozen=True, slots=True, eq=False)
class GlucoseRecord:
    """One person's readings: `times` (s, increasing) and `mg_dl` (mg/dL), both (readings,).

    `person` is unique over all corpora; `facts` are the columns of the set's metadata that say anything of the person.
    """

    corpus: str
    name: str
    person: str
    times: NDArray[np.float64]
    mg_dl: NDArray[np.float64]
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GlucoseCorpus:
    """One data set of Glucose-ML: its own name, that of its folder, how many people it has, and where it is from."""

    name: str
    folder: str
    people: int
    source: str

    def read(self, data: Path) -> list[GlucoseRecord]:
        """All recordings in the order of their names; RecordingError when any is missing or damaged."""
        folder = data / FOLDER / self.folder
        mend = f"get the harmonised files of {self.folder} by Glucose-ML, or the original: {self.source}"
        facts = {row["person_id"]: row for row in _rows(folder / f"{self.folder}-metadata.csv", "person_id", mend)}
        paths = sorted((folder / f"{self.folder}-extracted-glucose-files").glob("*.csv"))
        if len(paths) != self.people:
            raise RecordingError(f"{len(paths)} of {self.people} people are there", where=str(folder), mend=mend)
        return [self._record(path, facts.get(path.stem, {}), mend) for path in paths]

    def _record(self, path: Path, facts: Mapping[str, str], mend: str) -> GlucoseRecord:
        times, mg_dl = [], []
        try:
            for row in _rows(path, "timestamp", mend):
                value = row["glucose_value_mg_dl"].strip().lower()
                times.append(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp())
                mg_dl.append(BEYOND[value] if value in BEYOND else float(value))
        except (KeyError, ValueError) as error:
            where = f"{path}: reading {len(mg_dl) + 1}"
            raise RecordingError(f"not a reading: {error}", where=where, mend=mend) from error
        expected = facts.get("glucose_level_record_count") or len(mg_dl)
        if len(mg_dl) != int(expected):
            raise RecordingError(f"{len(mg_dl)} of {expected} readings are there", where=str(path), mend=mend)
        # Local time goes back once a year. Of readings with the same time the first is taken, as everywhere.
        ordered, first = np.unique(np.array(times), return_index=True)
        known = {name: value for name, value in facts.items() if value}
        return GlucoseRecord(self.name, path.stem, f"{self.name}/{path.stem}", ordered, np.array(mg_dl)[first], known)


def _rows(path: Path, column: str, mend: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file that has this column; RecordingError when it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if column not in (reader.fieldnames or []):
                raise RecordingError(f"no column {column}", where=str(path), mend=mend)
            yield from reader
    except OSError as error:
        raise RecordingError(error.strerror or str(error), where=str(path), mend=mend) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"not a CSV file: {error}", where=str(path), mend=mend) from error
