"""A virtual Polar band: a strap that also sends ECG, acceleration, light and pulse intervals where it is asked to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import ClassVar, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from edge.clock import Clock
from edge.errors import DecodeError
from edge.virtual import waveforms
from edge.virtual.radio import VirtualRadio
from edge.virtual.strap import Beat, VirtualStrap
from edge.virtual.wearable import Options
from edge.wearables import polar_control as control
from edge.wearables.polar_control import Answer, OpCode, Setting
from edge.wearables.polar_pmd import (
    CONTROL_POINT,
    DATA,
    EPOCH_S,
    SERVICE,
    Acceleration,
    Ecg,
    Frame,
    MeasurementType,
    Ppg,
    PulseInterval,
    PulseIntervals,
    encode,
    encode_compressed,
)

Settings = Mapping[Setting, tuple[int, ...]]

# What Polar's wearables let one choose (PMD specification and the SDK's own examples).
_ECG: Final[Settings] = MappingProxyType({Setting.SAMPLE_RATE: (130,), Setting.RESOLUTION: (14,)})
_ACCELERATION: Final[Settings] = MappingProxyType(
    {Setting.SAMPLE_RATE: (25, 50, 100, 200), Setting.RESOLUTION: (16,), Setting.RANGE: (2, 4, 8)}
)
_ARM_ACCELERATION: Final[Settings] = MappingProxyType(
    {
        Setting.SAMPLE_RATE: (52,),
        Setting.RESOLUTION: (16,),
        Setting.RANGE: (8,),
        Setting.CHANNELS: (3,),
    }
)
_PPG: Final[Settings] = MappingProxyType(
    {Setting.SAMPLE_RATE: (55,), Setting.RESOLUTION: (22,), Setting.CHANNELS: (4,)}
)
_PPI: Final[Settings] = MappingProxyType({})
H10: Final = MappingProxyType({MeasurementType.ECG: _ECG, MeasurementType.ACCELERATION: _ACCELERATION})
VERITY_SENSE: Final = MappingProxyType(
    {
        MeasurementType.PPG: _PPG,
        MeasurementType.ACCELERATION: _ARM_ACCELERATION,
        MeasurementType.PPI: _PPI,
    }
)

# Samples in a frame, so that it fits into the packet of 232 octets that Polar's wearables agree on. Our choice.
_SAMPLES: Final = {MeasurementType.ECG: 73, MeasurementType.ACCELERATION: 36, MeasurementType.PPG: 18}
_SAMPLES_COMPRESSED: Final = 60
_PULSES: Final = 5
# 1.0 in IEEE 754, by which compressed samples are to be multiplied.
_FACTOR_ONE: Final = 0x3F800000

_SIGNALS: Final[Mapping[MeasurementType, Callable[[NDArray[np.float64]], NDArray[np.int64]]]] = MappingProxyType(
    {
        MeasurementType.ECG: waveforms.ecg,
        MeasurementType.ACCELERATION: waveforms.acceleration,
        MeasurementType.PPG: waveforms.light,
    }
)


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame that truly left the band: when its last sample was made, in seconds since 1970, and from one to the next.

    `interval_s` is None for pulse intervals.
    """

    at: float
    frame: Frame
    interval_s: float | None


class VirtualPolarBand(VirtualStrap):
    """A band within reach of a VirtualRadio: `start` it; it streams what the control point starts, until the link ends.

    `offers` are its streams and their settings, as the H10 or the VERITY_SENSE have them; `compressed` acceleration
    comes in deltas. `play` a heart for its heart rate and its pulse intervals. `frames` holds the last that left it.
    """

    default_name: ClassVar[str] = "Polar H10 00000010"
    default_address: ClassVar[str] = "C0:DE:00:00:02:10"
    model: ClassVar[str] = "Virtual band"

    def __init__(
        self,
        radio: VirtualRadio,
        clock: Clock,
        *,
        offers: Mapping[MeasurementType, Settings] = H10,
        compressed: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(radio, clock, **options)
        self.frames: deque[SentFrame] = deque(maxlen=self._remembered)
        self._offers = offers
        self._compressed = compressed
        self._started: dict[MeasurementType, asyncio.Task[None] | None] = {}
        self._pulses: list[PulseInterval] = []
        features = control.encode_features(offers)
        self._control = self._tells(CONTROL_POINT, indicate=True, value=features, read=True, write=self._on_control)
        self._data = self._tells(DATA)
        self._offer(SERVICE, self._control, self._data)

    @property
    def started(self) -> frozenset[MeasurementType]:
        """What it streams."""
        return frozenset(self._started)

    async def _on_control(self, written: bytes) -> None:
        try:
            op_code, kind, settings = control.decode_request(written)
        except DecodeError:
            head = (*written[:2], 0, 0)
            response = control.Response(head[0], head[1], Answer.INVALID_OP_CODE)
        else:
            response = self._obey(op_code, kind, settings)
        self._spawn(self._answer(response))

    def _obey(self, op_code: OpCode, number: int, settings: Settings) -> control.Response:
        if number not in self._offers:
            return control.Response(op_code, number, Answer.INVALID_MEASUREMENT_TYPE)
        kind = MeasurementType(number)
        if op_code is OpCode.SETTINGS:
            return control.Response(op_code, kind, Answer.SUCCESS, settings=self._offers[kind])
        if op_code is OpCode.STOP:
            if (streaming := self._started.pop(kind, None)) is not None:
                streaming.cancel()
            return control.Response(op_code, kind, Answer.SUCCESS)
        if kind in self._started:
            return control.Response(op_code, kind, Answer.ALREADY_IN_STATE)
        for setting, offered in self._offers[kind].items():
            if not set(settings.get(setting, offered[:1])) <= set(offered):
                wrong = Answer.INVALID_SAMPLE_RATE if setting is Setting.SAMPLE_RATE else Answer.INVALID_PARAMETER
                return control.Response(op_code, kind, wrong)
        rates = settings.get(Setting.SAMPLE_RATE) or self._offers[kind].get(Setting.SAMPLE_RATE)
        self._started[kind] = None if rates is None else self._spawn(self._stream(kind, rates[0]))
        factor = {Setting.FACTOR: (_FACTOR_ONE,)} if self._compressed else {}
        return control.Response(op_code, kind, Answer.SUCCESS, settings=MappingProxyType(factor))

    async def _answer(self, response: control.Response) -> None:
        await self._indicate(self._control, control.encode_response(response))

    async def _stream(self, kind: MeasurementType, rate: int) -> None:
        """Send frames, each when its last sample has been made, by the band's own quartz."""
        compressed = self._compressed and kind is MeasurementType.ACCELERATION
        count = _SAMPLES_COMPRESSED if compressed else _SAMPLES[kind]
        end = self._time.monotonic()
        while True:
            interval = 1.0 / rate / (1.0 + self.clock.drift_ppm * 1e-6)
            end += count * interval
            await self._time.sleep(max(0.0, end - self._time.monotonic()))
            late = self._time.monotonic() - end
            times = self._time.wall() - late - interval * np.arange(count - 1, -1, -1, dtype=np.float64)
            frame = self._frame(kind, self._measured(kind.name, _SIGNALS[kind](times)), late)
            payload = _compress(frame) if compressed and isinstance(frame, Acceleration) else encode(frame)
            sent = SentFrame(float(times[-1]), frame, interval)
            await self._say(self._data, payload, partial(self.frames.append, sent))

    def _frame(self, kind: MeasurementType, samples: NDArray[np.int64], late: float) -> Frame:
        time = self._device_time(late)
        if kind is MeasurementType.ECG:
            return Ecg(time, tuple(samples.tolist()))
        if kind is MeasurementType.ACCELERATION:
            return Acceleration(time, tuple(map(float, samples.ravel())))
        return Ppg(time, tuple((first, second, third, ambient) for first, second, third, ambient in samples.tolist()))

    def _device_time(self, late: float = 0.0) -> int:
        return round((self.clock.now() - late - EPOCH_S) * 1e9)

    async def _tell(self, due: list[Beat], epoch: float) -> None:
        await super()._tell(due, epoch)
        if MeasurementType.PPI not in self._started:
            self._pulses.clear()
            return
        self._pulses += [
            PulseInterval(0, round(beat.ticks * 1000 / 1024), 10, contact=self.vices.contact) for beat in due
        ]
        if len(self._pulses) >= _PULSES:
            frame = PulseIntervals(self._device_time(), tuple(self._pulses))
            self._pulses.clear()
            sent = SentFrame(self._time.wall(), frame, None)
            await self._say(self._data, encode(frame), partial(self.frames.append, sent))

    def _on_gone(self) -> None:
        self._started.clear()


def _compress(frame: Acceleration) -> bytes:
    """With deltas of as many bits as the largest needs."""
    deltas = [int(after - before) for before, after in zip(frame.mg, frame.mg[3:], strict=False)]
    widest = max(delta.bit_length() if delta >= 0 else (-delta - 1).bit_length() for delta in deltas)
    return encode_compressed(frame, widest + 1)
