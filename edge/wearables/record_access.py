"""Record Access Control Point (0x2A52): asking a wearable for what it has stored.

Glucose Service 1.0 (GLS v10r00), 3.4; Continuous Glucose Monitoring Service 1.0.1 (CGMS v101), 3.6; Pulse Oximeter
Service 1.0 (PLXS v10r00), 3.4. All three use the same requests and answers.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import IntEnum
from typing import Final, NamedTuple

from edge.errors import RefusedError
from edge.wearables.fields import DateTime, Fields
from edge.wearables.procedure import ANSWER_WITHIN_S, Next, Step, Write
from edge.wearables.profile import assigned_uuid

CONTROL_POINT: Final = assigned_uuid(0x2A52)


class OpCode(IntEnum):
    """What is asked or answered: Glucose Service 1.0, 3.4."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNT_ANSWER = 5
    ANSWER = 6


class Operator(IntEnum):
    """Which records: Glucose Service 1.0, 3.4."""

    NONE = 0
    ALL = 1
    AT_MOST = 2
    AT_LEAST = 3
    WITHIN = 4
    FIRST = 5
    LAST = 6


class Filter(IntEnum):
    """By what records are told apart: Glucose Service 1.0, 3.4.

    SEQUENCE is the sequence number of a glucose meter's record, and of a continuous monitor the minutes since its
    session began (CGMS 1.0.1, 3.6).
    """

    SEQUENCE = 1
    USER_FACING_TIME = 2


class Answer(IntEnum):
    """How a request went: Glucose Service 1.0, 3.4."""

    SUCCESS = 1
    OP_CODE_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    ABORT_UNSUCCESSFUL = 7
    NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9


class Request(NamedTuple):
    """What a collector writes; `bounds` are as many as the operator needs, numbers or times as `by` says."""

    op_code: OpCode
    operator: Operator = Operator.NONE
    by: Filter | None = None
    bounds: tuple[int, ...] | tuple[DateTime, ...] = ()


class Count(NamedTuple):
    """How many records match."""

    records: int


class Response(NamedTuple):
    """How the request with `op_code` went; numbers that are reserved come as they are."""

    op_code: int
    answer: int


_BOUNDS: Final = {Operator.AT_MOST: 1, Operator.AT_LEAST: 1, Operator.WITHIN: 2}
_NAME: Final = "Record Access Control Point (0x2A52)"

# How long no record and no answer may come before a transfer is given up. Our choice.
PATIENCE_S: Final = 30.0
# The ATT error of a wearable that still works on an earlier request: as GLS_ERROR_CODE_PROCEDURE_ALREADY_IN_PROGRESS in
# Stonestreet One's glucose service, and as in the Core Specification Supplement's common error codes.
_IN_PROGRESS: Final = (0x80, 0xFE)
# Answers to earlier requests that are passed over. Our choice.
_MOST_LATE: Final = 4

ABORT: Final = Request(OpCode.ABORT)
EVERYTHING: Final = Request(OpCode.REPORT, Operator.ALL)

# What a wearable answers that cannot select records as it is asked to.
NOT_SELECTABLE: Final = frozenset(
    {
        Answer.INVALID_OPERATOR,
        Answer.OPERATOR_NOT_SUPPORTED,
        Answer.INVALID_OPERAND,
        Answer.OPERAND_NOT_SUPPORTED,
    }
)


def report(request: Request, within_s: float = PATIENCE_S) -> Generator[Step, bytes, int]:
    """Ask for records, which come by their own characteristic, and return the Answer when all have come.

    What still runs from before is aborted first, and so is a transfer to which no answer comes. Raises RefusedError
    where the wearable refuses or does not answer, DecodeError for an answer that is none.
    """
    try:
        return (yield from _answered(request, within_s))
    except RefusedError as error:
        if error.code is not None and error.code not in _IN_PROGRESS:
            raise
        yield from _answered(ABORT)
        if error.code is None:
            raise
    return (yield from _answered(request, within_s))


def _answered(request: Request, within_s: float = ANSWER_WITHIN_S) -> Generator[Step, bytes, int]:
    step: Step = Write(CONTROL_POINT, encode_request(request), answer=CONTROL_POINT, within_s=within_s)
    for _ in range(_MOST_LATE):
        response = decode_response((yield step))
        if isinstance(response, Response) and response.op_code == request.op_code:
            return response.answer
        step = Next(CONTROL_POINT, within_s)
    raise RefusedError("only answers to other requests come", where=_NAME, mend="connect it anew")


def since(number: int) -> Request:
    """The request for all records from a sequence number (or minute of a session) on, 0..65535."""
    return Request(OpCode.REPORT, Operator.AT_LEAST, Filter.SEQUENCE, (number,))


def until(number: int) -> Request:
    """The request for all records up to a sequence number (or minute of a session), 0..65535."""
    return Request(OpCode.REPORT, Operator.AT_MOST, Filter.SEQUENCE, (number,))


def encode_request(request: Request) -> bytes:
    """The octets to be written. Raises OverflowError for numbers that do not fit."""
    head = bytes((request.op_code, request.operator))
    if request.by is None:
        return head
    bounds = (
        bound.encode() if isinstance(bound, DateTime) else bound.to_bytes(2, "little") for bound in request.bounds
    )
    return head + bytes((request.by,)) + b"".join(bounds)


def decode_request(payload: bytes) -> Request:
    """What a collector has written; for wearables that are virtual. Raises DecodeError for anything else."""
    fields = Fields(payload, _NAME)
    op_code, operator = fields.uint(1, "op code"), fields.uint(1, "operator")
    if op_code not in {OpCode.REPORT, OpCode.DELETE, OpCode.ABORT, OpCode.COUNT} or operator not in set(Operator):
        raise fields.malformed("its op code or operator is reserved")
    bounds = _BOUNDS.get(Operator(operator), 0)
    if not bounds:
        fields.end()
        return Request(OpCode(op_code), Operator(operator))
    by = fields.uint(1, "filter type")
    if by not in set(Filter):
        raise fields.malformed("its filter type is reserved")
    if by == Filter.USER_FACING_TIME:
        times = tuple(fields.date_time("filter") for _ in range(bounds))
        fields.end()
        return Request(OpCode(op_code), Operator(operator), Filter.USER_FACING_TIME, times)
    numbers = tuple(fields.uint(2, "filter") for _ in range(bounds))
    fields.end()
    return Request(OpCode(op_code), Operator(operator), Filter.SEQUENCE, numbers)


def encode_response(response: Count | Response) -> bytes:
    """The octets that a wearable indicates. Raises OverflowError for numbers that do not fit."""
    if isinstance(response, Count):
        return bytes((OpCode.COUNT_ANSWER, Operator.NONE)) + response.records.to_bytes(2, "little")
    return bytes((OpCode.ANSWER, Operator.NONE)) + b"".join(number.to_bytes(1, "little") for number in response)


def decode_response(payload: bytes) -> Count | Response:
    """What a wearable has indicated. Raises DecodeError for anything that is no answer."""
    fields = Fields(payload, _NAME)
    op_code, operator = fields.uint(1, "op code"), fields.uint(1, "operator")
    if operator != Operator.NONE or op_code not in {OpCode.COUNT_ANSWER, OpCode.ANSWER}:
        raise fields.malformed("it is no answer")
    found: Count | Response
    if op_code == OpCode.COUNT_ANSWER:
        found = Count(fields.uint(2, "number of records"))
    else:
        found = Response(fields.uint(1, "requested op code"), fields.uint(1, "response code"))
    fields.end()
    return found
