"""Recordings of real hearts in PhysioNet's WFDB format.

The format is read here and not by the package `wfdb`, which never returns from some damaged annotation files.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError

# Annotation codes that stand for a beat: WFDB Applications Guide, "Annotation codes", numbered as in <wfdb/ecgcodes.h>.
_BEATS: Final = frozenset({*range(1, 14), 25, 30, 34, 35, 38, 41})
_NOTE: Final = 22

# Words of the annotation format, six bits of code and ten of interval: WFDB Applications Guide, annot(5), "MIT format".
_SKIP, _NUMBER, _SUBTYPE, _CHANNEL, _TEXT = 59, 60, 61, 62, 63

# A note at the start may give the annotations a rate of their own: WFDB Applications Guide, annot(5).
_TIME_RESOLUTION: Final = re.compile(rb"## time resolution: (\d+(?:\.\d+)?)")

# What applies where a header gives no rate: WFDB Applications Guide, header(5).
_DEFAULT_RATE_HZ: Final = 250.0

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
    stem = record.with_suffix("")
    extensions = _annotation_extensions(stem)
    if not extensions:
        raise RecordingError(
            "there is no annotation file of this record",
            where=str(stem),
            mend="give the path of a WFDB record with beats, such as mitdb/201",
        )
    for extension in extensions:
        times = _beat_times(stem.parent / f"{stem.name}.{extension}")
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


def _beat_times(annotations: Path) -> NDArray[np.float64]:
    """Seconds since the start of every annotated beat."""
    try:
        samples, rate = _read_annotations(annotations.read_bytes())
        rate = rate or _header_rate(annotations.with_suffix(".hea").read_text())
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"it cannot be read ({error})",
            where=str(annotations),
            mend="fetch the record anew, with its .hea beside it",
        ) from error
    return np.asarray(samples, dtype=np.float64) / rate


def _read_annotations(data: bytes) -> tuple[list[int], float | None]:
    """Sample numbers of the beats, and the annotations' own rate in Hz where they give one. Raises ValueError."""
    samples: list[int] = []
    rate = None
    time, at, code = 0, 0, 0
    while True:
        word = _take(data, at, 2)
        kind, interval = word[1] >> 2, (word[1] & 0x03) << 8 | word[0]
        at += 2
        if kind == 0 and interval == 0:
            return samples, rate
        if kind == _SKIP:
            high, low = struct.unpack("<hH", _take(data, at, 4))
            time, at = time + (high << 16) + low, at + 4
        elif kind == _TEXT:
            found = _TIME_RESOLUTION.match(_take(data, at, interval))
            if found and code == _NOTE and time == 0:
                rate = float(found[1])
            at += interval + interval % 2
        elif kind not in (_NUMBER, _SUBTYPE, _CHANNEL):
            time, code = time + interval, kind
            if samples and time < samples[-1]:
                raise ValueError("its annotations go back in time")
            if kind in _BEATS:
                samples.append(time)


def _take(data: bytes, at: int, size: int) -> bytes:
    taken = data[at : at + size]
    if len(taken) < size:
        raise ValueError("it ends in the middle")
    return taken


def _header_rate(text: str) -> float:
    """Sampling rate in Hz: the third field of a header's first line, header(5). Raises ValueError."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    fields = next(lines, "").split()
    if len(fields) < 2:
        raise ValueError("its .hea names no record")
    rate = float(re.split(r"[/(]", fields[2])[0]) if len(fields) > 2 else _DEFAULT_RATE_HZ
    if not 0.0 < rate < float("inf"):
        raise ValueError(f"its .hea gives {fields[2]} as the sampling rate")
    return rate
