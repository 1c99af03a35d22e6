"""Recordings of real hearts in PhysioNet's WFDB format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import wfdb
from numpy.typing import NDArray

from edge.errors import RecordingError

# Annotation codes that stand for a beat: WFDB Applications Guide, appendix "Annotation codes", beat annotations.
_BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")

# Beats that somebody has reviewed come before those of a detector; any other extension comes after these.
_PREFERRED: Final = ("atr", "ecg", "qrs")
_NO_ANNOTATIONS: Final = frozenset({"hea", "dat", "mat", "edf", "xws"})


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Beats of one person: `beat_times` in s since the recording's start, and the `rr_ms` between them, one fewer."""

    name: str
    beat_times: NDArray[np.float64]
    rr_ms: NDArray[np.float64]


def read_rr(record: Path) -> Recording:
    """The beats of a WFDB record, named by its path without or with an extension (mitdb/201 or mitdb/201.hea).

    Of the annotation files beside it the first that holds beats is taken, reviewed ones before those of a detector.
    Raises RecordingError where there is none, it cannot be read, or it holds fewer than two beats.
    """
    stem = record if not record.suffix else record.with_suffix("")
    extensions = _annotation_extensions(stem)
    if not extensions:
        raise RecordingError(
            "there is no annotation file of this record",
            where=str(stem),
            mend="give the path of a WFDB record with beats, such as mitdb/201, without an extension",
        )
    for extension in extensions:
        times = _beat_times(stem, extension)
        if len(times) > 1:
            return Recording(stem.name, times, np.diff(times) * 1000.0)
    raise RecordingError(
        f"its annotations ({', '.join(extensions)}) hold fewer than two beats",
        where=str(stem),
        mend="give a record whose beats are annotated",
    )


def _annotation_extensions(stem: Path) -> list[str]:
    found = {path.suffix[1:] for path in stem.parent.glob(f"{stem.name}.*")} - _NO_ANNOTATIONS
    return [*(known for known in _PREFERRED if known in found), *sorted(found - set(_PREFERRED))]


def _beat_times(stem: Path, extension: str) -> NDArray[np.float64]:
    try:
        annotation = wfdb.rdann(str(stem), extension)
        rate = annotation.fs or wfdb.rdheader(str(stem)).fs
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        # These are what wfdb raises for a damaged file; it has no error of its own.
        raise RecordingError(
            f"it cannot be read ({type(error).__name__}: {error})",
            where=f"{stem}.{extension}",
            mend="fetch the record anew, with its .hea beside it",
        ) from error
    samples = [sample for sample, symbol in zip(annotation.sample, annotation.symbol, strict=True) if symbol in _BEATS]
    times: NDArray[np.float64] = np.asarray(samples, dtype=np.float64) / float(rate)
    return times
