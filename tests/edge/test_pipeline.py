"""From packets to alerts, with the model that is shipped and simulated hearts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.notices import Alert, AlertState
from edge.pipeline import Pipeline
from edge.readings import Assessment, Channel, Memory, Quality, Reading, Risk, Window
from edge.risks.catalogue import load_models
from edge.settings.home import PersonSettings
from edge.virtual.rhythm import atrial_fibrillation, sinus
from edge.watches.risk import SILENCE_S, RiskWatch, stored_windows, watch_risk
from edge.wearables.continuous_glucose import MEASUREMENT as CGM
from edge.wearables.continuous_glucose import CgmRecord
from edge.wearables.continuous_glucose import encode as encode_cgm
from edge.wearables.heart_rate import MEASUREMENT, HeartRateMeasurement, encode
from edge.wearables.procedure import Procedure, Write
from edge.wearables.profile import Session
from tests.fakes.clock import ManualClock
from tests.fakes.packets import STRAP, strap_packets

START = 1_800_000_000.0
WATCH = "C0:DE:00:00:00:02"


class Home:
    """A pipeline, and what came out of it."""

    def __init__(self, wearables: Iterable[str] = (STRAP,), risk: Risk = Risk.ATRIAL_FIBRILLATION) -> None:
        self.clock = ManualClock(START)
        self.readings: list[Reading] = []
        self.assessments: list[Assessment] = []
        self.alerts: list[Alert] = []
        self.memories: list[Memory] = []
        person = PersonSettings.model_validate(
            {"id": "anna", "contacts": ["phone"], "wearables": [{"address": address} for address in wearables]}
        )
        self.person = person
        self.inference = ThreadPoolExecutor(max_workers=1)
        model = load_models()[risk]
        self.pipeline = Pipeline(
            person,
            [watch_risk("anna", model)],
            clock=self.clock,
            inference=self.inference,
            keep=self._keep,
            say=self._say,
        )

    def _keep(
        self, readings: Iterable[Reading], assessments: Iterable[Assessment], memories: Iterable[Memory] = (), /
    ) -> None:
        self.readings.extend(readings)
        self.assessments.extend(assessments)
        self.memories.extend(memories)

    async def _say(self, alert: Alert) -> None:
        self.alerts.append(alert)

    async def hear(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            await self.clock.advance(max(0.0, packet.received_at - self.clock.wall()))
            self.pipeline.receive(packet)
            await self.pipeline.settled()

    def rr(self, device: str = STRAP) -> list[Reading]:
        return [r for r in self.readings if r.channel is Channel.RR_INTERVAL and r.device == device]


@asynccontextmanager
async def home(*wearables: str, risk: Risk = Risk.ATRIAL_FIBRILLATION) -> AsyncIterator[Home]:
    made = Home(wearables or (STRAP,), risk)
    running = asyncio.create_task(made.pipeline.run())
    for address in made.pipeline.wearables:
        made.pipeline.link_changed(address, LinkStatus(LinkState.STREAMING, START))
    try:
        yield made
    finally:
        running.cancel()
        made.inference.shutdown()


def af(seconds: float, seed: int = 1) -> list[float]:
    return list(atrial_fibrillation(seconds, bpm=95, chance=random.Random(seed)))


def calm(seconds: float, seed: int = 2) -> list[float]:
    return list(sinus(seconds, bpm=66, chance=random.Random(seed)))


async def test_sustained_af_is_one_alert_with_reason_and_end() -> None:
    async with home() as here:
        await here.hear(strap_packets([*calm(300), *af(900), *calm(900)], start=START))
        raised, cleared = here.alerts
        assert (raised.state, cleared.state) == (AlertState.RAISED, AlertState.CLEARED)
        assert raised.id == cleared.id
        assert "%" in raised.explanation.sentence
        assert START + 300 < raised.opened_at < START + 900
        assert raised.since < raised.opened_at


async def test_a_calm_heart_says_nothing() -> None:
    async with home() as here:
        await here.hear(strap_packets(calm(1800), start=START))
        assert here.alerts == []
        assert here.assessments
        assert all(a.score is not None for a in here.assessments)


async def test_pain_08_a_strap_off_the_body_gets_no_score_however_plausible_its_heart_rate() -> None:
    async with home() as here:
        await here.hear(strap_packets(af(900), start=START, contact=False))
        assert here.alerts == []
        assert all(a.score is None and a.reason for a in here.assessments)
        assert here.pipeline.wearables[STRAP].worn is False


async def test_pain_09_silence_is_told_once_with_its_reason_and_never_as_a_score() -> None:
    async with home() as here:
        await here.hear(strap_packets(calm(300), start=START))
        before = len(here.assessments)
        here.pipeline.link_changed(STRAP, LinkStatus(LinkState.LOST, here.clock.wall()))
        for _ in range(10):
            await here.clock.advance(SILENCE_S)
            here.pipeline.notice_silence()
        (silence,) = here.assessments[before:]
        assert silence.score is None
        assert silence.reason == "no wearable is connected"


async def test_pain_25_of_two_glucose_sensors_the_first_is_the_source_while_it_sends() -> None:
    async with home(STRAP, WATCH, risk=Risk.HYPOGLYCAEMIA) as here:
        for number in range(12):
            for address, late_s, mg_dl in ((STRAP, 0.0, 120.0), (WATCH, 280.0, 90.0)):
                at = START + 300.0 * number + late_s
                await here.hear([Packet(address, CGM, encode_cgm((CgmRecord(mg_dl, 5 * number),)), at)])
        assert [a.end for a in here.assessments] == [START + 300.0 * number for number in range(12)]
        assert {r.device for r in here.readings if r.channel is Channel.GLUCOSE} == {STRAP, WATCH}, "both are stored"


@pytest.mark.parametrize("step", [-3600.0, -600.0, 3600.0])
async def test_pain_23_a_clock_that_is_set_silences_nothing(step: float) -> None:
    async with home() as here:
        await here.hear(strap_packets(calm(900), start=START))
        here.clock.step_wall(step)
        begins = START + 901 + step
        await here.hear(strap_packets(af(900), start=begins))
        (raised,) = here.alerts
        assert begins < raised.opened_at < begins + 600
        assert raised.since >= begins - 60


async def test_a_malformed_packet_is_counted_and_left_out() -> None:
    async with home() as here:
        packets = list(strap_packets(calm(60), start=START))
        packets[10] = Packet(STRAP, packets[10].characteristic, b"\x10", packets[10].received_at)
        await here.hear(packets)
        assert here.pipeline.wearables[STRAP].malformed_packets == 1
        assert sum(len(r.values) for r in here.rr()) > 50


async def test_what_was_held_comes_out_when_the_link_is_lost() -> None:
    async with home() as here:
        packets = list(strap_packets(calm(60), start=START))
        await here.hear(packets[:30])
        held = packets[40]
        await here.hear([held])
        before = sum(len(r.values) for r in here.rr())
        here.pipeline.link_changed(STRAP, LinkStatus(LinkState.LOST, here.clock.wall()))
        assert sum(len(r.values) for r in here.rr()) > before


async def test_pain_25_the_strap_comes_before_the_watch_and_the_watch_takes_over() -> None:
    async with home(STRAP, WATCH) as here:
        both = [*strap_packets(calm(300), start=START), *strap_packets(af(300), start=START + 0.5, address=WATCH)]
        await here.hear(sorted(both, key=lambda packet: packet.received_at))
        assert here.assessments
        assert all(a.score is not None and a.score < 0.5 for a in here.assessments)
        await here.hear(strap_packets(af(900, seed=3), start=START + 400, address=WATCH))
        assert [a.state for a in here.alerts] == [AlertState.RAISED]


PULSE_MS = {STRAP: 1000.0, WATCH: 625.0}


@given(st.lists(st.tuples(st.sampled_from(["both", STRAP, WATCH, "off"]), st.integers(1, 90)), max_size=8))
@settings(deadline=None, max_examples=25)
def test_pain_25_no_window_holds_beats_of_two_wearables(story: list[tuple[str, int]]) -> None:
    """Strap and watch come and go, the strap lies on the table at times: each Window is of one of them."""

    async def hear() -> None:
        async with home(STRAP, WATCH) as here:
            windows: list[Window] = []

            def queue(watch: RiskWatch, window: Window) -> None:
                windows.append(window)

            here.pipeline._queue = queue  # type: ignore[method-assign]
            at, packets = START, list[Packet]()
            for who, seconds in [*story, ("both", 200)]:
                for address, rr_ms in PULSE_MS.items():
                    if who in ("both", "off", address):
                        beats = [rr_ms] * int(1000 * seconds / rr_ms)
                        contact = not (who == "off" and address == STRAP)
                        packets += strap_packets(beats, start=at, address=address, contact=contact)
                at += seconds
            await here.hear(sorted(packets, key=lambda packet: packet.received_at))
            assert windows
            assert all(len(set(window.values.tolist())) <= 1 for window in windows)
            assert all(before.end < after.end for before, after in pairwise(windows))
            assert set(windows[-1].values.tolist()) == {PULSE_MS[STRAP]}

    asyncio.run(hear())


async def test_pain_25_a_strap_that_is_taken_off_gives_way_to_the_watch_and_that_is_told() -> None:
    async with home(STRAP, WATCH) as here:
        both = [*strap_packets(calm(300), start=START), *strap_packets(calm(900), start=START + 0.5, address=WATCH)]
        table = strap_packets(calm(600), start=START + 301, contact=False)
        await here.hear(sorted([*both, *table], key=lambda packet: packet.received_at))
        (hand_over,) = [a for a in here.assessments if a.reason == "another wearable has taken over"]
        assert START + 300 < hand_over.end < START + 340
        judged = [a for a in here.assessments if a.end > hand_over.end]
        assert judged
        assert all(a.score is not None for a in judged)
        starts_and_ends = [(a.start, a.end) for a in here.assessments]
        assert all(after[0] <= before[1] for before, after in pairwise(starts_and_ends)), "no time is passed over"


async def test_pain_25_after_a_restart_the_beats_of_one_wearable_count_as_before() -> None:
    heart, other = calm(600), af(600)
    both = [*strap_packets(heart, start=START), *strap_packets(other, start=START + 0.4, address=WATCH)]
    packets = sorted(both, key=lambda packet: packet.received_at)
    async with home(STRAP, WATCH) as whole:
        await whole.hear(packets)
    async with home(STRAP, WATCH) as first:
        await first.hear(packets[:700])
    async with home(STRAP, WATCH) as second:
        watch = watch_risk("anna", load_models()[Risk.ATRIAL_FIBRILLATION], past=first.assessments)
        second.pipeline.watches = [watch]
        stored = {}
        for device in (WATCH, STRAP):
            beats = [(t, v) for r in first.rr(device) for t, v in zip(_ends(r), r.values, strict=True)]
            times, values = (np.array(column) for column in zip(*beats, strict=True))
            since = times > first.assessments[-1].start
            stored[device] = (times[since], values[since], np.zeros(int(since.sum()), np.uint8))
        second.pipeline.resume(watch, stored_windows(watch, second.person, stored))
        await second.hear(packets[700:])
    ends = [a.end for a in [*first.assessments, *second.assessments]]
    assert ends == pytest.approx([a.end for a in whole.assessments], abs=0.2)
    assert all(a.score is not None and a.score < 0.5 for a in second.assessments)


async def test_pain_25_settings_may_prefer_the_watch_for_a_channel_and_change_their_mind() -> None:
    async with home(STRAP, WATCH) as here:
        worn = [{"address": STRAP}, {"address": WATCH}]
        fields = {"id": "anna", "contacts": ["phone"], "wearables": worn, "sources": {"rr_interval": [WATCH.lower()]}}
        here.pipeline.take_on(PersonSettings.model_validate(fields), {})
        both = [*strap_packets(af(600), start=START), *strap_packets(calm(600), start=START + 0.5, address=WATCH)]
        packets = sorted(both, key=lambda packet: packet.received_at)
        await here.hear(packets[:600])
        assert here.alerts == []
        assert {a.score is not None and a.score < 0.5 for a in here.assessments[1:]} == {True}
        before = len(here.assessments)
        here.pipeline.take_on(here.person, {})
        await here.hear(packets[600:])
        late = [a for a in here.assessments[before:] if a.end > START + 400.0]
        assert late
        assert all(a.score is not None and a.score > 0.5 for a in late), "the strap counts again"


@pytest.mark.parametrize("stop_after_s", [300, 700, 905])
async def test_pain_14_15_a_restart_loses_and_repeats_nothing(stop_after_s: int) -> None:
    packets = list(strap_packets([*calm(300), *af(900), *calm(900)], start=START))
    async with home() as whole:
        await whole.hear(packets)
    first = Home()
    running = asyncio.create_task(first.pipeline.run())
    await first.hear(packets[:stop_after_s])
    running.cancel()
    first.inference.shutdown()
    async with home() as second:
        said = first.alerts[-1] if first.alerts and first.alerts[-1].state is AlertState.RAISED else None
        model = load_models()[Risk.ATRIAL_FIBRILLATION]
        watch = watch_risk("anna", model, past=first.assessments, newest_alert=said)
        second.pipeline.watches = [watch]
        since = first.assessments[-1].start
        stored = [(t, v) for r in first.rr() for t, v in zip(_ends(r), r.values, strict=True) if t > since]
        times, values = (np.array(column) for column in zip(*stored, strict=True))
        flags = np.zeros(len(times), np.uint8)
        second.pipeline.resume(watch, stored_windows(watch, second.person, {STRAP: (times, values, flags)}))
        await second.hear(packets[stop_after_s:])
        states = [a.state for a in [*first.alerts, *second.alerts]]
    assert states == [AlertState.RAISED, AlertState.CLEARED]
    assert len({a.id for a in [*first.alerts, *second.alerts]}) == 1
    assert all(not r.quality & Quality.OUT_OF_RANGE for r in second.rr())


def _ends(reading: Reading) -> list[float]:
    ends, time = [], reading.start
    for value in reading.values:
        time += value / 1000.0
        ends.append(time)
    return ends


@given(ticks=st.lists(st.integers(0, 0xFFFF) | st.just(0) | st.just(0xFFFF), min_size=1, max_size=400))
@settings(deadline=None, max_examples=30)
def test_no_rr_intervals_whatever_break_the_way(ticks: list[int]) -> None:
    async def hear() -> None:
        async with home() as here:
            packets = [
                Packet(
                    STRAP, MEASUREMENT, encode(HeartRateMeasurement(60, True, None, tuple(ticks[n : n + 9]))), START + n
                )
                for n in range(0, len(ticks), 9)
            ]
            await here.hear([*packets, *strap_packets(calm(200), start=START + 500)])
            here.pipeline.link_changed(STRAP, LinkStatus(LinkState.LOST, here.clock.wall()))
            await here.pipeline.settled()
            assert here.alerts == []
            assert any(a.score is not None for a in here.assessments)

    asyncio.run(hear())


async def test_a_strap_that_sends_zeros_gets_no_score() -> None:
    async with home() as here:
        payload = encode(HeartRateMeasurement(60, True, None, (0,) * 9))
        await here.hear(Packet(STRAP, MEASUREMENT, payload, START + n) for n in range(100))
        assert all(a.score is None for a in here.assessments)


class Meter(Session):
    """Numbers its packets, and holds the last one back."""

    def __init__(self, memory: Mapping[str, float]) -> None:
        self._held: Reading | None = None
        self._memory = memory

    def opening(self, now: float, present: Collection[str], /) -> Procedure | None:
        return self._ask(now) if "meter" in present else None

    def _ask(self, now: float) -> Procedure:
        yield Write("meter", str(now).encode())

    def readings(self, _characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        out = self.lost()
        self._held = Reading("anna", STRAP, Channel.BLOOD_GLUCOSE, "mg/dL", received_at, received_at, (payload[0],))
        self._memory = {"last": payload[0]}
        return out

    def facts(self, _characteristic: str, _payload: bytes, /) -> dict[str, str]:
        return {}

    def lost(self) -> tuple[Reading, ...]:
        out, self._held = self._held, None
        return () if out is None else (out,)

    @property
    def memory(self) -> Mapping[str, float]:
        return self._memory


async def test_session_asks_holds_back_and_remembers() -> None:
    async with home() as house:
        wearable = house.pipeline.wearables[STRAP]
        wearable.sessions["heart_rate"] = Meter(wearable.memories["heart_rate"])
        assert house.pipeline.openings(STRAP, ["other"]) == []
        (procedure,) = house.pipeline.openings(STRAP, ["meter"])
        assert next(procedure) == Write("meter", str(START).encode())
        for value in (90, 95):
            house.pipeline.receive(Packet(STRAP, MEASUREMENT, bytes((value,)), START + value))
        assert [reading.values for reading in house.readings] == [(90,)]
        assert house.memories == [Memory(STRAP, "heart_rate", {"last": value}) for value in (90, 95)]
        house.pipeline.link_changed(STRAP, LinkStatus(LinkState.LOST, START))
        assert [reading.values for reading in house.readings] == [(90,), (95,)]
        assert len(house.memories) == 2
