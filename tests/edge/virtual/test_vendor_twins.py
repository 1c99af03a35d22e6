"""A virtual Polar band, Bangle.js watch and Viatom ring over a real GATT exchange."""

from __future__ import annotations

import asyncio
import json
from itertools import repeat

import numpy as np
import pytest

from edge.virtual import waveforms
from edge.virtual.polar_band import VERITY_SENSE, VirtualPolarBand
from edge.virtual.ring import VirtualRing
from edge.virtual.watch import VirtualWatch
from edge.virtual.wearable import Vices
from edge.wearables import nordic_uart, oximeter_viatom
from edge.wearables import polar_control as control
from edge.wearables.polar_control import Answer, OpCode, Setting
from edge.wearables.polar_pmd import (
    CONTROL_POINT,
    DATA,
    EPOCH_S,
    Acceleration,
    Ecg,
    MeasurementType,
    Ppg,
    PulseIntervals,
    decode,
)
from tests.edge.virtual.listening import Home, Listener, home

ECG_SETTINGS = {Setting.SAMPLE_RATE: 130, Setting.RESOLUTION: 14}
ACC_SETTINGS = {Setting.SAMPLE_RATE: 50, Setting.RESOLUTION: 16, Setting.RANGE: 8}


async def ask(found: Home, listener: Listener, written: bytes) -> control.Response:
    await listener.client.write_gatt_char(CONTROL_POINT, written, response=True)
    await found.settled()
    return control.decode_response(listener.of(CONTROL_POINT)[-1])


async def test_band_streams_what_it_is_asked_for_with_the_time_of_its_clock() -> None:
    async with home() as found:
        twin = VirtualPolarBand(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, CONTROL_POINT, DATA) as listener:
            features = bytes(await listener.client.read_gatt_char(CONTROL_POINT))
            assert control.decode_features(features) == {MeasurementType.ECG, MeasurementType.ACCELERATION}
            offered = await ask(found, listener, control.ask_for_settings(MeasurementType.ACCELERATION))
            assert offered.settings[Setting.SAMPLE_RATE] == (25, 50, 100, 200)
            for kind, settings in ((MeasurementType.ECG, ECG_SETTINGS), (MeasurementType.ACCELERATION, ACC_SETTINGS)):
                answer = await ask(found, listener, control.start(kind, settings))
                assert answer == control.Response(OpCode.START, kind, Answer.SUCCESS)
            began = found.clock.wall()
            await found.clock.advance(60.0)
            frames = [decode(payload) for payload in listener.of(DATA)]
            assert frames == [sent.frame for sent in twin.frames]
            microvolts = [value for frame in frames if isinstance(frame, Ecg) for value in frame.microvolts]
            times = began + np.arange(1, len(microvolts) + 1) / 130.0
            assert np.abs(np.array(microvolts) - waveforms.ecg(times)).max() <= 1
            assert 60 * 130 - 73 <= len(microvolts) <= 60 * 130
            samples = [len(frame.mg) // 3 for frame in frames if isinstance(frame, Acceleration)]
            assert 60 * 50 - 36 <= sum(samples) <= 60 * 50
            for sent in twin.frames:
                assert sent.frame.device_time_ns / 1e9 + EPOCH_S == pytest.approx(sent.at, abs=1e-6)


async def test_band_refuses_what_it_cannot_do_and_stops_when_told() -> None:
    async with home() as found:
        twin = VirtualPolarBand(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, CONTROL_POINT, DATA) as listener:
            kind = MeasurementType.ACCELERATION
            refused = await ask(found, listener, control.start(kind, {**ACC_SETTINGS, Setting.SAMPLE_RATE: 33}))
            assert refused.answer == Answer.INVALID_SAMPLE_RATE
            unknown = await ask(found, listener, control.ask_for_settings(MeasurementType.PPG))
            assert unknown.answer == Answer.INVALID_MEASUREMENT_TYPE
            assert (await ask(found, listener, b"\x77\x00")).answer == Answer.INVALID_OP_CODE
            await ask(found, listener, control.start(kind, ACC_SETTINGS))
            again = await ask(found, listener, control.start(kind, ACC_SETTINGS))
            assert again.answer == Answer.ALREADY_IN_STATE
            await found.clock.advance(5.0)
            await ask(found, listener, control.stop(kind))
            before = len(listener.of(DATA))
            await found.clock.advance(5.0)
            assert len(listener.of(DATA)) == before == 6
            assert not twin.started


async def test_streams_end_with_the_link() -> None:
    async with home() as found:
        twin = VirtualPolarBand(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, CONTROL_POINT, DATA) as listener:
            await ask(found, listener, control.start(MeasurementType.ECG, ECG_SETTINGS))
            await twin.drop_link()
            await found.settled()
            assert not twin.started


async def test_armband_sends_compressed_frames_light_and_pulses() -> None:
    async with home() as found:
        twin = VirtualPolarBand(found.radio, found.clock, offers=VERITY_SENSE, compressed=True)
        await twin.start()
        async with found.heard(twin, CONTROL_POINT, DATA) as listener:
            moves = await ask(found, listener, control.start(MeasurementType.ACCELERATION, {Setting.SAMPLE_RATE: 52}))
            assert moves.factor == 1.0
            await ask(found, listener, control.start(MeasurementType.PPG, {}))
            await ask(found, listener, control.start(MeasurementType.PPI, {}))
            playing = asyncio.create_task(twin.play(repeat(1000.0, 12)))
            await found.clock.advance(13.0)
            await playing
            frames = [decode(payload) for payload in listener.of(DATA)]
            assert frames == [sent.frame for sent in twin.frames]
            assert {type(frame) for frame in frames} == {Acceleration, Ppg, PulseIntervals}
            assert max(len(payload) for payload in listener.of(DATA)) <= 229
            pulses = [
                one.interval_ms for frame in frames if isinstance(frame, PulseIntervals) for one in frame.intervals
            ]
            assert pulses == [1000] * 10


async def test_band_whose_clock_is_reset_says_so_in_its_frames() -> None:
    async with home() as found:
        twin = VirtualPolarBand(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, CONTROL_POINT, DATA) as listener:
            await ask(found, listener, control.start(MeasurementType.ECG, ECG_SETTINGS))
            await found.clock.advance(2.0)
            twin.clock.reset()
            await found.clock.advance(2.0)
            first, *_, last = (decode(payload) for payload in listener.of(DATA))
            assert last.device_time_ns < 3e9 < first.device_time_ns


async def test_watch_tells_lines_in_pieces_and_takes_what_is_written() -> None:
    async with home() as found:
        twin = VirtualWatch(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, nordic_uart.NOTIFY) as listener:
            playing = asyncio.create_task(twin.play([71, 0]))
            await found.clock.advance(20.0)
            await playing
            await twin.tell_status()
            await listener.client.write_gatt_char(nordic_uart.WRITE, b"\x10setTime(1)\n", response=False)
            await found.settled()
            lines = nordic_uart.Lines()
            told = [json.loads(line) for _, payload in listener.got for line in lines.push(payload)]
            assert told == [sent.measurement for sent in twin.sent]
            assert [message.get("hrm") for message in told] == [71, 0, None]
            assert told[2]["bat"] == 87
            assert list(twin.received) == [b"\x10setTime(1)\n"]
            assert max(len(payload) for _, payload in listener.got) == 20


async def test_ring_answers_when_asked() -> None:
    async with home() as found:
        twin = VirtualRing(found.radio, found.clock)
        await twin.start()
        async with found.heard(twin, oximeter_viatom.NOTIFY) as listener:
            assembler = oximeter_viatom.Assembler()
            for contact in (True, False):
                twin.vices = Vices(contact=contact)
                await listener.client.write_gatt_char(
                    oximeter_viatom.WRITE, oximeter_viatom.ask_for_live_values(), response=False
                )
                await found.settled()
            answers = [answer for _, payload in listener.got for answer in assembler.push(payload)]
            worn, off = (oximeter_viatom.decode(answer) for answer in answers)
            assert (worn.spo2, worn.pulse, worn.worn) == (97, 62, True)
            assert (off.spo2, off.pulse, off.worn) == (None, None, False)
