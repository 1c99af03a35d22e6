"""What a picture on a phone shows of a signal: plain numbers, so that they can go to the process that draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Chart:
    """A signal around an alert, with the part of it that mattered.

    `curve` holds (time, value), None for a value where nothing is known, so that no line is drawn across; times are
    seconds since 1970 UTC, values in `unit`. `dots` says that each value is a thing of its own, such as a beat. `part`
    is the begin and end of what mattered most, `limits` are the values that a rule speaks of, `forecast` is what a
    model expects to come. `utc_offset_s` makes local times of the axis. It holds no name and no word, so that one chart
    serves every language (but for the unit of glucose: see chart_units).
    """

    unit: str
    curve: tuple[tuple[float, float | None], ...]
    dots: bool = False
    part: tuple[float, float] | None = None
    limits: tuple[float, ...] = ()
    forecast: tuple[tuple[float, float], ...] = ()
    utc_offset_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The fields, for json.dumps."""
        return asdict(self)


def read_chart(fields: Mapping[str, Any]) -> Chart:
    """What as_json has given, after it went through JSON."""
    part = fields["part"]
    return Chart(
        unit=fields["unit"],
        curve=tuple((time, value) for time, value in fields["curve"]),
        dots=fields["dots"],
        part=None if part is None else (part[0], part[1]),
        limits=tuple(fields["limits"]),
        forecast=tuple((time, value) for time, value in fields["forecast"]),
        utc_offset_s=fields["utc_offset_s"],
    )
