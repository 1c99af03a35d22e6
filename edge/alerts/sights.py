"""What a look for faults sees, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.alerts.faults import Key
from edge.notices import Fault
from edge.readings import Channel


@dataclass(frozen=True, slots=True)
class WearableSight:
    """One wearable as a look finds it.

    `heard` holds when each channel last brought anything, in s since 1970, as `values` its newest value; `worn` and
    `battery_percent` are None where nobody knows. `clock_ahead_s` is how far the wearable's own clock is ahead of ours,
    None where it has none or has not told. `absences` are what an earlier process has found (see Findings), which only
    the first look at a wearable takes in. `trouble` is what its link complains of.
    """

    address: str
    person: str
    in_reach: bool
    worn: bool | None
    battery_percent: float | None
    heard: Mapping[Channel, float]
    values: Mapping[Channel, float]
    clock_ahead_s: float | None = None
    absences: Mapping[float, float] = field(default_factory=dict)
    trouble: str | None = None


@dataclass(slots=True)
class Findings:
    """What a look found wrong, and what it found well.

    `absences` are those of each wearable that has just come back from one, of the last weeks: their ends, in s since
    1970, and lengths, in s. They are to be kept for the next process.
    """

    wrong: list[Fault] = field(default_factory=list)
    well: list[Key] = field(default_factory=list)
    absences: dict[str, Mapping[float, float]] = field(default_factory=dict)
