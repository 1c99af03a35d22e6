"""Virtual glucose meters and sensors: records that are told when they are asked for, over a real GATT exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bleak.exc import BleakGATTProtocolError

from edge.virtual.glucose_meter import VirtualGlucoseMeter
from edge.virtual.glucose_sensor import VirtualGlucoseSensor
from edge.virtual.wearable import Vices, VirtualWearable
from edge.wearables import continuous_glucose as cgm
from edge.wearables import glucose_meter
from edge.wearables import glucose_session_control as control
from edge.wearables.current_time import utc_offset_s
from edge.wearables.record_access import (
    CONTROL_POINT,
    Answer,
    Count,
    Filter,
    OpCode,
    Operator,
    Request,
    Response,
    decode_response,
    encode_request,
    since,
)
from tests.edge.virtual.listening import Home, Listener, home

ALL = Request(OpCode.REPORT, Operator.ALL)
DONE = Response(OpCode.REPORT, Answer.SUCCESS)


class Collector:
    """Somebody who asks."""

    def __init__(self, found: Home, listener: Listener) -> None:
        self.listener = listener
        self._found = found

    async def ask(self, request: Request) -> Count | Response:
        """The last answer after a request."""
        await self.listener.client.write_gatt_char(CONTROL_POINT, encode_request(request), response=True)
        await self._found.settled()
        return decode_response(self.listener.of(CONTROL_POINT)[-1])


@asynccontextmanager
async def collecting(found: Home, twin: VirtualWearable, *uuids: str) -> AsyncIterator[Collector]:
    async with found.heard(twin, CONTROL_POINT, *uuids) as listener:
        yield Collector(found, listener)


async def meter_with(found: Home, records: int) -> VirtualGlucoseMeter:
    twin = VirtualGlucoseMeter(found.radio, found.clock)
    await twin.start()
    for number in range(records):
        twin.measure(90.0 + number)
        await found.clock.advance(3600.0)
    return twin


async def test_meter_tells_nothing_by_itself_and_all_when_asked() -> None:
    async with home() as found:
        twin = await meter_with(found, 3)
        twin.measure(144.0, meal=1)
        async with collecting(found, twin, glucose_meter.MEASUREMENT, glucose_meter.CONTEXT) as collector:
            await found.settled()
            assert not collector.listener.got
            assert await collector.ask(ALL) == DONE
            told = [glucose_meter.decode(payload) for payload in collector.listener.of(glucose_meter.MEASUREMENT)]
            assert (
                told == [record.measurement for record in twin.sent] == [record.measurement for record in twin.records]
            )
            assert told[3].concentration is not None
            assert told[3].concentration.mg_per_dl == pytest.approx(144.0, rel=0.005)
            (context,) = collector.listener.of(glucose_meter.CONTEXT)
            assert glucose_meter.decode_context(context) == glucose_meter.Context(4, meal=1)


@pytest.mark.parametrize(
    ("operator", "bounds", "expected"),
    [
        (Operator.AT_LEAST, (4,), [4, 5]),
        (Operator.AT_MOST, (2,), [1, 2]),
        (Operator.WITHIN, (2, 4), [2, 3, 4]),
        (Operator.FIRST, (), [1]),
        (Operator.LAST, (), [5]),
    ],
)
async def test_meter_tells_what_the_filter_lets_through(
    operator: Operator, bounds: tuple[int, ...], expected: list[int]
) -> None:
    async with home() as found:
        twin = await meter_with(found, 5)
        by = Filter.SEQUENCE if bounds else None
        async with collecting(found, twin, glucose_meter.MEASUREMENT) as collector:
            assert await collector.ask(Request(OpCode.REPORT, operator, by, bounds)) == DONE
            told = [
                glucose_meter.decode(payload).sequence for payload in collector.listener.of(glucose_meter.MEASUREMENT)
            ]
            assert told == expected
            assert await collector.ask(Request(OpCode.COUNT, operator, by, bounds)) == Count(len(expected))


async def test_meter_without_new_records_says_so() -> None:
    async with home() as found:
        twin = await meter_with(found, 2)
        async with collecting(found, twin, glucose_meter.MEASUREMENT) as collector:
            assert await collector.ask(since(3)) == Response(OpCode.REPORT, Answer.NO_RECORDS)


async def test_abort_ends_the_transfer_and_a_second_request_meanwhile_is_refused() -> None:
    async with home() as found:
        twin = await meter_with(found, 200)
        async with collecting(found, twin, glucose_meter.MEASUREMENT) as collector:
            write = collector.listener.client.write_gatt_char
            await write(CONTROL_POINT, encode_request(ALL), response=True)
            with pytest.raises(BleakGATTProtocolError) as refused:
                await write(CONTROL_POINT, encode_request(ALL), response=True)
            assert refused.value.code == 0xFE
            assert await collector.ask(Request(OpCode.ABORT)) == Response(OpCode.ABORT, Answer.SUCCESS)
            assert 0 < len(collector.listener.of(glucose_meter.MEASUREMENT)) < 200
            assert await collector.ask(since(200)) == DONE


async def test_request_of_somebody_who_does_not_listen_is_refused() -> None:
    async with home() as found:
        twin = await meter_with(found, 1)
        async with found.connected(twin) as client:
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(CONTROL_POINT, encode_request(ALL), response=True)
            assert refused.value.code == 0xFD


async def test_request_that_is_none_is_answered() -> None:
    async with home() as found:
        twin = await meter_with(found, 1)
        async with collecting(found, twin) as collector:
            await collector.listener.client.write_gatt_char(CONTROL_POINT, b"\x2a\x01", response=True)
            await found.settled()
            (answer,) = collector.listener.of(CONTROL_POINT)
            assert decode_response(answer) == Response(0x2A, Answer.OP_CODE_NOT_SUPPORTED)


async def test_meter_that_hangs_up_amid_its_records_keeps_them() -> None:
    async with home() as found:
        twin = await meter_with(found, 5)
        twin.vices = Vices(hangs_up_after=2)
        async with collecting(found, twin, glucose_meter.MEASUREMENT) as collector:
            await collector.listener.client.write_gatt_char(CONTROL_POINT, encode_request(ALL), response=True)
            await found.settled()
            assert len(collector.listener.of(glucose_meter.MEASUREMENT)) == 2
            assert not collector.listener.of(CONTROL_POINT)
            assert not collector.listener.client.is_connected
        assert len(twin.records) == 5


async def test_deleted_records_are_gone() -> None:
    async with home() as found:
        twin = await meter_with(found, 3)
        async with collecting(found, twin, glucose_meter.MEASUREMENT) as collector:
            asked = Request(OpCode.DELETE, Operator.AT_MOST, Filter.SEQUENCE, (2,))
            assert await collector.ask(asked) == Response(OpCode.DELETE, Answer.SUCCESS)
            assert [record.measurement.sequence for record in twin.records] == [3]


async def play(twin: VirtualGlucoseSensor, found: Home, *values: float) -> None:
    playing = asyncio.create_task(twin.play(values))
    await found.clock.advance(len(values) * twin.interval_min * 60.0 + 1.0)
    await playing


@pytest.mark.parametrize("with_crc", [False, True])
async def test_sensor_streams_and_tells_what_was_missed(with_crc: bool) -> None:
    async with home() as found:
        twin = VirtualGlucoseSensor(found.radio, found.clock, with_crc=with_crc)
        await twin.start()
        began = found.clock.wall()
        await play(twin, found, 100.0, 105.0)
        async with collecting(found, twin, cgm.MEASUREMENT) as collector:
            await play(twin, found, 110.0)
            (live,) = collector.listener.of(cgm.MEASUREMENT)
            assert cgm.decode(live) == (cgm.CgmRecord(110.0, 15, with_crc=with_crc),)
            assert await collector.ask(since(0)) == DONE
            records = [
                record for payload in collector.listener.of(cgm.MEASUREMENT)[1:] for record in cgm.decode(payload)
            ]
            assert [(record.minute, record.glucose) for record in records] == [(5, 100.0), (10, 105.0), (15, 110.0)]
            assert [record.at for record in twin.records] == pytest.approx(
                [began + 60.0 * m for m in (5, 10, 15)], abs=2.0
            )
            feature = cgm.decode_feature(bytes(await collector.listener.client.read_gatt_char(cgm.FEATURE)))
            assert bool(feature.features & cgm.Feature.CRC) is with_crc
            status = cgm.decode_status(bytes(await collector.listener.client.read_gatt_char(cgm.STATUS)))
            assert (status.minute, status.with_crc) == (15, with_crc)
            hours = cgm.decode_session_run_time(
                bytes(await collector.listener.client.read_gatt_char(cgm.SESSION_RUN_TIME))
            )
            assert hours == 240


async def test_sensor_knows_when_its_session_began_by_its_own_clock() -> None:
    async with home() as found:
        twin = VirtualGlucoseSensor(found.radio, found.clock)
        await twin.start()
        await found.clock.advance(3600.0)
        async with found.connected(twin) as client:
            start = cgm.decode_session_start(bytes(await client.read_gatt_char(cgm.SESSION_START)))
            assert start.timestamp() == pytest.approx(twin.session_began, abs=1.0)


async def test_session_is_begun_anew_and_told_what_time_it_is() -> None:
    async with home() as found:
        twin = VirtualGlucoseSensor(found.radio, found.clock, announced=False)
        await twin.start()
        await play(twin, found, 100.0)
        async with collecting(found, twin, control.CONTROL_POINT) as collector:
            client, listener = collector.listener.client, collector.listener

            async def ask(op_code: control.OpCode) -> control.Response | control.Interval:
                request = control.encode_request(control.Request(op_code), with_crc=False)
                await client.write_gatt_char(control.CONTROL_POINT, request, response=True)
                await found.settled()
                return control.decode_response(listener.of(control.CONTROL_POINT)[-1], with_crc=False)

            busy = control.Response(control.OpCode.START_SESSION, control.Answer.NOT_COMPLETED)
            assert await ask(control.OpCode.START_SESSION) == busy
            await ask(control.OpCode.STOP_SESSION)
            assert await ask(control.OpCode.GET_INTERVAL) == control.Interval(5)
            done = control.Response(control.OpCode.START_SESSION, control.Answer.SUCCESS)
            assert await ask(control.OpCode.START_SESSION) == done
            assert not twin.records
            start = cgm.decode_session_start(bytes(await client.read_gatt_char(cgm.SESSION_START)))
            assert start.timestamp() is None
            await found.clock.advance(1200.0)
            offset = twin.clock.utc_offset_s(found.clock.wall())
            now = cgm.SessionStart(twin.clock.stamp(), round(offset / 900.0), 0)
            assert utc_offset_s(now.zone, now.dst) == offset
            await client.write_gatt_char(cgm.SESSION_START, cgm.encode_session_start(now), response=True)
            start = cgm.decode_session_start(bytes(await client.read_gatt_char(cgm.SESSION_START)))
            assert start.timestamp() == pytest.approx(twin.session_began, abs=1.0)
