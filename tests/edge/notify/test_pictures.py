"""The picture on the phone: what is seen on it, read back from its pixels."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.notify.chart_units import in_units_of
from edge.notify.charts import Chart, read_chart
from edge.notify.pictures import HEIGHT, WIDTH, draw

START = 1_780_000_000.0
BLUE, SHADE, ORANGE = (0, 114, 178), (253, 235, 200), (213, 94, 0)


def picture(chart: Chart) -> Image.Image:
    """The picture as a phone gets it: by way of JSON."""
    image = Image.open(io.BytesIO(draw(json.loads(json.dumps(chart.as_json())))))
    assert image.format == "PNG"
    return image.convert("RGB")


def columns(image: Image.Image, colour: tuple[int, int, int]) -> list[int]:
    """The columns in which something is nearly of a colour."""
    near = (np.abs(np.asarray(image, np.int64) - np.array(colour)) < 24).all(axis=2)
    return [int(x) for x in np.flatnonzero(near.any(axis=0))]


def line(values: list[float | None], **more: object) -> Chart:
    return Chart("bpm", tuple((START + 60.0 * at, value) for at, value in enumerate(values)), **more)  # type: ignore[arg-type]


def test_a_phone_gets_a_small_png_of_one_size() -> None:
    chart = line([60.0, 80.0, 70.0])
    assert picture(chart).size == (WIDTH, HEIGHT)
    assert len(draw(chart.as_json())) < 50_000


def test_pain_09_where_nothing_is_known_no_line_is_drawn() -> None:
    whole = columns(picture(line([60.0] * 21)), BLUE)
    broken = columns(picture(line([60.0] * 8 + [None] * 5 + [60.0] * 8)), BLUE)
    middle = (whole[0] + whole[-1]) // 2
    assert middle in whole
    assert not [x for x in broken if abs(x - middle) < 60]


def test_the_part_that_mattered_is_shaded_where_it_was() -> None:
    chart = line([60.0, 90.0] * 10, part=(START + 60.0 * 10, START + 60.0 * 14))
    curve, shaded = columns(picture(chart), BLUE), columns(picture(chart), SHADE)
    width = curve[-1] - curve[0]
    assert (shaded[0] - curve[0]) / width == pytest.approx(10 / 19, abs=0.02)
    assert (shaded[-1] - curve[0]) / width == pytest.approx(14 / 19, abs=0.02)
    assert not columns(picture(line([60.0, 90.0] * 10)), SHADE)


def test_limit_and_forecast_are_in_sight() -> None:
    chart = line([120.0, 100.0, 90.0], limits=(70.0,), forecast=((START + 180.0, 80.0), (START + 300.0, 60.0)))
    image = picture(chart)
    assert columns(image, ORANGE)
    assert columns(image, BLUE)[-1] > 0.9 * WIDTH


def test_a_picture_has_the_unit_of_the_texts_beside_it() -> None:
    chart = Chart("mg/dL", ((START, 90.078), (START + 300.0, None)), limits=(180.156,), forecast=((START, 36.0312),))
    told = in_units_of("zh", chart)
    assert told == Chart("mmol/L", ((START, 5.0), (START + 300.0, None)), limits=(10.0,), forecast=((START, 2.0),))
    assert in_units_of("en", chart) is chart
    assert in_units_of("zh", line([60.0])) == line([60.0])


def test_the_axis_of_time_is_local() -> None:
    here, there = (picture(line([60.0, 61.0] * 90, utc_offset_s=offset)) for offset in (0.0, 1800.0))
    assert here.tobytes() != there.tobytes()


def test_nothing_known_is_no_picture() -> None:
    with pytest.raises(ValueError, match="known value"):
        draw(line([None, None]).as_json())


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e4, 1e4)), min_size=1, max_size=30).filter(any),
    st.sampled_from([0.001, 1.0, 86_400.0]),
    st.booleans(),
)
def test_whatever_was_measured_can_be_drawn(values: list[float | None], step: float, dots: bool) -> None:
    curve = tuple((START + step * at, value) for at, value in enumerate(values))
    chart = Chart("ms", curve, dots, part=(START, START + step), limits=(70.0,))
    assert picture(chart).size == (WIDTH, HEIGHT)
    assert read_chart(json.loads(json.dumps(chart.as_json()))) == chart
