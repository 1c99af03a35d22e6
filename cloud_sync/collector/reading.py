"""From what the broker brings to what is stored."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError

from cloud_sync.collector.entries import MINUTES, Arrival, Entry, Presence, Row, Sealed, refuse
from cloud_sync.messages.bodies import (
    AlertMessage,
    AssessmentsMessage,
    DayMessage,
    FaultMessage,
    HourMessage,
    Message,
    MinutesMessage,
    ModelMessage,
    ResultMessage,
    StatusMessage,
)
from cloud_sync.messages.health import DevicesMessage, HealthMessage
from cloud_sync.messages.parsing import DEFLATED, LARGEST_TEXT, Received, parse
from cloud_sync.messages.sealing import sealed_id
from cloud_sync.messages.topics import Kind
from edge.errors import MessageError
from edge.telling.household_key import SecretKey

TABLES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.MINUTES: MINUTES,
        Kind.HOUR: "hour_messages",
        Kind.DAY: "day_messages",
        Kind.ASSESSMENTS: "assessment_messages",
        Kind.ALERT: "alert_messages",
        Kind.FAULT: "fault_messages",
        Kind.DEVICES: "device_messages",
        Kind.HEALTH: "health_messages",
        Kind.RESULT: "result_messages",
        Kind.MODEL: "model_messages",
    }
)
# What goes from the cloud to homes under the same root, hearthbeat/v1/<home>/command: none of the collector's business.
_COMMAND: Final = "command"
_HOME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)  # as cloud_sync.messages.topics has it
# A message whose time is further ahead than a clock is likely to be wrong, or longer ago than a home is likely to have
# been away, would make partitions that nobody wants: ten a month. Our choice.
AHEAD_S: Final = 2 * 86_400.0
BEHIND_S: Final = 5 * 365.25 * 86_400.0
# What a number may be made of that is too small for PostgreSQL's float8, but not for its jsonb: it is told as 0 there.
_TINY: Final = (b"e-", b"E-", b"0" * 300)

_log = structlog.get_logger("collector")


class _Claim(BaseModel):
    id: UUID


def read(arrival: Arrival, largest_payload: int, key: SecretKey | None = None) -> Entry | None:
    """What is to be stored of `arrival`; None for what only passes by. Nothing that a sender writes raises an error.

    `largest_payload` is in bytes; `key` opens what is sealed to it.
    """
    if passes_by(arrival.topic):
        return None
    if len(arrival.payload) > largest_payload:
        why = f"{len(arrival.payload)} bytes, {largest_payload} at most are taken"
        return refuse(arrival, "too large", why)
    try:
        return _entry(arrival, parse(arrival.topic, arrival.payload, key))
    except MessageError as error:
        return refuse(arrival, error.reason.value, error.what)
    except Exception as error:  # noqa: BLE001 -- a fault of ours must not stop every collector at one message
        _log.exception("a message could not be read for a fault of the collector", topic=arrival.topic)
        return refuse(arrival, "fault", f"{type(error).__name__}, see the collector's log")


def _entry(arrival: Arrival, received: Received) -> Entry:
    if isinstance(received.message, StatusMessage):
        at = received.message.at
        return Presence(received.home, received.message.online, arrival.received if at is None else at)
    identifier = str(received.id)
    if received.message is None:
        return Sealed(
            received.home, identifier, received.kind.value, received.person, arrival.received, arrival.payload
        )
    at, ends = times_of(received.message)
    if not arrival.received - BEHIND_S <= at <= ends <= arrival.received + AHEAD_S:
        return refuse(arrival, "time", f"it tells of {at:.0f} to {ends:.0f} s since 1970 UTC, which cannot be")
    return Row(
        TABLES[received.kind],
        received.home,
        identifier,
        at,
        ends,
        received.person,
        arrival.received,
        _body(received, received.message),
    )


def _body(received: Received, message: Message) -> str:
    """What is stored of a message: its fields without those that are null.

    Minutes are most of what comes, and their text is good as it is: the database takes the nulls out of it (and could
    not of others, where a null in a table of models says something). Numbers that a view could not read are the
    exception: one of them would make every query over that home's minutes fail.
    """
    text = received.text
    if isinstance(message, MinutesMessage) and text is not None and not any(sign in text for sign in _TINY):
        return text.decode()
    return message.model_dump_json(exclude_none=True)


def passes_by(topic: str) -> bool:
    """Whether a topic is the one by which the cloud speaks to a home."""
    levels = topic.split("/")
    return len(levels) == 4 and levels[3] == _COMMAND


def home_of(topic: str) -> str | None:
    """The home of a topic, of whatever version or kind; None where it names none."""
    levels = topic.split("/")
    return levels[2] if len(levels) > 3 and _HOME.fullmatch(levels[2]) else None


def claimed_id(payload: bytes) -> str | None:
    """The id that a message has, as far as that can be told of one that is refused; None where it has none."""
    text = payload
    if payload[:1] == bytes([DEFLATED]):
        try:
            text = zlib.decompressobj().decompress(payload, LARGEST_TEXT)
        except zlib.error:
            return None
    try:
        outer = sealed_id(payload)
        return str(outer if outer is not None else _Claim.model_validate_json(text).id)
    except (MessageError, ValidationError):
        return None


def times_of(message: Message) -> tuple[float, float]:
    """From when to when a message tells, s since 1970 UTC: the same whenever it is sent again."""
    match message:
        case MinutesMessage():
            return message.minutes[0] * 60.0, (message.minutes[-1] + 1) * 60.0
        case HourMessage() | DayMessage() | AssessmentsMessage():
            return message.start, message.end
        case AlertMessage() | FaultMessage():
            return message.opened_at, message.opened_at
        case DevicesMessage() | HealthMessage() | ResultMessage() | ModelMessage():
            return message.at, message.at
    raise AssertionError(type(message))
