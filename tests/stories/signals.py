"""What the wearables of the stories send: packets where a profile makes them, Readings where a stream must be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge.bluetooth.link import Packet
from edge.readings import CHANNELS, Channel, Quality, Reading, Source
from edge.signals import acceleration
from edge.wearables import battery, pulse_oximeter, thermometer
from edge.wearables.pulse_oximeter import Continuous, Oximetry
from edge.wearables.thermometer import TemperatureMeasurement
from tests.stories.teller import START

STRAP, OXIMETER, SENSOR, BAND, THERMOMETER = (f"C0:DE:00:00:00:{number:02X}" for number in range(1, 6))


def oximeter_packets(spo2: Iterable[float], begin: float = 0.0) -> Iterator[Packet]:
    """A value of SpO2 (percent) a second, and a pulse of 70."""
    for second, value in enumerate(spo2):
        payload = pulse_oximeter.encode_continuous(Continuous(Oximetry(value, 70.0)))
        yield Packet(OXIMETER, pulse_oximeter.CONTINUOUS, payload, START + begin + second)


def temperature_packets(measured: Iterable[tuple[float, float]]) -> Iterator[Packet]:
    """(seconds since START, degrees Celsius)."""
    for at, celsius in measured:
        yield Packet(
            THERMOMETER, thermometer.MEASUREMENT, thermometer.encode(TemperatureMeasurement(celsius)), START + at
        )


def battery_packets(levels: Iterable[tuple[float, int]], address: str = STRAP) -> Iterator[Packet]:
    """(seconds since START, percent)."""
    for at, percent in levels:
        yield Packet(address, battery.LEVEL, bytes([percent]), START + at)


def glucose_readings(values: Iterable[float], begin: float = 0.0) -> Iterator[Reading]:
    """A value (mg/dL) every five minutes."""
    for number, value in enumerate(values):
        at = START + begin + 300.0 * number
        yield Reading("anna", SENSOR, Channel.GLUCOSE, CHANNELS[Channel.GLUCOSE].unit, at, at, (value,))


def acceleration_readings(times: NDArray[np.float64], mg: NDArray[np.float64]) -> Iterator[Reading]:
    """A second of samples (seconds since START; milli-g of three axes) in each."""
    bounds = np.searchsorted(times, np.arange(np.floor(times[0]), times[-1] + 1.0))
    for begin, end in zip(bounds, [*bounds[1:], len(times)], strict=True):
        if end > begin:
            source = Source("anna", BAND)
            for reading in acceleration.readings_of(source, START + times[begin:end], mg[begin:end]):
                yield Reading(
                    reading.person, reading.device, reading.channel, reading.unit, reading.start,
                    START + float(times[end - 1]), reading.values, Quality.GOOD, reading.interval_s,
                )  # fmt: skip
