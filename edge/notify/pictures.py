"""The picture of a Chart: a PNG for a phone's screen, drawn by Pillow in the process that sends, never in the daemon.

It says with figures, a unit and local times all that it says: the words stand in the message beside it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from edge.notify.charts import Chart, read_chart

# Pixels. Phones show a notification's picture at about 2:1 and shrink it to a third; drawn twice as large and made
# smaller, lines have no steps. Our choice.
WIDTH: Final = 960
HEIGHT: Final = 480
_FINER: Final = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 56, 52, 56
_FONT_SIZE: Final = 26

# Told apart without seeing red or green: blue and orange (Okabe and Ito, Color Universal Design, 2008).
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PAPER: Final = "#ffffff"
_INK: Final = "#333333"
_GRID: Final = "#e4e4e4"
_CURVE: Final = "#0072b2"
_MATTERED: Final = "#fdebc8"
_LIMIT: Final = "#d55e00"
# Marks on each axis, at most. Our choice.
_MOST_MARKS: Final = 5
# Steps between the marks of the axis of time, s: what a clock face has.
_TIME_STEPS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where times and values lie on the paper, in its finer pixels."""

    start: float
    end: float
    low: float
    high: float

    def x(self, time: float) -> float:
        share = (time - self.start) / (self.end - self.start)
        return _FINER * (_LEFT + share * (WIDTH - _LEFT - _RIGHT))

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _FINER * (HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM))


def draw(fields: Mapping[str, Any]) -> bytes:
    """The PNG of a Chart, given as its JSON fields; raises ValueError for one without any known value."""
    chart = read_chart(fields)
    frame = _frame(chart)
    image = Image.new("RGB", (_FINER * WIDTH, _FINER * HEIGHT), _PAPER)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(_FINER * _FONT_SIZE)
    if chart.part is not None:
        _shade(pen, frame, chart.part)
    _values_axis(pen, frame, chart.unit, font)
    _time_axis(pen, frame, chart.utc_offset_s, font)
    for limit in chart.limits:
        _dashed(pen, [(frame.x(frame.start), frame.y(limit)), (frame.x(frame.end), frame.y(limit))], _LIMIT)
    _curve(pen, frame, chart)
    if chart.forecast:
        ahead = [_known(chart)[-1], *chart.forecast]
        _dashed(pen, [(frame.x(time), frame.y(value)) for time, value in ahead], _CURVE)
    png = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).quantize(256, Image.Quantize.MAXCOVERAGE).save(
        png, "PNG", optimize=True
    )
    return png.getvalue()


def _frame(chart: Chart) -> _Frame:
    known = _known(chart)
    if not known:
        message = "a chart needs a known value"
        raise ValueError(message)
    shown = [*known, *chart.forecast]
    times = [time for time, _ in shown]
    values = [value for _, value in shown] + list(chart.limits)
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or max(1.0, 0.05 * abs(high))
    start, end = min(times), max(times)
    if end - start < 1.0:  # a single value still needs an axis of time
        start, end = start - 1800.0, end + 1800.0
    return _Frame(start, end, low - margin, high + margin)


def _known(chart: Chart) -> list[tuple[float, float]]:
    return [(time, value) for time, value in chart.curve if value is not None]


def _shade(pen: ImageDraw.ImageDraw, frame: _Frame, part: tuple[float, float]) -> None:
    begin, end = (min(max(time, frame.start), frame.end) for time in part)
    if end > begin:
        box = (frame.x(begin), frame.y(frame.high), frame.x(end), frame.y(frame.low))
        pen.rectangle(box, fill=_MATTERED)


def _values_axis(pen: ImageDraw.ImageDraw, frame: _Frame, unit: str, font: _Font) -> None:
    step = _round_step((frame.high - frame.low) / _MOST_MARKS)
    digits = max(0, -math.floor(math.log10(step)))
    for value in _marks(frame.low, frame.high, step):
        y = frame.y(value)
        pen.line((frame.x(frame.start), y, frame.x(frame.end), y), _GRID, _FINER)
        pen.text((_FINER * (_LEFT - 12), y), f"{value:.{digits}f}", _INK, font, anchor="rm")
    pen.text((_FINER * 12, _FINER * 8), unit, _INK, font)


def _time_axis(pen: ImageDraw.ImageDraw, frame: _Frame, offset_s: float, font: _Font) -> None:
    span = frame.end - frame.start
    step = next((step for step in _TIME_STEPS if span / step <= _MOST_MARKS), _TIME_STEPS[-1])
    form = "%d.%m." if step >= 86_400 else "%H:%M:%S" if step < 60 else "%H:%M"
    base = _FINER * (HEIGHT - _BOTTOM)
    for local in _marks(frame.start + offset_s, frame.end + offset_s, step):
        x = frame.x(local - offset_s)
        pen.line((x, base, x, base + _FINER * 8), _INK, _FINER)
        pen.text((x, base + _FINER * 12), datetime.fromtimestamp(local, UTC).strftime(form), _INK, font, anchor="mt")
    pen.line((frame.x(frame.start), base, frame.x(frame.end), base), _INK, _FINER)


def _curve(pen: ImageDraw.ImageDraw, frame: _Frame, chart: Chart) -> None:
    for piece in _pieces(chart.curve):
        points = [(frame.x(time), frame.y(value)) for time, value in piece]
        if not chart.dots and len(points) > 1:
            pen.line(points, _CURVE, 3 * _FINER, joint="curve")
        if chart.dots or len(points) == 1:
            radius = (4 if len(chart.curve) < 300 else 3) * _FINER
            for x, y in points:
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_CURVE)


def _pieces(curve: Iterable[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    """The runs of known values."""
    piece: list[tuple[float, float]] = []
    for time, value in curve:
        if value is not None:
            piece.append((time, value))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _dashed(pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: str) -> None:
    dash = 14.0 * _FINER
    walked = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        done = 0.0
        while done < length:
            ahead = min(length, done + dash - walked % dash)
            if walked // dash % 2 == 0:
                a, b = done / length, ahead / length
                pen.line(
                    (x0 + a * (x1 - x0), y0 + a * (y1 - y0), x0 + b * (x1 - x0), y0 + b * (y1 - y0)), colour, 3 * _FINER
                )
            walked, done = walked + ahead - done, ahead


def _round_step(step: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is no smaller than `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * digit for digit in (1.0, 2.0, 5.0, 10.0) if power * digit >= step * (1 - 1e-9))


def _marks(low: float, high: float, step: float) -> Iterator[float]:
    first = math.ceil(low / step)
    return (step * index for index in range(first, math.floor(high / step) + 1))
