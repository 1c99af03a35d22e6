"""The vocabulary of what is measured, and of what models think of it: small frozen types that go from room to room.

What people and the cloud are told of it is in `notices`.

Times are seconds since 1970-01-01T00:00:00Z (UTC) unless a field says otherwise. Missing is never zero: a value that
is not there is absent from `values`, or `None` with a reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Channel(StrEnum):
    """What a wearable measures."""

    HEART_RATE = "heart_rate"
    RR_INTERVAL = "rr_interval"
    ACCELERATION = "acceleration"
    GLUCOSE = "glucose"
    BLOOD_GLUCOSE = "blood_glucose"
    SPO2 = "spo2"
    TEMPERATURE = "temperature"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    MEAN_PRESSURE = "mean_pressure"
    WEIGHT = "weight"
    BODY_FAT = "body_fat"
    BATTERY = "battery"
    ECG = "ecg"
    PPG = "ppg"


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """How a channel is measured: unit, finest step that is kept, and the range outside which a value cannot be true.

    A sample of a channel with several `axes` is that many values, one after the other.
    """

    unit: str
    resolution: float
    low: float
    high: float
    axes: int = 1


# Heart rate: whole bpm, as the characteristic sends it (Heart Rate Service 1.0, 3.1.1.2). 20 to 300 bpm is our bound:
# wider than the 30 to 240 bpm that makers of chest straps state, so that what lies outside is a fault and no person.
# RR interval: 1/1024 s is the characteristic's own step (Heart Rate Service 1.0, 3.1.1.4); 200 to 3000 ms are 300 and
# 20 bpm.
# Acceleration: milli-g along x, y and z, gravity included; 16 g is the widest range of the sensors that wearables carry
# (Analog Devices, ADXL345 data sheet, rev. G; Bosch BMI270 likewise).
# Glucose: mg/dL in the interstitial fluid. Sensors tell 40 to 400 mg/dL (Dexcom G6 and Abbott FreeStyle Libre 2 user
# guides) and LOW or HIGH beyond; 20 to 600 is the range of household meters, so that what lies outside is a fault.
# Blood glucose: mg/dL in a drop of blood, from a household meter; the range is that of such meters, as above.
# SpO2: percent; tenths are as fine as oximeters send. 34.4 % is the lowest arterial saturation that was measured in an
# active person (on Mount Everest; Grocott et al., New England Journal of Medicine 360:140, 2009).
# Temperature: degrees Celsius of the body. Below 24 there are no vital signs any more (stage HT IV of the Swiss system;
# Brown et al., New England Journal of Medicine 367:1930, 2012); 46.5 was survived (Slovis et al., Annals of Emergency
# Medicine 11:269, 1982). Hundredths are as fine as thermometers send.
# Blood pressure: mmHg in the artery, by a cuff; a tenth, since a step of 0.1 kPa is 0.75 mmHg. 300 mmHg is what cuffs
# are inflated to; the lower bounds are ours: a cuff can't measure a pulse so weak.
# Weight: kg; 1 g is finer than the steps of 5 g and 0.01 lb of Weight Scale Service 1.0, 3.2. Our bound: from a
# newborn to more than the 635 kg of the heaviest person known.
# Body fat: percent of the weight (Body Composition Service 1.0, 3.2). Our bound: essential fat is more than 1 %.
# Battery: percent (Battery Service 1.0, 3.1).
# ECG: microvolts between two electrodes, in whole ones, as Polar's H10 sends them, signed in 24 bits (PMD
# specification). 305 mV: a monitor must bear 300 mV between skin and electrodes, with a signal of 5 mV on top (EN
# 60601-2-27:2014, input dynamic range and differential offset voltage, as makers of monitors quote it); beyond is a
# fault, such as an electrode in the air.
# PPG: the light that the skin sends back, less that of the room, in counts of the sensor's own scale: one trace, of
# which only the shape can be read. The range is the 24 bits of Polar's format (PMD specification).
CHANNELS: Final[Mapping[Channel, ChannelFacts]] = MappingProxyType(
    {
        Channel.HEART_RATE: ChannelFacts(unit="bpm", resolution=1.0, low=20.0, high=300.0),
        Channel.RR_INTERVAL: ChannelFacts(unit="ms", resolution=1000.0 / 1024.0, low=200.0, high=3000.0),
        Channel.ACCELERATION: ChannelFacts(unit="mg", resolution=1.0, low=-16_000.0, high=16_000.0, axes=3),
        Channel.GLUCOSE: ChannelFacts(unit="mg/dL", resolution=1.0, low=20.0, high=600.0),
        Channel.BLOOD_GLUCOSE: ChannelFacts(unit="mg/dL", resolution=1.0, low=20.0, high=600.0),
        Channel.SPO2: ChannelFacts(unit="%", resolution=0.1, low=30.0, high=100.0),
        Channel.TEMPERATURE: ChannelFacts(unit="°C", resolution=0.01, low=24.0, high=46.5),
        Channel.SYSTOLIC: ChannelFacts(unit="mmHg", resolution=0.1, low=40.0, high=300.0),
        Channel.DIASTOLIC: ChannelFacts(unit="mmHg", resolution=0.1, low=20.0, high=250.0),
        Channel.MEAN_PRESSURE: ChannelFacts(unit="mmHg", resolution=0.1, low=20.0, high=275.0),
        Channel.WEIGHT: ChannelFacts(unit="kg", resolution=0.001, low=1.0, high=650.0),
        Channel.BODY_FAT: ChannelFacts(unit="%", resolution=0.1, low=1.0, high=80.0),
        Channel.BATTERY: ChannelFacts(unit="%", resolution=1.0, low=0.0, high=100.0),
        Channel.ECG: ChannelFacts(unit="µV", resolution=1.0, low=-305_000.0, high=305_000.0),
        Channel.PPG: ChannelFacts(unit="counts", resolution=1.0, low=-8_388_608.0, high=8_388_607.0),
    }
)


# The channels that are sampled many times a second, in even steps: they fill disks, and never leave the house.
RAW_CHANNELS: Final = frozenset({Channel.ACCELERATION, Channel.ECG, Channel.PPG})


class Quality(IntFlag):
    """What is known against the samples of a Reading."""

    GOOD = 0
    NO_CONTACT = 1  # the wearable says that it is not worn
    CONTACT_UNKNOWN = 2  # the wearable cannot tell whether it is worn
    OUT_OF_RANGE = 4  # the value lies outside its channel's physical range
    GAP_BEFORE = 8  # samples are missing between these and those before
    UNRELIABLE = 16  # the wearable itself does not vouch for the value
    TIME_UNSURE = 32  # when it was measured is not known well: the wearable's clock is, or may be, wrong


# Samples from which nothing about a person can be concluded.
UNSOUND: Final = Quality.NO_CONTACT | Quality.OUT_OF_RANGE | Quality.UNRELIABLE


@dataclass(frozen=True, slots=True)
class Source:
    """Who wears which wearable: what a link knows and a packet does not say."""

    person: str
    device: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Samples of one channel from one wearable, all of one quality.

    `start` is the time of the first sample; for RR intervals it is the beat at which the first interval begins, and
    every further beat follows from the intervals themselves. `received_at` is when the packet reached us. `interval_s`
    is the time from sample to sample where there are several at a steady pace; a channel with axes holds x, y, z of the
    first sample, then of the next.
    """

    person: str
    device: str
    channel: Channel
    unit: str
    start: float
    received_at: float
    values: tuple[float, ...]
    quality: Quality = Quality.GOOD
    interval_s: float | None = None

    @property
    def end(self) -> float:
        """Time of the last sample (for RR intervals: of the last beat)."""
        if self.channel is Channel.RR_INTERVAL:
            return self.start + sum(self.values) / 1000.0
        if self.interval_s is None:
            return self.start
        return self.start + self.interval_s * max(0, len(self.values) // CHANNELS[self.channel].axes - 1)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a profile must know of a wearable after a restart, such as the number of the last record that it sent.

    The `values` are all of them: they replace those before of the same device and profile.
    """

    device: str
    profile: str
    values: Mapping[str, float]


# Who a Reading belongs to while nobody knows: no id of a person (see settings) is empty.
NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """One measurement of a device that several people use, until one of them says that it is theirs.

    `readings` belong to NOBODY; `user` is the number under which the device knows the one who measured, where it tells;
    `candidates` are the people who may have, the likeliest first, each with its likelihood 0..1. `id` is the same
    whenever the device tells the same measurement again.
    """

    id: str
    device: str
    measured_at: float
    received_at: float
    readings: tuple[Reading, ...]
    user: int | None = None
    candidates: tuple[tuple[str, float], ...] = ()


class Risk(StrEnum):
    """What a model watches for; also the `kind` of its alert and the name of its folder in models/."""

    ATRIAL_FIBRILLATION = "atrial_fibrillation"
    FALL = "fall"
    HYPOGLYCAEMIA = "hypoglycaemia"
    SLEEP_APNOEA = "sleep_apnoea"


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What one model looks at: the samples with start < time <= end, and nothing after `end`.

    `values` are in the channel's unit, of shape (samples,) or (samples, axes); `marks`, of shape (samples,), is True
    where a sample is missing or an artefact (see signals); `coverage` is the share of the window's time, 0..1, that is
    covered by good samples. `earlier` are the samples that led up to it without a gap, where the risk looks at them.
    """

    person: str
    risk: Risk
    start: float
    end: float
    values: NDArray[np.float64]
    marks: NDArray[np.bool_]
    coverage: float
    earlier: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a model thinks so: a sentence that a lay person understands, and the plain numbers behind it.

    `part` is the begin and end of what mattered most within the window, where somebody has looked for it.
    """

    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    part: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one model thinks of one Window: a score 0..1, or None and the reason why there is not enough data.

    `forecast` holds (time, value) in the channel's unit, where the model tells what is to come.
    """

    person: str
    risk: Risk
    start: float
    end: float
    score: float | None
    reason: str | None
    model: str
    coverage: float
    explanation: Explanation | None = None
    forecast: tuple[tuple[float, float], ...] = ()
