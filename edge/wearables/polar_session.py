"""Polar Measurement Data as a conversation: which streams are asked for, and when their samples were taken.

Polar Measurement Data Specification, and what Polar writes of its wearables (polarofficial/polar-ble-sdk on GitHub,
folder documentation: PPIData.md, products/PolarVeritySense.md). A wearable that finds our MTU too small for a frame
refuses the stream; BlueZ asks for as much as there is.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import ClassVar, Final

from edge.errors import DecodeError, RefusedError
from edge.readings import CHANNELS, Channel, Quality, Reading, Source
from edge.wearables import polar_control as control
from edge.wearables.device_clock import DeviceClock
from edge.wearables.fields import steady
from edge.wearables.polar_control import Answer, OpCode, Setting
from edge.wearables.polar_pmd import (
    CONTROL_POINT,
    DATA,
    ECG_HZ,
    EPOCH_S,
    SERVICE,
    Acceleration,
    Ecg,
    MeasurementType,
    Ppg,
    PulseInterval,
    PulseIntervals,
    decode,
)
from edge.wearables.procedure import Next, Pause, Procedure, Read, Step, Write
from edge.wearables.profile import Profile, Session, StatelessSession
from edge.wearables.wall_clock import WallClock

# Samples a second that are asked for where there is a choice, and the fewest that serve. Our choice: people move below
# 20 Hz (see edge.signals.acceleration), and more only costs battery.
WANTED_HZ: Final = MappingProxyType({MeasurementType.ECG: ECG_HZ, MeasurementType.ACCELERATION: 50.0})
FEWEST_HZ: Final = 25.0
# A frame whose samples lie further apart than this share of their pace, or closer, has others missing before it, or is
# of a clock that was set. Our choice: pace and stamps of one wearable agree to less than a percent.
PACE_TOLERANCE: Final = 0.2
# A pulse interval that the wearable thinks to be off by more is marked: an irregular heartbeat shows in tens of ms.
# Our choice.
MOST_ERROR_MS: Final = 30
# A wearable that cannot start a stream now, as in its charger, is asked again after so many seconds, and then after
# twice as many, up to MOST_RETRY_S. Our choice.
RETRY_S: Final = 60.0
MOST_RETRY_S: Final = 900.0
# Drift is remembered when it has changed by this much: by a millionth or two it always wanders.
_DRIFT_STEP: Final = 5e-6
# Answers to earlier requests that are passed over, and pieces of which an answer may consist. Our choice.
_MOST_PIECES: Final = 8

_RR: Final = CHANNELS[Channel.RR_INTERVAL]


@dataclass(slots=True)
class _Stream:
    """A stream as it was started: seconds from sample to sample, and by what compressed samples are multiplied."""

    interval_s: float
    factor: float = 1.0
    last_ticks: float | None = None
    last_end: float = 0.0
    era: int = 0


class PolarMeasurementData(Profile):
    """Polar Measurement Data: Readings of ecg (µV), acceleration (mg), rr_interval (ms) or ppg (counts)."""

    name: ClassVar[str] = "polar_measurement_data"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (DATA,)
    streams: ClassVar[tuple[str, ...]] = (DATA,)
    control: ClassVar[tuple[str, ...]] = (CONTROL_POINT,)
    turn: ClassVar[int] = 2

    def session(self, source: Source, memory: Mapping[str, float], _clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return PolarSession(self, source, memory)


class PolarSession(StatelessSession):
    """Asks for the streams after every connecting, and places their samples by the wearable's own clock.

    Pulse intervals are asked for only where there is no ECG: a strap's heart rate service tells RR intervals off the
    ECG, which are better. Light is asked for only where there is neither: nothing here makes beats of it, and it costs
    more battery than all the rest.

    Its memory is `drift`, by what share our clock runs faster than the wearable's.
    """

    def __init__(self, profile: Profile, source: Source, memory: Mapping[str, float]) -> None:
        super().__init__(profile, source)
        self._memory = memory
        self._clock = DeviceClock(memory.get("drift", 0.0))
        self._streams: dict[int, _Stream] = {}
        self._era = 0

    def opening(self, _now: float, present: Collection[str], /) -> Procedure | None:
        """See Session."""
        self._streams.clear()
        return self._start() if {CONTROL_POINT, DATA} <= set(present) else None

    def readings(self, _characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. None of a stream that was not asked for on this connection: its pace is not known.

        Whether it is worn these streams do not say; only pulse intervals say when it is not.
        """
        stream = self._streams.get(payload[0]) if payload else None
        frame = decode(payload, 1.0 if stream is None else stream.factor)
        if stream is None:
            return ()
        if isinstance(frame, PulseIntervals):
            return _rr_readings(frame.intervals, self._source, received_at)
        if isinstance(frame, Acceleration):
            return self._steady(Channel.ACCELERATION, frame.mg, stream, frame.device_time_ns, received_at)
        if isinstance(frame, Ecg):
            microvolts = tuple(map(float, frame.microvolts))
            return self._steady(Channel.ECG, microvolts, stream, frame.device_time_ns, received_at)
        return self._steady(Channel.PPG, _trace(frame), stream, frame.device_time_ns, received_at)

    def lost(self) -> tuple[Reading, ...]:
        """See Session."""
        self._streams.clear()
        return ()

    @property
    def memory(self) -> Mapping[str, float]:
        """See Session."""
        return self._memory

    def _start(self) -> Procedure:
        """Start what is offered; what cannot be now is tried again, what is refused is told when all else is done."""
        waiting, refused, pause = _wanted(control.decode_features((yield Read(CONTROL_POINT)))), [], RETRY_S
        while waiting:
            kinds, waiting = waiting, []
            for kind in kinds:
                try:
                    yield from self._start_stream(kind)
                except NotNowError:
                    waiting.append(kind)
                except (RefusedError, DecodeError) as error:
                    refused.append(f"{kind.name.lower()}: {error}")
            if waiting:
                yield Pause(pause)
                pause = min(2 * pause, MOST_RETRY_S)
        if refused:
            raise RefusedError(
                f"these streams do not start: {'; '.join(refused)}",
                where=self._source.device,
                mend="update the wearable's firmware",
            )

    def _start_stream(self, kind: MeasurementType) -> Generator[Step, bytes, None]:
        settings = (yield from _ask(control.ask_for_settings(kind), OpCode.SETTINGS, kind)).settings
        chosen = choose(kind, settings)
        try:
            response = yield from _ask(control.start(kind, chosen), OpCode.START, kind)
        except AlreadyStartedError:
            # It goes on from a connection that ended without a word; with which settings, nobody knows.
            yield from _ask(control.stop(kind), OpCode.STOP, kind)
            response = yield from _ask(control.start(kind, chosen), OpCode.START, kind)
        self._streams[kind] = _Stream(1.0 / (chosen.get(Setting.SAMPLE_RATE) or ECG_HZ), response.factor)

    def _steady(
        self, channel: Channel, values: tuple[float, ...], stream: _Stream, device_time_ns: int, received_at: float
    ) -> tuple[Reading, ...]:
        """Readings of a frame whose last sample is of `device_time_ns`, joined to those before where none is lost."""
        count = len(values) // CHANNELS[channel].axes
        if not count:
            return ()
        ticks = EPOCH_S + device_time_ns / 1e9
        if self._clock.hear(ticks, received_at):
            self._era += 1
        self._learn()
        end, interval, quality = self._clock.at(ticks), stream.interval_s, Quality.CONTACT_UNKNOWN
        pace = None if stream.last_ticks is None else (ticks - stream.last_ticks) / count
        if pace is not None and stream.era == self._era and abs(pace - interval) <= PACE_TOLERANCE * interval:
            stream.interval_s = interval = (end - stream.last_end) / count
        else:
            quality |= Quality.GAP_BEFORE
        stream.last_ticks, stream.last_end, stream.era = ticks, end, self._era
        return steady(channel, values, self._source, end - (count - 1) * interval, interval, received_at, quality)

    def _learn(self) -> None:
        drift = self._clock.drift
        if abs(drift - self._memory.get("drift", 0.0)) >= _DRIFT_STEP:
            self._memory = MappingProxyType({"drift": drift})


class AlreadyStartedError(RefusedError):
    """The stream runs already."""


class NotNowError(RefusedError):
    """The wearable is in its charger, or busy otherwise."""


_REFUSALS: Final[Mapping[int, type[RefusedError]]] = MappingProxyType(
    {
        Answer.ALREADY_IN_STATE: AlreadyStartedError,
        Answer.INVALID_STATE: NotNowError,
        Answer.IN_CHARGER: NotNowError,
    }
)


def choose(kind: MeasurementType, settings: Mapping[Setting, tuple[int, ...]]) -> dict[Setting, int]:
    """One number for each setting that is offered: the wanted pace, the finest resolution, the widest range.

    The widest range since a fall is what acceleration is watched for.
    """
    chosen: dict[Setting, int] = {}
    for setting, offered in settings.items():
        if setting is Setting.FACTOR or not offered:
            continue
        if setting is Setting.SAMPLE_RATE:
            enough = [rate for rate in offered if rate >= FEWEST_HZ] or [max(offered)]
            chosen[setting] = min(enough, key=lambda rate: abs(rate - WANTED_HZ.get(kind, FEWEST_HZ)))
        else:
            chosen[setting] = max(offered)
    return chosen


def _wanted(offered: frozenset[int]) -> list[MeasurementType]:
    beats = (MeasurementType.ECG, MeasurementType.PPI, MeasurementType.PPG)
    best = [kind for kind in beats if kind in offered][:1]
    return best + [kind for kind in (MeasurementType.ACCELERATION,) if kind in offered]


def _ask(request: bytes, op_code: OpCode, kind: MeasurementType) -> Generator[Step, bytes, control.Response]:
    """Ask, and put the answer's pieces together. Raises RefusedError for a no."""
    pieces: list[bytes] = []
    step: Step = Write(CONTROL_POINT, request, answer=CONTROL_POINT)
    for _ in range(_MOST_PIECES):
        piece = yield step
        step = Next(CONTROL_POINT)
        if piece[:3] != bytes((control.RESPONSE, op_code, kind)):
            continue  # late, of an earlier request, or that a stream has stopped
        pieces.append(piece)
        if control.has_more(piece):
            continue
        response = control.decode_response(control.joined(pieces))
        if response.answer != Answer.SUCCESS:
            said = Answer(response.answer).name if response.answer in set(Answer) else str(response.answer)
            refusal = _REFUSALS.get(response.answer, RefusedError)
            raise refusal(f"the answer is {said}", where=kind.name, mend="see Polar's specification")
        return response
    raise RefusedError("the answer does not end", where=kind.name, mend="update the wearable's firmware")


def _trace(frame: Ppg) -> tuple[float, ...]:
    """One trace of the three lights: their mean, less the ambient light."""
    return tuple(round((first + second + third) / 3 - ambient) for first, second, third, ambient in frame.samples)


def _rr_readings(intervals: tuple[PulseInterval, ...], source: Source, received_at: float) -> tuple[Reading, ...]:
    """Readings of rr_interval whose times are provisional: the last beat falls at `received_at`. 0 ms is none."""
    beats = [interval for interval in intervals if interval.interval_ms]
    start = received_at - sum(interval.interval_ms for interval in beats) / 1000.0
    found = []
    for quality, run in groupby(beats, _quality):
        reading = Reading(
            person=source.person,
            device=source.device,
            channel=Channel.RR_INTERVAL,
            unit=_RR.unit,
            start=start,
            received_at=received_at,
            values=tuple(float(interval.interval_ms) for interval in run),
            quality=quality,
        )
        found.append(reading)
        start = reading.end
    return tuple(found)


def _quality(interval: PulseInterval) -> Quality:
    """What is known against a pulse interval.

    Movement makes it unreliable. Where the wearable feels no skin, it is off; where it does, that can't be trusted,
    Polar says (PPIData.md).
    """
    quality = Quality.NO_CONTACT if interval.contact is False else Quality.CONTACT_UNKNOWN
    if interval.blocked or interval.error_ms > MOST_ERROR_MS:
        quality |= Quality.UNRELIABLE
    if not _RR.low <= interval.interval_ms <= _RR.high:
        quality |= Quality.OUT_OF_RANGE
    return quality


PROFILE: Final = PolarMeasurementData()
