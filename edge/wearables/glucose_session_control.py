"""CGM Specific Ops Control Point (0x2AAC): beginning and ending the session of a continuous glucose monitor.

The numbers are those of Nordic Semiconductor's nRF Connect SDK (cgms_socp.h), which implements the CGM Service; the
Bluetooth SIG's specification has the same procedures in its CGM Service 1.0.1. Of them only what a session needs is
here: thresholds and calibrations are for who sees the person, and not for us.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from edge.wearables.continuous_glucose import crc
from edge.wearables.fields import Fields, bytes_of
from edge.wearables.profile import assigned_uuid

CONTROL_POINT: Final = assigned_uuid(0x2AAC)


class OpCode(IntEnum):
    """What is asked or answered."""

    SET_INTERVAL = 0x01
    GET_INTERVAL = 0x02
    INTERVAL_ANSWER = 0x03
    START_SESSION = 0x1A
    STOP_SESSION = 0x1B
    ANSWER = 0x1C


class Answer(IntEnum):
    """How a request went."""

    SUCCESS = 1
    OP_CODE_NOT_SUPPORTED = 2
    INVALID_OPERAND = 3
    NOT_COMPLETED = 4
    OUT_OF_RANGE = 5


class Request(NamedTuple):
    """What a collector writes; `minutes` from record to record belong to SET_INTERVAL alone."""

    op_code: OpCode
    minutes: int | None = None


class Interval(NamedTuple):
    """Minutes from record to record; 0 says that the monitor tells none by itself."""

    minutes: int


class Response(NamedTuple):
    """How the request with `op_code` went; numbers that are reserved come as they are."""

    op_code: int
    answer: int


_NAME: Final = "CGM Specific Ops Control Point (0x2AAC)"
_CRC_OCTETS: Final = 2


def encode_request(request: Request, *, with_crc: bool) -> bytes:
    """The octets to be written; `with_crc` where the monitor has Feature.CRC."""
    return _protected(bytes_of(request.op_code, *request[1:] if request.minutes is not None else ()), with_crc=with_crc)


def decode_request(payload: bytes, *, with_crc: bool) -> Request:
    """What a collector has written; for monitors that are virtual. Raises DecodeError for anything else."""
    fields = _checked(payload, with_crc=with_crc)
    op_code = fields.uint(1, "op code")
    if op_code not in {OpCode.SET_INTERVAL, OpCode.GET_INTERVAL, OpCode.START_SESSION, OpCode.STOP_SESSION}:
        raise fields.malformed("its op code is not known")
    found = Request(OpCode(op_code), fields.uint(1, "interval") if op_code == OpCode.SET_INTERVAL else None)
    fields.end()
    return found


def encode_response(response: Interval | Response, *, with_crc: bool) -> bytes:
    """The octets that a monitor indicates."""
    head = OpCode.INTERVAL_ANSWER if isinstance(response, Interval) else OpCode.ANSWER
    return _protected(bytes_of(head, *response), with_crc=with_crc)


def decode_response(payload: bytes, *, with_crc: bool) -> Interval | Response:
    """What a monitor has indicated. Raises DecodeError for anything that is no answer."""
    fields = _checked(payload, with_crc=with_crc)
    op_code = fields.uint(1, "op code")
    found: Interval | Response
    if op_code == OpCode.INTERVAL_ANSWER:
        found = Interval(fields.uint(1, "interval"))
    elif op_code == OpCode.ANSWER:
        found = Response(fields.uint(1, "requested op code"), fields.uint(1, "response code"))
    else:
        raise fields.malformed("it is no answer")
    fields.end()
    return found


def _protected(body: bytes, *, with_crc: bool) -> bytes:
    return body + crc(body).to_bytes(_CRC_OCTETS, "little") if with_crc else body


def _checked(payload: bytes, *, with_crc: bool) -> Fields:
    """The fields before the CRC, which must be right."""
    if not with_crc:
        return Fields(payload, _NAME)
    body = bytes(payload[:-_CRC_OCTETS])
    if _protected(body, with_crc=True) != payload:
        raise Fields(payload, _NAME).malformed("its CRC is wrong")
    return Fields(body, _NAME)
