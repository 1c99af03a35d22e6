"""`hearthbeat assess`: a recording through the production path, faster than real time.

The very windows, models and episodes of the daemon; times are seconds on the recording's own axis.
"""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError
from edge.pipeline import watch_risk
from edge.readings import Alert, AlertState, Assessment, Source
from edge.risks.catalogue import load_models
from edge.signals.rr_series import readings_of

SOURCE: Final = Source(person="recording", device="recording")
# A whole recording whose RR intervals are mostly shorter than this was written in seconds: 10 ms would be 6,000 bpm.
SECONDS_NOT_MS: Final = 10.0
_MEND_CSV: Final = "give a CSV file with the header time_s,rr_ms and a number in each field"


def assess_rr_intervals(recording: Path, out: Path | None, *, models: Path | None = None) -> None:
    """Write every assessment and alert of a CSV recording (time_s, rr_ms) as JSON lines, each risk in one pass.

    `time_s` is the time of the beat that ends the interval `rr_ms`. Raises RecordingError for a file that cannot be
    read or holds values that cannot be, ModelError for a damaged model.
    """
    times, rr_ms = read_rr_csv(recording)
    watches = [watch_risk(SOURCE.person, model) for model in load_models(models).values()]
    with _writer(out) as lines:
        for reading in readings_of(SOURCE, times, rr_ms):
            for watch in watches:
                for window in watch.windows.push(reading):
                    assessment = watch.model.assess(window)
                    print(json.dumps(_assessment_line(assessment, times)), file=lines)
                    alert = watch.episodes.weigh(assessment)
                    if alert is not None:
                        print(json.dumps(_alert_line(alert, times)), file=lines)


def read_rr_csv(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns time_s (s) and rr_ms (ms) of a CSV file with a header; one value a beat, times increasing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            times, rr_ms = _columns(csv.reader(file), path)
    except OSError as error:
        raise RecordingError(error.strerror or str(error), where=str(path), mend="give a readable CSV file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"not a CSV file: {error}", where=str(path), mend=_MEND_CSV) from error
    backwards = np.flatnonzero(np.diff(times) <= 0)
    if backwards.size:
        line = int(backwards[0]) + 3
        raise RecordingError(
            "time runs backwards", where=f"{path}: line {line}", mend="sort the beats by time_s, each once"
        )
    if np.median(rr_ms) < SECONDS_NOT_MS:
        mend = "multiply rr_ms by 1000"
        raise RecordingError("RR intervals look like seconds, not milliseconds", where=f"{path}: rr_ms", mend=mend)
    return times, rr_ms


def _columns(rows: Iterator[list[str]], path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    header = [name.strip() for name in next(rows, [])]
    for name in ("time_s", "rr_ms"):
        if name not in header:
            raise RecordingError(f"no column {name}", where=f"{path}: line 1", mend=_MEND_CSV)
    time_at, rr_at = header.index("time_s"), header.index("rr_ms")
    times: list[float] = []
    rr_ms: list[float] = []
    for line, row in enumerate(rows, start=2):
        try:
            time, rr = float(row[time_at]), float(row[rr_at])
        except (ValueError, IndexError) as error:
            raise RecordingError(f"no two numbers in {row!r}", where=f"{path}: line {line}", mend=_MEND_CSV) from error
        if not (math.isfinite(time) and math.isfinite(rr)) or rr <= 0:
            mend = "leave out beats without a time or an interval"
            raise RecordingError(f"{rr} ms at {time} s cannot be", where=f"{path}: line {line}", mend=mend)
        times.append(time)
        rr_ms.append(rr)
    if not times:
        raise RecordingError("no beats in it", where=str(path), mend=_MEND_CSV)
    return np.array(times), np.array(rr_ms)


def _assessment_line(assessment: Assessment, times: NDArray[np.float64]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "type": "assessment",
        "risk": assessment.risk.value,
        "start": _on_axis(assessment.start, times),
        "end": _on_axis(assessment.end, times),
        "score": None if assessment.score is None else round(assessment.score, 6),
        "reason": assessment.reason,
        "model": assessment.model,
        "coverage": round(assessment.coverage, 4),
    }
    if assessment.explanation is not None:
        line["explanation"] = assessment.explanation.sentence
    return line


def _alert_line(alert: Alert, times: NDArray[np.float64]) -> dict[str, Any]:
    at = alert.opened_at if alert.cleared_at is None or alert.state is AlertState.RAISED else alert.cleared_at
    return {
        "type": "alert",
        "kind": alert.kind,
        "severity": alert.severity.value,
        "state": alert.state.value,
        "at": _on_axis(at, times),
        "since": _on_axis(alert.since, times),
        "explanation": alert.explanation.sentence,
    }


def _on_axis(time: float, times: NDArray[np.float64]) -> float:
    """The recording's own stamp nearest to `time`, where one is within a millisecond: sums of intervals are rounded."""
    at = int(np.searchsorted(times, time))
    nearest = min(times[max(at - 1, 0) : at + 1], key=lambda stamp: abs(float(stamp) - time), default=time)
    return float(nearest) if abs(float(nearest) - time) < 1e-3 else round(time, 6)


@contextmanager
def _writer(out: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears only when it is whole."""
    if out is None:
        yield sys.stdout
        return
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8") as lines:
            yield lines
        aside.replace(out)
    except OSError as error:
        raise RecordingError(
            error.strerror or str(error), where=str(out), mend="give a file that can be written"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
