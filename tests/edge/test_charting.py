"""Which signal goes with which alert."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.charting import MOST_POINTS, Charting, chart_of
from edge.notices import AlertState
from edge.notify.charts import Chart
from edge.readings import CHANNELS, Channel, Explanation, Quality, Reading, Risk
from edge.settings.home import PersonSettings, WearableSettings
from edge.store.store import Batch, Store
from edge.watches.nights import RESTING_HEART_RATE, night_bounds
from tests.edge.store.samples import START, TICK_MS, alert, assessment, notification, rr

STRAP, WATCH = "A0:9E:1A:00:00:01", "A0:9E:1A:00:00:02"
ANNA = PersonSettings(
    id="anna", contacts=["mum"], wearables=[WearableSettings(address=STRAP), WearableSettings(address=WATCH)]
)


def minutes(channel: Channel, values: list[float], *, step_s: float = 60.0, device: str = STRAP) -> list[Reading]:
    """One sample after the other from START on."""
    return [
        Reading("anna", device, channel, CHANNELS[channel].unit, START + step_s * at, START + step_s * at, (value,))
        for at, value in enumerate(values)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as store:
        yield store


def shown(store: Store, kind: str, until: float, **more: object) -> Chart | None:
    return chart_of(store, replace(alert(), kind=kind, **more), ANNA, until)  # type: ignore[arg-type]


def test_fibrillation_shows_each_beat_and_the_part_that_mattered(store: Store) -> None:
    beats = [rr(START + at, 1024, device=STRAP) for at in range(600)]
    store.commit(Batch(readings=beats))
    part = (START + 500.0, START + 530.0)
    chart = shown(store, Risk.ATRIAL_FIBRILLATION, START + 600.0, explanation=Explanation("", {}, part))
    assert chart is not None
    assert (chart.unit, chart.dots, chart.part) == ("ms", True, part)
    assert chart.curve[-1] == (START + 600.0, 1024 * TICK_MS)
    assert chart.curve[0][0] == START + 121.0  # eight minutes


def test_pain_25_beats_of_two_straps_are_not_mixed(store: Store) -> None:
    first = [rr(START + at, 1024, device=STRAP) for at in range(60)]
    second = [rr(START + at + 0.3, 512, device=WATCH) for at in range(60)]
    store.commit(Batch(readings=[*first, *second]))
    chart = shown(store, Risk.ATRIAL_FIBRILLATION, START + 61.0)
    assert chart is not None
    assert {value for _, value in chart.curve} == {1000.0}


def test_pain_08_what_was_measured_off_the_body_is_not_shown(store: Store) -> None:
    worn = rr(START, 1024, device=STRAP)
    off = rr(START + 1.0, 700, 700, quality=Quality.NO_CONTACT, device=STRAP)
    store.commit(Batch(readings=[worn, off]))
    chart = shown(store, Risk.ATRIAL_FIBRILLATION, START + 10.0)
    assert chart is not None
    assert chart.curve == ((START + 1.0, 1000.0),)


async def test_a_daily_word_shows_the_heart_rate_and_a_weekly_one_the_nights(store: Store, tmp_path: Path) -> None:
    store.commit(Batch(readings=minutes(Channel.HEART_RATE, [60.0] * 60 + [80.0] * 60)))
    word = replace(notification(), alert_id="daily/anna", turn="daily", created=START + 2 * 3600.0)
    charting = Charting(store.path, lambda: [ANNA])
    chart = await charting.chart(word)
    assert chart is not None
    assert (chart.unit, chart.dots) == ("bpm", False)
    assert {value for _, value in chart.curve} == {60.0, 80.0}
    assert await charting.chart(replace(word, turn="weekly")) is None, "no night was measured"
    assert await charting.chart(replace(word, alert_id="daily/ben")) is None
    assert await charting.chart(replace(word, turn="raised")) is None, "only a word is about a person's day"


def test_a_fall_keeps_its_blow_however_short(store: Store) -> None:
    still, blow = (0.0, 0.0, 1000.0), (0.0, 0.0, 9000.0)
    values = [blow if at == 500 else still for at in range(1000)]
    packets = [
        Reading("anna", STRAP, Channel.ACCELERATION, "mg", START + at, START + at + 1, sum(some, ()), interval_s=0.02)
        for at in range(20)
        for some in [values[50 * at : 50 * at + 50]]
    ]
    store.commit(Batch(readings=packets))
    chart = shown(store, Risk.FALL, START + 80.0, opened_at=START + 20.0)
    assert chart is not None
    assert chart.unit == "g"
    assert len(chart.curve) <= MOST_POINTS
    assert max(value for _, value in chart.curve if value is not None) == pytest.approx(9.0)


def test_low_glucose_shows_the_limit_and_what_the_model_expects(store: Store) -> None:
    expected = ((START + 3900.0, 75.0), (START + 4200.0, 68.0))
    judged = replace(assessment(START + 3600.0), risk=Risk.HYPOGLYCAEMIA, forecast=expected)
    store.commit(Batch(minutes(Channel.GLUCOSE, [110.0 - at for at in range(13)], step_s=300.0), [judged]))
    chart = shown(store, Risk.HYPOGLYCAEMIA, START + 3600.0)
    assert chart is not None
    assert (chart.unit, chart.limits, chart.forecast) == ("mg/dL", (70.0,), expected)
    later = shown(store, Risk.HYPOGLYCAEMIA, START + 7200.0)
    assert later is not None
    assert later.forecast == ()


def test_pain_09_a_silence_breaks_the_line(store: Store) -> None:
    store.commit(Batch(minutes(Channel.SPO2, [96.0] * 5) + minutes(Channel.SPO2, [90.0] * 30)[15:]))
    chart = shown(store, "spo2_low", START + 1800.0)
    assert chart is not None
    assert chart.limits == (92.0,)
    gap = [at for at, (_, value) in enumerate(chart.curve) if value is None]
    assert len(gap) == 1
    assert chart.curve[gap[0] - 1][1] == 96.0


def test_a_trend_of_nights_shows_them_beside_what_was_usual(store: Store) -> None:
    today = datetime.fromtimestamp(START, UTC).astimezone().date()
    readings = []
    for back in range(20):
        start, _ = night_bounds(today - timedelta(days=back))
        bpm = 58.0 if back == 0 else 50.0 + back % 3
        readings += [replace(one, start=start + 60.0 * at + 30.0, values=(bpm + at % 5,))
                     for at, one in enumerate(minutes(Channel.HEART_RATE, [0.0] * 600))]  # fmt: skip
    store.commit(Batch(readings=sorted(readings, key=lambda one: one.start)))
    chart = shown(store, RESTING_HEART_RATE, night_bounds(today)[1] + 60.0)
    assert chart is not None
    values = [value for _, value in chart.curve if value is not None]
    assert values[-1] == max(values)
    assert chart.limits[0] < values[-1]


def test_what_has_no_one_signal_has_no_picture(store: Store) -> None:
    store.commit(Batch(minutes(Channel.HEART_RATE, [70.0] * 5)))
    assert shown(store, "news2", START + 300.0) is None
    assert shown(store, "no_data", START + 300.0) is None
    assert shown(store, "heart_rate_high", START + 300.0) is not None
    assert shown(store, "heart_rate_high", START + 90_000.0) is None  # nothing of that time


async def test_a_phone_is_shown_what_is_open_and_nothing_of_what_is_over(tmp_path: Path) -> None:
    charting = Charting(tmp_path / "store.db", lambda: [ANNA])
    told = replace(notification(), created=START + 61.0)
    with Store(tmp_path / "store.db") as store:
        store.commit(Batch([rr(START + at, 1024, device=STRAP) for at in range(60)], alerts=[alert()]))
        assert await charting.chart(told) is not None
        store.commit(Batch(alerts=[alert(state=AlertState.CLEARED)]))
        assert await charting.chart(told) is None
    assert await charting.chart(replace(told, alert_id="")) is None


async def test_a_store_that_cannot_be_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database" * 100)
    assert await Charting(tmp_path / "store.db", lambda: [ANNA]).chart(notification()) is None
