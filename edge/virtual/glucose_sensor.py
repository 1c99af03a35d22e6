"""A virtual continuous glucose monitor: a sensor under the skin, with its session and its stored records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Unpack

from bumble.att import ATT_Error

from edge.clock import Clock
from edge.errors import DecodeError
from edge.virtual.radio import VirtualRadio
from edge.virtual.record_keeper import RecordKeeper
from edge.virtual.wearable import CCCD_IMPROPERLY_CONFIGURED, VALUE_NOT_ALLOWED, Options
from edge.wearables import glucose_session_control as control
from edge.wearables.continuous_glucose import (
    CgmFeature,
    CgmRecord,
    CgmStatus,
    Feature,
    SessionStart,
    Status,
    decode_session_start,
    encode,
    encode_feature,
    encode_session_run_time,
    encode_session_start,
    encode_status,
)
from edge.wearables.current_time import DST_UNKNOWN, ZONE_UNKNOWN
from edge.wearables.fields import DateTime
from edge.wearables.ieee11073 import Number

# Interstitial fluid from subcutaneous tissue: CGM Service 1.0.1, 3.2.
_INTERSTITIAL: Final = 9
_SUBCUTANEOUS: Final = 5
# What a session lasts: ten days, as those of common sensors do.
_RUN_HOURS: Final = 240
_NO_TIME: Final = SessionStart(DateTime(0, 0, 0, 0, 0, 0), ZONE_UNKNOWN, DST_UNKNOWN)
_QUARTER_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class SensorRecord:
    """What was measured, and when it truly was, in seconds since 1970."""

    at: float
    record: CgmRecord


class VirtualGlucoseSensor(RecordKeeper[SensorRecord]):
    """A sensor within reach of a VirtualRadio: `start` it, then `play` days of glucose.

    Its session has begun when it is made, at `session_began` seconds since 1970; the session's start is `announced` to
    it, as by a phone's app, or must be told to it. `sent` holds the last records that left it. Assign `status` for what
    it does not vouch for.
    """

    default_name: ClassVar[str] = "Glucose sensor"
    default_address: ClassVar[str] = "C0:DE:00:00:01:1F"
    model: ClassVar[str] = "Virtual glucose sensor"

    def __init__(
        self,
        radio: VirtualRadio,
        clock: Clock,
        *,
        with_crc: bool = False,
        announced: bool = True,
        interval_min: int = 5,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(radio, clock, **options)
        self.sent: deque[SensorRecord] = deque(maxlen=self._remembered)
        self.status = Status(0)
        self.session_began = clock.wall()
        self.interval_min = interval_min
        self._with_crc = with_crc
        self._began = clock.monotonic()
        self._runs = True
        self._start = self._told_start() if announced else _NO_TIME
        self._measurement = self._tells("2AA7")
        self._control = self._tells("2AAC", indicate=True, write=self._on_control)
        run_time = encode_session_run_time(_RUN_HOURS, with_crc=with_crc)
        self._offer(
            "181F",
            self._measurement,
            self._reads("2AA8", encode_feature(self._feature())),
            self._answers("2AA9", self._read_status),
            self._answers("2AAA", self._read_start, self._write_start),
            self._reads("2AAB", run_time),
            self._access,
            self._control,
        )

    @property
    def minute(self) -> int:
        """Minutes since the session began, by the sensor's own quartz."""
        return round((self._time.monotonic() - self._began) * (1.0 + self.clock.drift_ppm * 1e-6) / 60.0)

    async def play(self, glucose: Iterable[Number]) -> None:
        """Measure glucose (mg/dL) from now on, once per interval; each is stored, and told to who listens."""
        for value in glucose:
            await self._time.sleep(self.interval_min * 60.0 / (1.0 + self.clock.drift_ppm * 1e-6))
            if self._runs:
                await self.measure(value)

    async def measure(self, mg_per_dl: Number) -> None:
        """Measure once, now."""
        value = self._measured("glucose", mg_per_dl)
        record = CgmRecord(value, self.minute, self.status or None, with_crc=self._with_crc)
        self.records.append(SensorRecord(self._time.wall(), record))
        await self._tell(self.records[-1])

    def _number(self, record: SensorRecord) -> int:
        return record.record.minute

    async def _tell(self, record: SensorRecord) -> None:
        await self._say(self._measurement, encode((record.record,)), partial(self.sent.append, record))

    def _feature(self) -> CgmFeature:
        features = Feature.SEVERAL_SESSIONS | (Feature.CRC if self._with_crc else Feature(0))
        return CgmFeature(features, _INTERSTITIAL, _SUBCUTANEOUS)

    def _read_status(self) -> bytes:
        status = self.status | (Status(0) if self._runs else Status.SESSION_STOPPED)
        return encode_status(CgmStatus(self.minute, status, self._with_crc))

    def _read_start(self) -> bytes:
        return encode_session_start(self._start._replace(with_crc=self._with_crc))

    def _write_start(self, written: bytes) -> None:
        try:
            told = decode_session_start(written)
        except DecodeError as error:
            raise ATT_Error(VALUE_NOT_ALLOWED) from error
        # What is written is the present time, from which the sensor reckons back, as Nordic Semiconductor's does
        # (nrf_ble_cgms_sst.c in its nRF5 SDK).
        now = told.timestamp()
        if now is not None:
            self.clock.set(now)
            self._start = self._told_start()

    def _told_start(self) -> SessionStart:
        """The session's start by the sensor's clock, in the household's zone, which is told without DST."""
        began = self.clock.now() - self.minute * 60.0
        stamp = self.clock.stamp(began)
        return SessionStart(stamp, round(self.clock.utc_offset_s(began) / _QUARTER_S), 0)

    async def _on_control(self, written: bytes) -> None:
        if not self._heard(self._control):
            raise ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        try:
            request = control.decode_request(written, with_crc=self._with_crc)
        except DecodeError:
            answer = control.Response(next(iter(written), 0), control.Answer.OP_CODE_NOT_SUPPORTED)
            self._spawn(self._answer_control(answer))
            return
        self._spawn(self._answer_control(self._obey(request)))

    def _obey(self, request: control.Request) -> control.Response | control.Interval:
        if request.op_code is control.OpCode.GET_INTERVAL:
            return control.Interval(self.interval_min)
        answer = control.Answer.SUCCESS
        if request.op_code is control.OpCode.SET_INTERVAL:
            self.interval_min = request.minutes or self.interval_min
        elif request.op_code is control.OpCode.STOP_SESSION:
            self._runs = False
        elif self._runs:
            answer = control.Answer.NOT_COMPLETED
        else:
            self._begin_session()
        return control.Response(request.op_code, answer)

    def _begin_session(self) -> None:
        """A new session knows nothing of the one before, nor what time it is."""
        self.records.clear()
        self.session_began, self._began = self._time.wall(), self._time.monotonic()
        self._runs, self._start = True, _NO_TIME

    async def _answer_control(self, response: control.Response | control.Interval) -> None:
        await self._indicate(self._control, control.encode_response(response, with_crc=self._with_crc))
