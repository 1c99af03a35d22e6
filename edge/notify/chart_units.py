"""A chart in the units of a language; apart from the charts, since the process that draws them knows no language."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edge.notify.charts import Chart
from edge.notify.languages import MG_DL_PER_MMOL_L, language_of
from edge.phrases import words

# A language whose texts tell glucose in mmol/L has that in its place.
MG_DL: Final = words("mg/dL")


def in_units_of(language: str, chart: Chart) -> Chart:
    """The chart with glucose in the unit in which the texts of a language tell it."""
    unit = language_of(language)(MG_DL)
    if chart.unit != MG_DL or not unit.startswith("mmol"):
        return chart
    return replace(
        chart,
        unit=unit,
        curve=tuple((time, None if value is None else value / MG_DL_PER_MMOL_L) for time, value in chart.curve),
        limits=tuple(limit / MG_DL_PER_MMOL_L for limit in chart.limits),
        forecast=tuple((time, value / MG_DL_PER_MMOL_L) for time, value in chart.forecast),
    )
