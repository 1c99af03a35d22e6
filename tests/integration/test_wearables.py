"""Every wearable, with its vices, from its radio to the store: what a user would notice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise, repeat
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.readings import Channel, Quality
from edge.virtual.cuff import VirtualCuff
from edge.virtual.oximeter import VirtualOximeter
from edge.virtual.polar_band import VERITY_SENSE, SentFrame, VirtualPolarBand
from edge.virtual.rhythm import sinus
from edge.virtual.ring import VirtualRing
from edge.virtual.scale import VirtualScale
from edge.virtual.strap import VirtualStrap
from edge.virtual.thermometer import VirtualThermometer
from edge.virtual.watch import VirtualWatch
from edge.virtual.wearable import Vices
from edge.wearables.polar_pmd import Acceleration, Ecg, MeasurementType, PulseIntervals
from tests.fakes.household import HURRY, PACE, VirtualHousehold, virtual_household


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[VirtualHousehold]:
    async with virtual_household(tmp_path) as found:
        yield found


async def test_cuff_thermometer_and_scale_are_stored_once_each(house: VirtualHousehold) -> None:
    cuff, scale = VirtualCuff(house.radio, house.clock), VirtualScale(house.radio, house.clock)
    thermometer = VirtualThermometer(house.radio, house.clock)
    for twin in (cuff, scale, thermometer):
        await twin.start()
    async with house.living(cuff, scale, thermometer):
        await asyncio.gather(*(twin.subscribed.wait() for twin in (cuff, scale, thermometer)))
        await cuff.measure(131.0, 84.0, pulse=66.0, inflating=(60.0, 180.0))
        await thermometer.measure(37.4, rising=(36.0, 37.1))
        await scale.weigh(71.25, body_fat=22.5)
        await house.passes(5.0)
    (systolic,), (diastolic,) = house.samples(Channel.SYSTOLIC), house.samples(Channel.DIASTOLIC)
    assert (systolic[1], diastolic[1]) == pytest.approx((131.0, 84.0))
    assert systolic[0] == pytest.approx(cuff.sent[0].at, abs=2.0)
    assert [value for _, value in house.samples(Channel.TEMPERATURE)] == pytest.approx([37.4])
    assert [value for _, value in house.samples(Channel.WEIGHT)] == pytest.approx([71.25])
    assert [value for _, value in house.samples(Channel.BODY_FAT)] == pytest.approx([22.5])


async def test_oximeter_night_is_stored_second_by_second(house: VirtualHousehold) -> None:
    oximeter = VirtualOximeter(house.radio, house.clock)
    await oximeter.start()
    async with house.living(oximeter):
        await oximeter.subscribed.wait()
        house.clock.speed = HURRY
        await oximeter.play([(97.0, 58.0)] * 120 + [(88.0, 64.0)] * 30 + [(96.0, 60.0)] * 60)
        house.clock.speed = PACE
    values = [value for _, value in house.samples(Channel.SPO2)]
    assert values == pytest.approx([97.0] * 120 + [88.0] * 30 + [96.0] * 60)
    assert len(oximeter.streamed) == 210


async def test_cuff_whose_clock_may_be_set_is_set_and_what_it_stored_before_lands_in_the_past(
    house: VirtualHousehold,
) -> None:
    cuff = VirtualCuff(house.radio, house.clock, clock_service=True)
    await cuff.start()
    cuff.clock.step(-7200.0)
    await cuff.measure(128.0, 82.0)
    await house.passes(3 * 3600.0)
    async with house.living(cuff):
        await cuff.subscribed.wait()
        await house.passes(30.0, speed=100.0)
        await cuff.measure(135.0, 86.0)
        await house.passes(5.0)
    stored = house.samples(Channel.SYSTOLIC)
    assert [value for _, value in stored] == pytest.approx([128.0, 135.0])
    assert [at for at, _ in stored] == pytest.approx([measured.at for measured in cuff.sent], abs=3.0)
    assert abs(cuff.clock.now() - house.clock.wall()) < 5.0


async def test_cuff_whose_clock_was_reset_loses_nothing_and_says_that_the_time_is_unsure(
    house: VirtualHousehold,
) -> None:
    cuff = VirtualCuff(house.radio, house.clock)
    await cuff.start()
    cuff.clock.reset()
    async with house.living(cuff):
        await cuff.subscribed.wait()
        await cuff.measure(128.0, 82.0)
        await house.passes(5.0)
    found = house.series(Channel.SYSTOLIC)
    assert found.values.tolist() == pytest.approx([128.0])
    assert found.times[0] == pytest.approx(cuff.sent[0].at, abs=3.0)
    assert Quality(int(found.quality[0])) & Quality.TIME_UNSURE


async def test_cuff_that_hangs_up_amid_its_backlog_is_stored_whole_and_once(house: VirtualHousehold) -> None:
    cuff = VirtualCuff(house.radio, house.clock)
    await cuff.start()
    for systolic in range(120, 126):
        await cuff.measure(float(systolic), 80.0)
        await house.passes(600.0)
    cuff.vices = Vices(hangs_up_after=2)
    async with house.living(cuff):
        while cuff.waiting:
            await house.passes(1.0, speed=PACE)
        await house.passes(5.0)
    stored = house.samples(Channel.SYSTOLIC)
    assert [value for _, value in stored] == pytest.approx([120.0, 121.0, 122.0, 123.0, 124.0, 125.0])
    assert [at for at, _ in stored] == pytest.approx([measured.at for measured in cuff.sent], abs=2.0)


async def play(house: VirtualHousehold, strap: VirtualStrap, seconds: int, bpm: int = 75) -> None:
    house.clock.speed = HURRY
    await strap.play(sinus(seconds, bpm=bpm, chance=random.Random(seconds)))
    house.clock.speed = PACE


async def test_strap_whose_packets_come_late_and_bunched_loses_no_beat_and_moves_none(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock, chance=random.Random(5))
    await strap.start()
    async with house.living(strap):
        await strap.subscribed.wait()
        await play(house, strap, 60)
        strap.vices = Vices(bunched=3)
        await play(house, strap, 90)
        strap.vices = Vices()
        await play(house, strap, 60)
    told = [beat for packet in strap.sent for beat in packet.beats]
    found = house.series(Channel.RR_INTERVAL)
    assert len(found.times) == len(told)
    assert np.abs(found.times - np.array(told)).max() < 1.5


async def test_pain_09_beats_that_were_lost_are_a_gap_and_none_is_made_up(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock, chance=random.Random(5))
    await strap.start()
    async with house.living(strap):
        await strap.subscribed.wait()
        strap.vices = Vices(dropped=0.05)
        await play(house, strap, 600)
    told = [packet for packet in strap.sent if packet.beats]
    found = house.series(Channel.RR_INTERVAL)
    assert found.values.tolist() == pytest.approx(
        [ticks / 1.024 for packet in told for ticks in packet.measurement.rr_ticks]
    )
    gaps = sum(after.at - before.at > 1.5 for before, after in pairwise(strap.sent))
    marked = int(np.count_nonzero(found.quality & Quality.GAP_BEFORE))
    assert gaps > 10
    assert marked >= 0.95 * gaps


async def test_zombie_is_left_and_streams_again(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock)
    await strap.start()
    async with house.living(strap):
        await strap.subscribed.wait()
        await play(house, strap, 30)
        strap.vices = Vices(silent=True)
        dead = asyncio.create_task(strap.play(repeat(1000.0)))
        await house.passes(45.0, speed=100.0)
        dead.cancel()
        strap.vices = Vices()
        await house.until(lambda: strap.connections == 2 and strap.subscribed.is_set())
        await play(house, strap, 30)
    told = sum(len(packet.beats) for packet in strap.sent)
    found = house.series(Channel.RR_INTERVAL)
    assert len(found.values) == told
    widest = int(np.argmax(np.diff(found.times))) + 1
    assert found.times[widest] - found.times[widest - 1] > 30.0
    assert Quality(int(found.quality[widest])) & Quality.GAP_BEFORE


async def test_heart_rate_that_falls_silent_alone_is_a_zombie_too(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock, battery=90)
    await strap.start()
    async with house.living(strap):
        await strap.subscribed.wait()
        strap.vices = Vices(mute=frozenset({"2A37"}))
        beating = asyncio.create_task(strap.play(repeat(1000.0)))
        for level in range(89, 80, -1):
            await strap.set_battery(level)
            await house.passes(5.0, speed=100.0)
        await house.until(lambda: strap.connections == 2)
        beating.cancel()


async def test_strap_off_the_body_is_stored_as_such(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock)
    await strap.start()
    async with house.living(strap):
        await strap.subscribed.wait()
        strap.vices = Vices(contact=False)
        await play(house, strap, 30)
    quality = house.series(Channel.HEART_RATE).quality
    assert len(quality) > 20
    assert np.all(quality & Quality.NO_CONTACT)


async def test_malformed_packets_are_counted_and_nothing_absurd_is_stored(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock, chance=random.Random(3))
    await strap.start()
    async with house.living(strap) as daemon:
        await strap.subscribed.wait()
        strap.vices = Vices(malformed=0.3)
        await play(house, strap, 200)
        (wearable,) = daemon.pipelines[0].wearables.values()
        assert 10 < wearable.malformed_packets <= strap.damaged
    rr = house.series(Channel.RR_INTERVAL)
    assert np.all((rr.values > 600.0) & (rr.values < 1100.0) | (rr.quality & Quality.OUT_OF_RANGE > 0))


async def test_strap_that_wants_pairing_is_paired_and_heard(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock, pairing=True)
    await strap.start()
    async with house.living(strap):
        await strap.subscribed.wait()
        await play(house, strap, 10)
        await strap.drop_link()
        await strap.subscribed.wait()
        await play(house, strap, 10)
    assert len(house.series(Channel.RR_INTERVAL).values) == sum(len(packet.beats) for packet in strap.sent) > 20


async def test_strap_that_rotates_its_address_is_no_more_taken_for_itself(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock)
    await strap.start()
    home, away = strap.address, "6A:DE:00:00:00:02"
    async with house.living(strap):
        await strap.subscribed.wait()
        await strap.rotate(away)
        await house.passes(60.0, speed=PACE)
        assert not strap.subscribed.is_set()
        await strap.rotate(home)
        await strap.subscribed.wait()


async def test_battery_that_runs_down_is_known_to_its_end(house: VirtualHousehold) -> None:
    strap = VirtualStrap(house.radio, house.clock, battery=5)
    await strap.start()
    async with house.living(strap) as daemon:
        await strap.subscribed.wait()
        (wearable,) = daemon.pipelines[0].wearables.values()
        await house.until(lambda: wearable.battery_percent == 5.0)
        house.clock.speed = 60.0
        beating = asyncio.create_task(strap.play(sinus(600, bpm=60.0, chance=random.Random(1))))
        draining = asyncio.create_task(strap.drain(120.0))
        await house.until(lambda: wearable.battery_percent is not None and wearable.battery_percent <= 1.0)
        await draining
        beating.cancel()
        assert not strap.subscribed.is_set()


def sample_times(frames: Iterable[SentFrame], kind: type[Ecg | Acceleration]) -> NDArray[np.float64]:
    """When the samples that left a band were truly taken."""
    times = []
    for sent in frames:
        if isinstance(sent.frame, kind) and sent.interval_s is not None:
            count = len(sent.frame.microvolts) if isinstance(sent.frame, Ecg) else len(sent.frame.mg) // 3
            times.append(sent.at - sent.interval_s * np.arange(count - 1, -1, -1))
    return np.concatenate(times)


@pytest.mark.parametrize("reset", [False, True])
async def test_band_is_stored_sample_by_sample_though_its_clock_is_wrong(house: VirtualHousehold, reset: bool) -> None:
    band = VirtualPolarBand(house.radio, house.clock)
    await band.start()
    band.clock.step(-86_400.0 * 400)
    band.clock.drift_ppm = 80.0
    async with house.living(band):
        await house.until(lambda: len(band.started) == 2)
        await house.passes(60.0)
        if reset:
            band.clock.reset()
        await house.passes(60.0)
        await band.leave()  # before the daemon ends, so that no frame is under way then
    ecg, moves = house.series(Channel.ECG), house.series(Channel.ACCELERATION)
    for found, kind in ((ecg, Ecg), (moves, Acceleration)):
        true = sample_times(band.frames, kind)
        assert len(found.times) == len(true) > 5000
        assert np.abs(found.times - true).max() < 0.3
    microvolts = [value for sent in band.frames if isinstance(sent.frame, Ecg) for value in sent.frame.microvolts]
    assert ecg.values.tolist() == microvolts


async def test_band_that_was_away_leaves_a_gap_and_is_asked_for_its_streams_again(house: VirtualHousehold) -> None:
    band = VirtualPolarBand(house.radio, house.clock)
    await band.start()
    async with house.living(band):
        await house.until(lambda: len(band.started) == 2)
        await house.passes(20.0)
        await band.leave()
        await house.passes(60.0)
        await band.come_back()
        await house.until(lambda: len(band.started) == 2)
        await house.passes(20.0)
        await band.leave()  # before the daemon ends, so that no frame is under way then
    found = house.series(Channel.ECG)
    assert len(found.times) == len(sample_times(band.frames, Ecg))
    widest = int(np.argmax(np.diff(found.times))) + 1
    assert found.times[widest] - found.times[widest - 1] > 50.0
    assert Quality(int(found.quality[widest])) & Quality.GAP_BEFORE


async def test_frames_that_were_lost_are_gaps(house: VirtualHousehold) -> None:
    band = VirtualPolarBand(house.radio, house.clock, chance=random.Random(8))
    await band.start()
    async with house.living(band):
        await house.until(lambda: len(band.started) == 2)
        await house.passes(5.0)
        band.vices = Vices(dropped=0.1)
        await house.passes(120.0)
    found, true = house.series(Channel.ECG), sample_times(band.frames, Ecg)
    assert len(found.times) == len(true)
    lost = np.flatnonzero(np.diff(true) > 1.5 / 130.0) + 1
    assert len(lost) > 5
    assert np.all(found.quality[lost] & Quality.GAP_BEFORE)
    assert np.count_nonzero(found.quality & Quality.GAP_BEFORE) <= len(lost) + 1


async def test_armband_tells_beats_by_its_light(house: VirtualHousehold) -> None:
    band = VirtualPolarBand(house.radio, house.clock, offers=VERITY_SENSE, compressed=True)
    await band.start()
    async with house.living(band):
        await house.until(lambda: MeasurementType.PPI in band.started)
        house.clock.speed = HURRY
        await band.play(repeat(800.0, 150))
        house.clock.speed = PACE
    pulses = [
        pulse.interval_ms
        for sent in band.frames
        if isinstance(sent.frame, PulseIntervals)
        for pulse in sent.frame.intervals
    ]
    moves = house.series(Channel.ACCELERATION)
    assert len(pulses) > 100
    stored = house.series(Channel.RR_INTERVAL).values.tolist()
    assert len(moves.times) == len(sample_times(band.frames, Acceleration))
    for interval in pulses:
        assert any(abs(interval - value) < 2.0 for value in stored)


async def test_watch_is_heard_and_its_zeros_are_no_heart_rate(house: VirtualHousehold) -> None:
    watch = VirtualWatch(house.radio, house.clock)
    await watch.start()
    async with house.living(watch) as daemon:
        await house.until(lambda: bool(watch.received))
        house.clock.speed = HURRY
        await watch.play([71, 72, 0, 0, 74])
        house.clock.speed = PACE
        await watch.tell_status()
        (wearable,) = daemon.pipelines[0].wearables.values()
        await house.until(lambda: wearable.battery_percent is not None)
    assert [value for _, value in house.samples(Channel.HEART_RATE)] == pytest.approx([71.0, 72.0, 74.0])


async def test_ring_is_asked_all_night_and_off_the_finger_is_no_saturation(house: VirtualHousehold) -> None:
    ring = VirtualRing(house.radio, house.clock)
    await ring.start()
    async with house.living(ring):
        await house.until(lambda: len(ring.sent) >= 5)
        ring.spo2 = 89
        await house.until(lambda: len(ring.sent) >= 10)
        worn = len(ring.sent)
        ring.vices = Vices(contact=False)
        await house.until(lambda: len(ring.sent) >= worn + 5)
    told = [sent.measurement.spo2 for sent in ring.sent if sent.measurement.spo2 is not None]
    stored = [value for _, value in house.samples(Channel.SPO2)]
    assert {round(value) for value in stored} == {97, 89}
    assert abs(len(stored) - len(told)) <= 1
