"""`hearthbeat alerts simulate`: what a rule would have done on a recording, by the very engine of the daemon.

A rule about a vital sign is a rule of the settings or a default; a risk's rule is its model's policy. Times are seconds
on the recording's own axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.alerts.thresholds import ThresholdRule, Thresholds
from edge.alerts.vital_rules import DEFAULTS
from edge.assess import SOURCE, Axis, alert_line, completed_windows
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState
from edge.readings import Reading, Risk
from edge.recordings import KINDS, Kind, read_recording, vital_kind
from edge.risks.catalogue import load_models
from edge.settings.home import Settings
from edge.settings.rules import rules_of
from edge.watches.risk import watch_risk

_DAY_S: Final = 86_400.0


def simulate(name: str, recording: Path, settings: Settings | None, person: str | None = None) -> dict[str, Any]:
    """What the rule `name` would have done: its alerts in the order of time, and how long the recording is.

    The rules of `person` (default: the first in `settings`) count before the defaults. Raises WrongUseError where no
    rule is so called, RecordingError for a file that cannot be read, ModelError for a damaged model.
    """
    rules = {rule.name: rule for rule in _rules(settings, person)}
    if name in rules:
        kind = vital_kind(rules[name].channel)
        times, values = read_recording(recording, kind)
        lines = [alert_line(alert, Axis(times, 0.001)) for alert in _of_rule(rules[name], kind, times, values)]
    elif name in set(Risk):
        times, lines = _of_risk(Risk(name), recording)
    else:
        known = ", ".join([*rules, *Risk])
        raise WrongUseError(f"no rule is called {name}", where="alerts simulate", mend=f"use one of {known}")
    return {
        "rule": name,
        "start": float(times[0]),
        "end": float(times[-1]),
        "days": round(float(times[-1] - times[0]) / _DAY_S, 3),
        "rest_assumed": name in rules and rules[name].at_rest,
        "raised": sum(line["state"] == AlertState.RAISED for line in lines),
        "alerts": lines,
    }


def _rules(settings: Settings | None, person: str | None) -> Sequence[ThresholdRule]:
    if settings is None:
        return DEFAULTS
    people = {one.id: one for one in settings.people}
    chosen = person or next(iter(people))
    if chosen not in people:
        raise WrongUseError(f"{chosen} does not live here", where="--person", mend=f"use {', '.join(people)}")
    given = people[chosen].rules
    # One may want to know what a rule would do that is off.
    return rules_of([rule.model_copy(update={"on": True}) for rule in given])


def _of_rule(
    rule: ThresholdRule, kind: Kind, times: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterable[Alert]:
    # A column of heart rates tells no rest: it is taken as one of somebody at rest, and the command says so.
    watched = Thresholds(SOURCE.person, [replace(rule, at_rest=False)])
    readings_of: Callable[..., Iterator[Reading]] = kind.readings_of
    for reading in readings_of(SOURCE, times, values):
        yield from watched.push(reading, reading.received_at)


def _of_risk(risk: Risk, recording: Path) -> tuple[NDArray[np.float64], list[dict[str, Any]]]:
    model = load_models().get(risk)
    if model is None:
        raise WrongUseError(f"no model watches for {risk.value}", where="alerts simulate", mend="see `models list`")
    kind = next(kind for kind in KINDS.values() if kind.channel is model.channel)
    times, values = read_recording(recording, kind)
    axis = Axis(times, kind.tolerance_s)
    watch = watch_risk(SOURCE.person, model)
    lines = []
    for completed in completed_windows([watch], kind.readings_of(SOURCE, times, values)):
        for window, _ in completed:
            alert = watch.judge(window)[1]
            if alert is not None:
                lines.append(alert_line(alert, axis))
    return times, lines
