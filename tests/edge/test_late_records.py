"""What comes from a wearable's own memory is kept with its time, and warns nobody of what is over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.bluetooth.link import Packet
from edge.notices import Alert
from edge.pipeline import Pipeline
from edge.readings import Channel, Quality, Reading, Risk, Source, Window
from edge.recorder import Recorder
from edge.risks.catalogue import load_models
from edge.settings.home import PersonSettings
from edge.signals import acceleration
from edge.store.store import Store
from edge.watches.risk import SILENCE_S, RiskWatch, is_past, series_span, stored_windows, watch_risk
from edge.wearables.continuous_glucose import MEASUREMENT as CGM
from edge.wearables.profile import Session
from tests.fakes.clock import ManualClock
from tests.fakes.packets import STRAP

START = 1_800_000_000.0
PACE_S = 300.0
PERSON = PersonSettings.model_validate({"id": "anna", "contacts": ["phone"], "wearables": [{"address": STRAP}]})


def glucose(number: int, mg_dl: float = 150.0, received_at: float | None = None) -> Reading:
    """The record of so many paces after START."""
    at = START + PACE_S * number
    return Reading("anna", STRAP, Channel.GLUCOSE, "mg/dL", at, at if received_at is None else received_at, (mg_dl,))


def watching(risk: Risk = Risk.HYPOGLYCAEMIA) -> RiskWatch:
    return watch_risk("anna", load_models()[risk])


def seen(window: Window) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in window.values]


class Memory(Session):
    """A wearable that sends prepared Readings, numbered in its packets."""

    def __init__(self, prepared: Sequence[Reading]) -> None:
        self.prepared = prepared

    def opening(self, _now: float, _present: object, /) -> None:
        return None

    def readings(self, _characteristic: str, payload: bytes, _received_at: float, /) -> tuple[Reading, ...]:
        return (self.prepared[int.from_bytes(payload)],)

    def facts(self, _characteristic: str, _payload: bytes, /) -> dict[str, str]:
        return {}

    def lost(self) -> tuple[Reading, ...]:
        return ()

    @property
    def memory(self) -> Mapping[str, float]:
        return NOTHING


NOTHING: Mapping[str, float] = {}


@asynccontextmanager
async def home(path: Path, risk: Risk) -> AsyncIterator[tuple[Pipeline, Recorder, Store, list[Alert]]]:
    """A person's pipeline that stores what it hears."""
    clock, inference = ManualClock(START), ThreadPoolExecutor(max_workers=1)
    alerts: list[Alert] = []

    async def say(alert: Alert) -> None:
        alerts.append(alert)

    with Store(path / "hearthbeat.db") as store:
        recorder = Recorder(store, clock=clock, interval_s=6.0)
        pipeline = Pipeline(PERSON, [watching(risk)], clock=clock, inference=inference, keep=recorder.keep, say=say)
        running = asyncio.create_task(pipeline.run())
        try:
            yield pipeline, recorder, store, alerts
        finally:
            running.cancel()
            inference.shutdown()
            await recorder.close()


async def hear(pipeline: Pipeline, readings: Sequence[Reading]) -> None:
    wearable = pipeline.wearables[STRAP]
    profile = "continuous_glucose"
    wearable.sessions[profile] = Memory(readings)
    wearable.memories[profile] = NOTHING
    for number, reading in enumerate(readings):
        pipeline.receive(Packet(STRAP, CGM, number.to_bytes(4), reading.received_at))
        await pipeline.settled()


@pytest.mark.parametrize("order", ["live first", "memory first"])
async def test_pain_11_a_low_of_hours_ago_that_comes_now_warns_nobody(tmp_path: Path, order: str) -> None:
    now = START + 41 * PACE_S + 5.0
    before = [glucose(number) for number in range(12)]
    memory = [glucose(number, 50.0 if number in (20, 21, 22) else 150.0, now) for number in range(12, 38)]
    live = [glucose(41, 150.0)]
    async with home(tmp_path, Risk.HYPOGLYCAEMIA) as (pipeline, recorder, store, alerts):
        await hear(pipeline, [*before, *live, *memory] if order == "live first" else [*before, *memory, *live])
        await recorder.commit()
        series = store.signals.series("anna", Channel.GLUCOSE, 0.0, now)
        assert alerts == []
        assert series.times.tolist() == [START + PACE_S * number for number in (*range(38), 41)]
        assert series.values.min() == 50.0
        assert pipeline.wearables[STRAP].values == {Channel.GLUCOSE: 150.0}


async def test_a_low_of_now_still_warns_after_a_backfill(tmp_path: Path) -> None:
    now = START + 30 * PACE_S
    memory = [glucose(number, 150.0, now) for number in range(12, 26)]
    live = [glucose(30 + number, 150.0 - 12.0 * number) for number in range(9)]
    async with home(tmp_path, Risk.HYPOGLYCAEMIA) as (pipeline, _recorder, _store, alerts):
        await hear(pipeline, [*[glucose(number) for number in range(12)], *memory, *live])
        assert [alert.kind for alert in alerts] == [Risk.HYPOGLYCAEMIA]


@pytest.mark.parametrize("seed", range(4))
def test_a_backfill_in_any_order_leaves_windows_as_if_the_sensor_had_never_been_away(seed: int) -> None:
    now = START + 41 * PACE_S + 5.0
    values = 120.0 + 20.0 * np.sin(np.arange(60) / 5.0)
    live = [glucose(n, float(values[n])) for n in range(60) if n < 10 or n >= 40]
    memory = [glucose(n, float(values[n]), now) for n in range(10, 40)]
    whole, away = watching(), watching()
    expected = [window for n in range(60) for window in whole.push(glucose(n, float(values[n])))]
    random.Random(seed).shuffle(memory)
    found = [window for reading in [*live[:12], *memory, *live[12:]] for window in away.push(reading)]
    ends = [window.end for window in found]
    assert ends == sorted(set(ends)), "none is told twice, none out of order"
    known = {window.end: seen(window) for window in expected}
    assert all(seen(window) == known[window.end] for window in found[12:])
    assert found[-1].end == expected[-1].end


def test_a_clock_that_was_set_back_does_not_make_the_present_the_past() -> None:
    watch = watching()
    for number in range(100, 112):
        watch.push(glucose(number))
    windows = [window for number in range(12) for window in watch.push(glucose(number))]
    assert len(windows) == 12


@pytest.mark.parametrize("age_s", [SILENCE_S + 60.0, 86_400.0])
@pytest.mark.parametrize("risk", [Risk.ATRIAL_FIBRILLATION, Risk.SLEEP_APNOEA, Risk.FALL])
def test_pain_11_of_old_beats_and_blows_no_window_is_built(risk: Risk, age_s: float) -> None:
    watch = watching(risk)
    if risk is Risk.FALL:
        times = START + np.arange(3000) / 50.0
        mg = np.tile([0.0, 0.0, 1000.0], (3000, 1))
        mg[1500] = [0.0, 0.0, 6000.0]
        from_memory = [
            Reading("anna", STRAP, Channel.ACCELERATION, "mg", one.start, one.end + age_s, one.values, interval_s=0.02)
            for one in acceleration.readings_of(PERSON_SOURCE, times, mg)
        ]
    else:
        values = tuple(np.random.default_rng(1).normal(800.0, 100.0, 2000).tolist())
        end = START + sum(values) / 1000.0
        from_memory = [Reading("anna", STRAP, Channel.RR_INTERVAL, "ms", START, end + age_s, values)]
    assert all(is_past(reading) for reading in from_memory)
    assert [window for reading in from_memory for window in watch.push(reading)] == []


PERSON_SOURCE = Source("anna", STRAP)


async def test_a_straps_memory_keeps_its_time_and_says_nothing_of_now(tmp_path: Path) -> None:
    beats = tuple([1000.0] * 600)
    old = Reading("anna", STRAP, Channel.RR_INTERVAL, "ms", START - 7200.0, START, beats, Quality.NO_CONTACT)
    async with home(tmp_path, Risk.ATRIAL_FIBRILLATION) as (pipeline, recorder, store, alerts):
        await hear(pipeline, [old, old])
        await recorder.commit()
        series = store.signals.series("anna", Channel.RR_INTERVAL, 0.0, START + 10.0)
        assert series.times.tolist() == [START - 7200.0 + n for n in range(1, 601)]
        assert pipeline.wearables[STRAP].worn is None
        assert pipeline.sources.current(Channel.RR_INTERVAL) is None
        assert alerts == []


async def test_pain_15_a_fall_during_a_restart_is_looked_at_after_it(tmp_path: Path) -> None:
    """The blow is stored before the daemon stops, and the stillness after it; the daemon that starts again judges."""
    times = START + np.arange(1500) / 50.0
    mg = np.random.default_rng(1).normal([0.0, 0.0, 1000.0], 30.0, (1500, 3))
    mg[1000:1004] = [3000.0, 1000.0, 5000.0]
    readings = list(acceleration.readings_of(PERSON_SOURCE, times, np.rint(mg)))
    whole, first = watching(Risk.FALL), watching(Risk.FALL)
    expected = [window for reading in readings for window in whole.push(reading)]
    before = [window for reading in readings[:21] for window in first.push(reading)]
    with Store(tmp_path / "hearthbeat.db") as store:
        recorder = Recorder(store, clock=ManualClock(START), interval_s=6.0)
        recorder.keep(readings, [])
        await recorder.close()
        model = load_models()[Risk.FALL]
        past = [model.assess(window) for window in before]
        second = watch_risk("anna", model, past=past)
        since, until = series_span(second, START + 40.0)
        series = store.signals.series("anna", Channel.ACCELERATION, since, until)
        twice = np.repeat(np.arange(len(series.times)), 1 + (np.arange(len(series.times)) % 50 == 7))
        after = stored_windows(
            second, PERSON, {STRAP: (series.times[twice], series.values[twice], series.quality[twice])}
        )
    assert before, "some were told before the restart"
    ends = [window.end for window in (*before, *after)]
    assert ends == pytest.approx([window.end for window in expected], abs=0.05)
    assert any(np.abs(window.values).max() > 3000.0 for window in after)
