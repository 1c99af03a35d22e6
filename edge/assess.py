"""`hearthbeat assess`: a recording through the production path, faster than real time.

The very windows, models and episodes of the daemon; times are seconds on the recording's own axis.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from edge.alerts.thresholds import Thresholds
from edge.alerts.vital_rules import DEFAULTS
from edge.errors import ModelError, RecordingError
from edge.notices import Alert, AlertState
from edge.readings import Assessment, Reading, Source, Window
from edge.recordings import KINDS, read_recording
from edge.risks.catalogue import MODELS, load_models
from edge.watches.risk import RiskWatch, watch_risk

SOURCE: Final = Source(person="recording", device="recording")


def assess_recording(kind: str, recording: Path, out: Path | None, *, models: Path | None = None) -> None:
    """Write every assessment and alert of a CSV recording as JSON lines, each risk of its kind in one pass.

    Of a kind that no model looks at, such as SpO2, the default rules tell their alerts. `kind` is a key of KINDS.
    Raises RecordingError for a file that cannot be read or holds values that cannot be, ModelError for a damaged model,
    or where neither model nor rule looks at this kind.
    """
    facts = KINDS[kind]
    times, values = read_recording(recording, facts)
    fitting = [model for model in load_models(models).values() if model.channel is facts.channel]
    rules = [] if fitting else [rule for rule in DEFAULTS if rule.channel is facts.channel]
    if not fitting and not rules:
        where = str(models or MODELS)
        raise ModelError(f"no model looks at {facts.channel.value}", where=where, mend="install such a model")
    watches = [watch_risk(SOURCE.person, model) for model in fitting]
    axis = Axis(times, facts.tolerance_s)
    with _writer(out) as lines:
        if rules:
            vitals = Thresholds(SOURCE.person, rules)
            for reading in facts.readings_of(SOURCE, times, values):
                for told in vitals.push(reading, reading.received_at):
                    print(json.dumps(alert_line(told, axis)), file=lines)
            return
        for completed in completed_windows(watches, facts.readings_of(SOURCE, times, values)):
            for window, watch in sorted(completed, key=lambda one: one[0].end):
                assessment, alert = watch.judge(window)
                print(json.dumps(_assessment_line(assessment, axis)), file=lines)
                if alert is not None:
                    print(json.dumps(alert_line(alert, axis)), file=lines)


def completed_windows(
    watches: Sequence[RiskWatch], readings: Iterable[Reading]
) -> Iterator[list[tuple[Window, RiskWatch]]]:
    """The Windows that each Reading completes, and at last those that the end of the recording does."""
    for reading in readings:
        yield [(window, watch) for watch in watches for window in watch.windows.push(reading)]
    yield [(window, watch) for watch in watches for window in watch.windows.finish()]


@dataclass(frozen=True, slots=True)
class Axis:
    """The recording's own stamps: a time within `tolerance_s` of one of them is told as that one."""

    times: NDArray[np.float64]
    tolerance_s: float

    def stamp(self, time: float) -> float:
        """The stamp nearest to `time`, where one is near enough."""
        at = int(np.searchsorted(self.times, time))
        nearest = min(self.times[max(at - 1, 0) : at + 1], key=lambda stamp: abs(float(stamp) - time), default=time)
        return float(nearest) if abs(float(nearest) - time) <= self.tolerance_s else round(time, 6)


def _assessment_line(assessment: Assessment, axis: Axis) -> dict[str, Any]:
    line: dict[str, Any] = {
        "type": "assessment",
        "risk": assessment.risk.value,
        "start": axis.stamp(assessment.start),
        "end": axis.stamp(assessment.end),
        "score": None if assessment.score is None else round(assessment.score, 6),
        "reason": assessment.reason,
        "model": assessment.model,
        "coverage": round(assessment.coverage, 4),
    }
    if assessment.forecast:
        line["forecast"] = [[round(time, 3), round(value, 1)] for time, value in assessment.forecast]
    if assessment.explanation is not None:
        line["explanation"] = assessment.explanation.sentence
    return line


def alert_line(alert: Alert, axis: Axis) -> dict[str, Any]:
    """An Alert's turn for JSON, with times of the recording's own axis."""
    at = alert.opened_at if alert.cleared_at is None or alert.state is AlertState.RAISED else alert.cleared_at
    line: dict[str, Any] = {
        "type": "alert",
        "kind": alert.kind,
        "severity": alert.severity.value,
        "state": alert.state.value,
        "at": axis.stamp(at),
        "since": axis.stamp(alert.since),
        "explanation": alert.explanation.sentence,
        "numbers": {name: round(number, 3) for name, number in alert.explanation.numbers.items()},
    }
    if alert.explanation.part is not None:
        line["part"] = [axis.stamp(moment) for moment in alert.explanation.part]
    return line


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
