"""Polar wearables are asked for their streams, and their samples land where their clock says."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import HearthbeatError, RefusedError
from edge.readings import Channel, Quality, Reading
from edge.wearables.polar_control import Answer, OpCode, Response, Setting, encode_features, encode_response, stop
from edge.wearables.polar_pmd import (
    CONTROL_POINT,
    DATA,
    EPOCH_S,
    Acceleration,
    Ecg,
    MeasurementType,
    Ppg,
    PulseInterval,
    PulseIntervals,
    encode,
)
from edge.wearables.polar_session import PROFILE, PolarSession, choose
from edge.wearables.procedure import Next, Pause, Read, Step, Write
from tests.edge.wearables.conversation import REFUSED, converse
from tests.edge.wearables.strategies import RECEIVED_AT, SOURCE

ECG, PPG, ACC, PPI = (
    MeasurementType.ECG,
    MeasurementType.PPG,
    MeasurementType.ACCELERATION,
    MeasurementType.PPI,
)
SETTINGS: dict[MeasurementType, dict[Setting, tuple[int, ...]]] = {
    ECG: {Setting.SAMPLE_RATE: (130,), Setting.RESOLUTION: (14,)},
    ACC: {Setting.SAMPLE_RATE: (25, 50, 100, 200), Setting.RESOLUTION: (16,), Setting.RANGE: (2, 4, 8)},
    PPG: {Setting.SAMPLE_RATE: (55,), Setting.RESOLUTION: (22,), Setting.CHANNELS: (4,)},
    PPI: {},
}
NO_SETTINGS: dict[Setting, tuple[int, ...]] = {}


class Band:
    """Answers as a Polar wearable that offers these streams; `says` overrides an answer by what was written."""

    def __init__(self, *offered: MeasurementType, says: dict[bytes, list[bytes | RefusedError]] | None = None) -> None:
        self.offered = offered
        self.says = says or {}
        self.more: list[bytes] = []
        self.written: list[bytes] = []

    def __call__(self, step: Step) -> bytes | RefusedError:
        if isinstance(step, Read):
            return encode_features(self.offered)
        if isinstance(step, Next):
            return self.more.pop(0) if self.more else REFUSED
        assert isinstance(step, Write)
        assert isinstance(step.payload, bytes)
        self.written.append(step.payload)
        if answers := self.says.get(step.payload):
            return answers.pop(0)
        op_code, kind = OpCode(step.payload[0]), MeasurementType(step.payload[1])
        settings = SETTINGS[kind] if op_code is OpCode.SETTINGS else NO_SETTINGS
        return encode_response(Response(op_code, kind, Answer.SUCCESS, settings=settings))


def opened(band: Callable[[Step], bytes | RefusedError]) -> PolarSession:
    session = PROFILE.session(SOURCE, {})
    assert isinstance(session, PolarSession)
    procedure = session.opening(RECEIVED_AT, [CONTROL_POINT, DATA])
    assert procedure is not None
    converse(procedure, band)
    return session


def hear(session: PolarSession, frame: Acceleration | Ecg | Ppg | PulseIntervals, at: float) -> tuple[Reading, ...]:
    return session.readings(DATA, encode(frame), at)


def test_strap_is_asked_for_ecg_and_acceleration() -> None:
    band = Band(ECG, ACC)
    opened(band)
    assert band.written == [
        bytes.fromhex("0100"),
        bytes.fromhex("0200" + "00018200" + "01010e00"),
        bytes.fromhex("0102"),
        bytes.fromhex("0202" + "00013200" + "01011000" + "02010800"),
    ]


def test_armband_is_asked_for_pulse_intervals_and_not_for_light() -> None:
    band = Band(PPG, ACC, PPI)
    opened(band)
    assert [(OpCode(written[0]), written[1]) for written in band.written] == [
        (OpCode.SETTINGS, PPI),
        (OpCode.START, PPI),
        (OpCode.SETTINGS, ACC),
        (OpCode.START, ACC),
    ]


def test_wearable_without_the_control_point_is_left_alone() -> None:
    assert PROFILE.session(SOURCE, {}).opening(RECEIVED_AT, [DATA]) is None


@pytest.mark.parametrize(("rates", "rate"), [((52,), 52), ((25, 50, 100, 200), 50), ((10, 20), 20), ((26, 104), 26)])
def test_pace_is_50_hz_or_the_nearest_that_serves(rates: tuple[int, ...], rate: int) -> None:
    chosen = choose(ACC, {Setting.SAMPLE_RATE: rates, Setting.RANGE: (2, 16, 8), Setting.FACTOR: (1,)})
    assert chosen == {Setting.SAMPLE_RATE: rate, Setting.RANGE: 16}


def test_stream_that_is_refused_is_told_and_left_out() -> None:
    no = encode_response(Response(OpCode.SETTINGS, ECG, Answer.INVALID_MTU))
    session = PROFILE.session(SOURCE, {})
    procedure = session.opening(RECEIVED_AT, [CONTROL_POINT, DATA])
    assert procedure is not None
    with pytest.raises(RefusedError, match=r"ecg: .*INVALID_MTU"):
        converse(procedure, Band(ECG, ACC, says={b"\x01\x00": [no]}))
    assert isinstance(session, PolarSession)
    assert hear(session, Acceleration(10**18, (0.0, 0.0, 1000.0)), RECEIVED_AT)
    assert hear(session, Ecg(10**18, (1, 2, 3)), RECEIVED_AT) == ()


def test_stream_that_cannot_start_now_is_asked_for_until_it_can() -> None:
    busy = [encode_response(Response(OpCode.SETTINGS, ECG, Answer.IN_CHARGER)) for _ in range(6)]
    band = Band(ECG, ACC, says={b"\x01\x00": [*busy]})
    session = PROFILE.session(SOURCE, {})
    procedure = session.opening(RECEIVED_AT, [CONTROL_POINT, DATA])
    assert procedure is not None
    steps = converse(procedure, lambda step: b"" if isinstance(step, Pause) else band(step))
    pauses = [step.seconds for step in steps if isinstance(step, Pause)]
    assert pauses == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0]
    assert isinstance(session, PolarSession)
    assert hear(session, Ecg(10**18, (1, 2, 3)), RECEIVED_AT)


def test_stream_that_still_runs_is_started_anew() -> None:
    start = bytes.fromhex("0200" + "00018200" + "01010e00")
    runs = encode_response(Response(OpCode.START, ECG, Answer.ALREADY_IN_STATE))
    band = Band(ECG, says={start: [runs]})
    session = opened(band)
    assert band.written[1:] == [start, stop(ECG), start]
    assert hear(session, Ecg(10**18, (1, 2, 3)), RECEIVED_AT)


def test_answer_in_pieces_behind_a_late_one_is_put_together() -> None:
    whole = encode_response(Response(OpCode.SETTINGS, ACC, Answer.SUCCESS, settings=SETTINGS[ACC]))
    late = encode_response(Response(OpCode.STOP, ACC, Answer.SUCCESS))
    head, content = whole[:4], whole[5:]
    band = Band(ACC, says={b"\x01\x02": [late]})
    band.more = [head + b"\x01" + content[:7], head + b"\x01" + content[7:15], head + b"\x00" + content[15:]]
    opened(band)
    assert band.written[1] == bytes.fromhex("0202" + "00013200" + "01011000" + "02010800")


def test_answer_without_an_end_is_refused() -> None:
    endless = bytes((0xF0, OpCode.SETTINGS, ECG, 0, 1))
    with pytest.raises(RefusedError, match="does not end"):
        opened(lambda step: encode_features([ECG]) if isinstance(step, Read) else endless)


@given(st.lists(st.binary(max_size=30), max_size=12), st.frozensets(st.integers(0, 7)))
def test_any_answers_at_all_raise_nothing_but_our_errors(answers: list[bytes], offered: frozenset[int]) -> None:
    def wearable(step: Step) -> bytes | RefusedError:
        if isinstance(step, Read) and offered:
            return encode_features(offered)
        return answers.pop() if answers else REFUSED

    try:
        opened(wearable)
    except HearthbeatError:
        return


def still(ticks: float, samples: int = 10) -> Acceleration:
    """So many samples at rest, the last at `ticks` seconds on the wearable's clock."""
    return Acceleration(round(ticks * 1e9), (0.0, 0.0, 1000.0) * samples)


def test_frames_join_by_the_wearables_own_pace() -> None:
    # The wearable makes 50.5 samples a second by our clock, and packets are late by up to 40 ms.
    session = opened(Band(ACC))
    found: list[Reading] = []
    for number in range(1, 100):
        late = (number * 7 % 5) * 0.01
        found += hear(session, still(number * 10 / 50.5), RECEIVED_AT + number * 10 / 50.5 + late)
    assert [reading.channel for reading in found] == [Channel.ACCELERATION] * 99
    assert found[0].quality == Quality.CONTACT_UNKNOWN | Quality.GAP_BEFORE
    for before, after in pairwise(found):
        assert after.quality == Quality.CONTACT_UNKNOWN
        assert after.interval_s == pytest.approx(1 / 50.5, rel=2e-3)
        assert after.interval_s is not None
        assert after.start == pytest.approx(before.end + after.interval_s, abs=1e-6)
    assert found[-1].end == pytest.approx(RECEIVED_AT + 990 / 50.5, abs=0.002)


def test_lost_frame_is_a_gap() -> None:
    session = opened(Band(ACC))
    hear(session, still(1.0), RECEIVED_AT + 1.0)
    (after,) = hear(session, still(1.4), RECEIVED_AT + 1.4)
    assert after.quality & Quality.GAP_BEFORE
    assert after.end == pytest.approx(RECEIVED_AT + 1.4)
    assert after.interval_s == pytest.approx(0.02)


def test_late_and_bunched_frames_keep_their_places() -> None:
    session = opened(Band(ACC))
    hear(session, still(1.0), RECEIVED_AT + 1.0)
    found = [hear(session, still(1.0 + n * 0.2), RECEIVED_AT + 4.0 + n * 0.001)[0] for n in range(1, 15)]
    for number, reading in enumerate(found, 1):
        assert reading.end == pytest.approx(RECEIVED_AT + 1.0 + number * 0.2, abs=1e-3)
        assert not reading.quality & Quality.GAP_BEFORE


def test_wearable_whose_clock_was_set_begins_anew() -> None:
    session = opened(Band(ECG))
    hear(session, Ecg(10**18, (1,) * 73), RECEIVED_AT)
    (reading,) = hear(session, Ecg(600 * 10**15, (1,) * 73), RECEIVED_AT + 73 / 130)
    assert reading.end == pytest.approx(RECEIVED_AT + 73 / 130)
    assert reading.quality & Quality.GAP_BEFORE


def test_our_own_clock_that_was_set_is_a_gap_though_the_wearables_goes_on() -> None:
    session = opened(Band(ACC))
    hear(session, still(1.0), RECEIVED_AT + 1.0)
    (after,) = hear(session, still(1.2), RECEIVED_AT + 3601.2)
    assert after.quality & Quality.GAP_BEFORE
    assert after.start == pytest.approx(RECEIVED_AT + 3601.02)


def test_new_connection_asks_and_joins_anew() -> None:
    session = opened(Band(ACC))
    assert hear(session, still(1.0), RECEIVED_AT)
    session.lost()
    assert hear(session, still(1.2), RECEIVED_AT + 0.2) == ()
    procedure = session.opening(RECEIVED_AT, [CONTROL_POINT, DATA])
    assert procedure is not None
    converse(procedure, Band(ACC))
    assert hear(session, still(1.4), RECEIVED_AT + 0.4)[0].quality & Quality.GAP_BEFORE


def test_ecg_is_in_microvolts_and_what_cannot_be_is_marked() -> None:
    session = opened(Band(ECG))
    first, second, third = hear(session, Ecg(10**18, (-5, 400_000, 7, 8)), RECEIVED_AT)
    assert (first.channel, first.unit, first.values) == (Channel.ECG, "µV", (-5.0,))
    assert second.quality & Quality.OUT_OF_RANGE
    assert third.values == (7.0, 8.0)
    assert third.end == pytest.approx(RECEIVED_AT)
    assert [bool(reading.quality & Quality.GAP_BEFORE) for reading in (first, second, third)] == [True, False, False]


def test_light_is_one_trace_without_the_ambient_light() -> None:
    session = opened(Band(PPG))
    (reading,) = hear(session, Ppg(10**18, ((10, 11, 13, 1), (20, 20, 20, 5))), RECEIVED_AT)
    assert (reading.channel, reading.values) == (Channel.PPG, (10.0, 15.0))


def intervals(*sent: PulseInterval) -> tuple[Reading, ...]:
    return hear(opened(Band(PPI)), PulseIntervals(0, sent), RECEIVED_AT)


def test_pulse_intervals_are_rr_intervals_whose_last_beat_is_of_now() -> None:
    # Polar BLE SDK, issue 311: what a Verity Sense sent.
    sent = bytes.fromhex("03000000000000000000" + "3c2c04060006" + "3c0904060006" + "3ca203070006")
    (reading,) = opened(Band(PPI)).readings(DATA, sent, RECEIVED_AT)
    assert (reading.channel, reading.values) == (Channel.RR_INTERVAL, (1068.0, 1033.0, 930.0))
    assert reading.quality is Quality.CONTACT_UNKNOWN
    assert reading.end == pytest.approx(RECEIVED_AT)


@pytest.mark.parametrize(
    ("interval", "quality"),
    [
        (PulseInterval(60, 1000, 5), Quality.CONTACT_UNKNOWN),
        (PulseInterval(60, 1000, 5, contact=True), Quality.CONTACT_UNKNOWN),
        (PulseInterval(60, 1000, 31), Quality.CONTACT_UNKNOWN | Quality.UNRELIABLE),
        (PulseInterval(60, 1000, 5, blocked=True), Quality.CONTACT_UNKNOWN | Quality.UNRELIABLE),
        (PulseInterval(60, 1000, 5, contact=False), Quality.NO_CONTACT),
        (PulseInterval(60, 5000, 5), Quality.CONTACT_UNKNOWN | Quality.OUT_OF_RANGE),
    ],
)
def test_pain_08_pulse_of_an_armband_that_moves_or_is_off_is_marked(interval: PulseInterval, quality: Quality) -> None:
    (reading,) = intervals(interval)
    assert reading.quality == quality


def test_pain_09_pulse_interval_of_nought_is_none() -> None:
    assert intervals(PulseInterval(0, 0, 0)) == ()


def test_intervals_of_differing_quality_keep_their_order() -> None:
    good, bad = PulseInterval(60, 1000, 5), PulseInterval(60, 800, 5, blocked=True)
    found = intervals(good, bad, bad, good)
    assert [reading.values for reading in found] == [(1000.0,), (800.0, 800.0), (1000.0,)]
    for before, after in pairwise(found):
        assert after.start == pytest.approx(before.end)


def test_factor_of_the_answer_multiplies_compressed_samples() -> None:
    start = bytes.fromhex("0202" + "00013200" + "01011000" + "02010800")
    factor = int.from_bytes(struct.pack("<f", 0.244), "little")
    yes = encode_response(Response(OpCode.START, ACC, Answer.SUCCESS, settings={Setting.FACTOR: (factor,)}))
    session = opened(Band(ACC, says={start: [yes]}))
    (reading,) = session.readings(DATA, bytes.fromhex("02650000000000000081" + "e803e803e803"), RECEIVED_AT)
    assert reading.values == pytest.approx((244.0,) * 3)


def test_drift_is_remembered() -> None:
    session = opened(Band(ACC))
    for number in range(1500):
        ticks = float(number)
        hear(session, still(ticks, 50), RECEIVED_AT + ticks * 1.00005)
    assert session.memory["drift"] == pytest.approx(5e-5, abs=5e-6)
    assert EPOCH_S > 0
