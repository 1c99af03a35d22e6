"""What virtual glucose meters and sensors have in common: records that they tell only when they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, Unpack

from bumble.att import ATT_Error

from edge.clock import Clock
from edge.errors import DecodeError
from edge.virtual.radio import VirtualRadio
from edge.virtual.wearable import (
    CCCD_IMPROPERLY_CONFIGURED,
    PROCEDURE_ALREADY_IN_PROGRESS,
    Options,
    VirtualWearable,
)
from edge.wearables.record_access import (
    Answer,
    Count,
    Filter,
    OpCode,
    Operator,
    Request,
    Response,
    decode_request,
    encode_response,
)

R = TypeVar("R")

# Which of the records, oldest first, and their numbers a request is for.
_CHOICES: Final[dict[Operator, Callable[[list[int], Any], list[int]]]] = {
    Operator.ALL: lambda numbers, _: numbers,
    Operator.AT_MOST: lambda numbers, bounds: [number for number in numbers if number <= bounds[0]],
    Operator.AT_LEAST: lambda numbers, bounds: [number for number in numbers if number >= bounds[0]],
    Operator.WITHIN: lambda numbers, bounds: [number for number in numbers if bounds[0] <= number <= bounds[1]],
    Operator.FIRST: lambda numbers, _: numbers[:1],
    Operator.LAST: lambda numbers, _: numbers[-1:],
}


class RecordKeeper(VirtualWearable, Generic[R]):
    """Keeps `records`, oldest first, and has the control point by which they are asked for."""

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.records: list[R] = []
        self._access = self._tells("2A52", indicate=True, write=self._on_request)
        self._working: asyncio.Task[None] | None = None
        self._aborted = False

    def _number(self, record: R) -> int:
        """By what a record is filtered: its sequence number, or its minute."""
        raise NotImplementedError

    async def _tell(self, record: R) -> None:
        """Notify one record."""
        raise NotImplementedError

    async def _on_request(self, written: bytes) -> None:
        """Take a request; it is answered by indications once the write is confirmed."""
        if not self._heard(self._access):
            raise ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        try:
            request = decode_request(written)
        except DecodeError:
            self._spawn(self._answer(Response(next(iter(written), 0), Answer.OP_CODE_NOT_SUPPORTED)))
            return
        if request.op_code is OpCode.ABORT:
            self._aborted = True
            self._spawn(self._answer(Response(OpCode.ABORT, Answer.SUCCESS)))
            return
        if self._working is not None and not self._working.done():
            raise ATT_Error(PROCEDURE_ALREADY_IN_PROGRESS)
        self._working = self._spawn(self._serve(request))

    async def _serve(self, request: Request) -> None:
        choice = _CHOICES.get(request.operator)
        if choice is None or request.by is Filter.USER_FACING_TIME:
            wrong = Answer.INVALID_OPERATOR if choice is None else Answer.OPERAND_NOT_SUPPORTED
            await self._answer(Response(request.op_code, wrong))
            return
        chosen = set(choice([self._number(record) for record in self.records], request.bounds))
        found = [record for record in self.records if self._number(record) in chosen]
        if request.op_code is OpCode.COUNT:
            await self._answer(Count(len(found)))
            return
        if request.op_code is OpCode.DELETE:
            self.records = [record for record in self.records if self._number(record) not in chosen]
        elif not await self._report(found):
            return
        await self._answer(Response(request.op_code, Answer.SUCCESS if found else Answer.NO_RECORDS))

    async def _report(self, records: list[R]) -> bool:
        """Tell the records; whether that came to its end."""
        self._aborted = False
        for told, record in enumerate(records):
            if told == self.vices.hangs_up_after:
                await self.drop_link()
                return False
            if self._aborted:
                return False
            await self._tell(record)
            # The next one goes when the radio has taken this one, so that an abort comes in between.
            for connection in list(self._device.connections.values()):
                await connection.drain()
        return not self._aborted

    async def _answer(self, response: Count | Response) -> None:
        await self._indicate(self._access, encode_response(response))
