"""How long a packet takes to be understood, beside the shortest plain Python that takes the same packet apart.

Times are of this process's CPU, since other work on the machine makes only waiting longer. The peers check nothing and
tell nothing: `struct.unpack` of the packet as 16-bit words, and for Polar's frames a loop over the samples, which is
how bleakheart (fsmeraldi/bleakheart on GitHub) reads them.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.readings import Source
from edge.wearables import (
    battery,
    blood_pressure,
    body_composition,
    continuous_glucose,
    current_time,
    glucose_meter,
    heart_rate,
    nordic_uart,
    oximeter_viatom,
    polar_pmd,
    pulse_oximeter,
    record_access,
    thermometer,
    weight_scale,
)
from edge.wearables.blood_pressure import BloodPressure
from edge.wearables.body_composition import BodyComposition
from edge.wearables.continuous_glucose import CgmRecord
from edge.wearables.fields import DateTime
from edge.wearables.glucose_meter import Concentration, GlucoseMeasurement
from edge.wearables.heart_rate import HeartRateMeasurement
from edge.wearables.oximeter_viatom import LiveValues
from edge.wearables.polar_pmd import Acceleration, Ecg
from edge.wearables.pulse_oximeter import Continuous, Oximetry
from edge.wearables.thermometer import TemperatureMeasurement
from edge.wearables.weight_scale import WeightMeasurement
from tests.edge.wearables.polar import streaming

SOURCE: Final = Source("ann", "wearable")

# The bars of the design, in seconds.
HEART_RATE_LIMIT_S: Final = 2e-6
ACCELERATION_LIMIT_S: Final = 20e-6

NOW: Final = DateTime(2026, 5, 28, 20, 26, 40)
# Two RR intervals; as many samples of acceleration as fill a packet of 229 octets, which is what an H10 sends.
BEAT: Final = heart_rate.encode(HeartRateMeasurement(61, True, rr_ticks=(1000, 1012)))
SAMPLES: Final = 36
STILL: Final = Acceleration(10**18, tuple(float(number * 37 % 97) for number in range(3 * SAMPLES)))
PACKETS: Final[Mapping[str, tuple[Callable[[bytes], object], bytes]]] = MappingProxyType(
    {
        "battery": (battery.decode, b"\x32"),
        "blood pressure": (
            blood_pressure.decode,
            blood_pressure.encode(BloodPressure(120.0, 80.0, 93.0, False, NOW, 60.0)),
        ),
        "body composition": (body_composition.decode, body_composition.encode(BodyComposition(213, weight=14_243))),
        "continuous glucose": (
            continuous_glucose.decode,
            continuous_glucose.encode((CgmRecord(100.0, 5, with_crc=True),)),
        ),
        "current time": (current_time.decode, current_time.encode(current_time.CurrentTime(NOW))),
        "glucose meter": (
            glucose_meter.decode,
            glucose_meter.encode(GlucoseMeasurement(7, NOW, None, Concentration(0.001, False, 1, 1))),
        ),
        "heart rate": (heart_rate.decode, BEAT),
        "Nordic UART": (
            lambda line: nordic_uart.readings(line, SOURCE, 0.0),
            b'{"t":"act","stp":1,"hrm":72,"rt":1}',
        ),
        "oximeter (Viatom)": (oximeter_viatom.decode, oximeter_viatom.encode(LiveValues(97, 60, True, 80, 0, 0, 5))),
        "Polar acceleration": (polar_pmd.decode, polar_pmd.encode(STILL)),
        "Polar acceleration, compressed": (polar_pmd.decode, polar_pmd.encode_compressed(STILL, 8)),
        "Polar ECG": (polar_pmd.decode, polar_pmd.encode(Ecg(10**18, tuple(range(73))))),
        "pulse oximeter": (
            pulse_oximeter.decode_continuous,
            pulse_oximeter.encode_continuous(Continuous(Oximetry(97.0, 61.0))),
        ),
        "record access": (record_access.decode_response, bytes.fromhex("06000101")),
        "thermometer": (thermometer.decode, thermometer.encode(TemperatureMeasurement(37.0, measured_at=NOW))),
        "weight": (weight_scale.decode, weight_scale.encode(WeightMeasurement(14_243, measured_at=NOW))),
    }
)


def seconds(work: Callable[[], object], times: int = 2000, rounds: int = 7) -> float:
    """CPU time of one call, the least of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - begun) / times)
    return best


def words(packet: bytes) -> object:
    """The packet as 16-bit words, and nothing else."""
    return struct.unpack(f"<{len(packet) // 2}H", packet[: len(packet) // 2 * 2])


def plain_beat(packet: bytes) -> object:
    """The shortest that tells heart rate and RR intervals of a packet with 8 bits and without energy."""
    return packet[1], struct.unpack(f"<{(len(packet) - 2) // 2}H", packet[2:])


def plain_acceleration(packet: bytes) -> object:
    """A loop over the samples of a plain frame."""
    return [
        tuple(int.from_bytes(packet[at : at + 2], "little", signed=True) for at in range(begin, begin + 6, 2))
        for begin in range(10, len(packet), 6)
    ]


def plain_deltas(packet: bytes) -> object:
    """A loop over the deltas of a compressed frame."""
    last = list(struct.unpack_from("<3h", packet, 10))
    samples, at = [tuple(last)], 16
    while at < len(packet):
        width, count = packet[at], packet[at + 1]
        octets = (width * count * 3 + 7) // 8
        bits, at = int.from_bytes(packet[at + 2 : at + 2 + octets], "little"), at + 2 + octets
        for place in range(3 * count):
            delta = bits >> place * width & (1 << width) - 1
            last[place % 3] += delta - (1 << width) if delta >> (width - 1) else delta
            if place % 3 == 2:
                samples.append(tuple(last))
    return samples


def test_bench_decoding_heart_rate(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    session = heart_rate.PROFILE.session(SOURCE, {})
    ours, peer = seconds(lambda: heart_rate.decode(BEAT)), seconds(lambda: plain_beat(BEAT))
    told = seconds(lambda: session.readings(heart_rate.MEASUREMENT, BEAT, 0.0))
    benchmark(heart_rate.decode, BEAT)
    benchmark.extra_info |= {"limit": ours / HEART_RATE_LIMIT_S, "peer": ours / peer}
    with capsys.disabled():
        print(  # noqa: T201  the ratio is what the benchmark is for
            f"\nheart-rate packet: {ours * 1e6:.2f} us, limit {HEART_RATE_LIMIT_S * 1e6:.0f} us, ratio "
            f"{ours / HEART_RATE_LIMIT_S:.2f} (bar 1.00); bare unpacking {peer * 1e6:.2f} us, ratio {ours / peer:.1f}; "
            f"with its Readings {told * 1e6:.1f} us"
        )


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_bench_decoding_acceleration(
    compressed: bool, benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = polar_pmd.encode_compressed(STILL, 8) if compressed else polar_pmd.encode(STILL)
    plain = plain_deltas if compressed else plain_acceleration
    ours, peer = seconds(lambda: polar_pmd.decode(frame)), seconds(lambda: plain(frame))
    told = _with_readings(compressed=compressed)
    benchmark(polar_pmd.decode, frame)
    benchmark.extra_info |= {"limit": ours / ACCELERATION_LIMIT_S, "peer": ours / peer}
    with capsys.disabled():
        print(  # noqa: T201  the ratio is what the benchmark is for
            f"\n{'compressed' if compressed else 'plain'} frame of {SAMPLES} accelerations: {ours * 1e6:.1f} us, limit "
            f"{ACCELERATION_LIMIT_S * 1e6:.0f} us, ratio {ours / ACCELERATION_LIMIT_S:.2f} (bar 1.00); a plain loop "
            f"{peer * 1e6:.1f} us, ratio {ours / peer:.2f}; with its Readings, placed by the wearable's clock, "
            f"{told * 1e6:.1f} us"
        )


def _with_readings(*, compressed: bool) -> float:
    """CPU time of a frame from its octets to its Readings, of a stream of frames."""
    frames = []
    for number in range(2000):
        frame = STILL._replace(device_time_ns=10**18 + round(number * SAMPLES / 50 * 1e9))
        frames.append(polar_pmd.encode_compressed(frame, 8) if compressed else polar_pmd.encode(frame))
    best = float("inf")
    for _ in range(5):
        session = streaming(polar_pmd.MeasurementType.ACCELERATION)
        begun = time.process_time()
        for number, payload in enumerate(frames):
            session.readings(polar_pmd.DATA, payload, 1.78e9 + number * SAMPLES / 50)
        best = min(best, (time.process_time() - begun) / len(frames))
    return best


def test_bench_decoding_all(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        name: (seconds(lambda: decode(packet), 500), seconds(lambda: words(packet), 500))  # noqa: B023  called at once
        for name, (decode, packet) in PACKETS.items()
    }
    benchmark(*PACKETS["continuous glucose"])
    benchmark.extra_info |= {name: ours / peer for name, (ours, peer) in found.items()}
    with capsys.disabled():
        print("\ndecoders beside struct.unpack of the same octets:")  # noqa: T201
        for name, (ours, peer) in found.items():
            print(f"  {name:31} {ours * 1e6:6.2f} us, {peer * 1e6:5.2f} us, ratio {ours / peer:5.1f}")  # noqa: T201
