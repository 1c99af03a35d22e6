"""Reading what a broker brings: a typed message, or the reason why it is none. Nothing here is trusted."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from cloud_sync.messages import sealing
from cloud_sync.messages.bodies import (
    AlertMessage,
    AssessmentsMessage,
    DayMessage,
    FaultMessage,
    HourMessage,
    Identified,
    Message,
    MinutesMessage,
    ModelMessage,
    ResultMessage,
    StatusMessage,
)
from cloud_sync.messages.health import DevicesMessage, HealthMessage
from cloud_sync.messages.topics import Kind, Topic
from edge.errors import MessageError, Refused
from edge.telling.household_key import SecretKey

# Bounds on a payload, and on what it unfolds to, bytes: ten times what a day of minutes of every channel takes.
LARGEST_PAYLOAD: Final = 256 * 1024
LARGEST_TEXT: Final = 4 * 1024 * 1024
# The first byte of deflated data in zlib's format, with a window of 32 kB (RFC 1950, 2.2).
DEFLATED: Final = 0x78

BODIES: Final[Mapping[Kind, type[Message]]] = MappingProxyType(
    {
        Kind.MINUTES: MinutesMessage,
        Kind.HOUR: HourMessage,
        Kind.DAY: DayMessage,
        Kind.ASSESSMENTS: AssessmentsMessage,
        Kind.ALERT: AlertMessage,
        Kind.DEVICES: DevicesMessage,
        Kind.FAULT: FaultMessage,
        Kind.HEALTH: HealthMessage,
        Kind.STATUS: StatusMessage,
        Kind.RESULT: ResultMessage,
        Kind.MODEL: ModelMessage,
    }
)


@dataclass(frozen=True, slots=True)
class Received:
    """A message and what its topic says; `person` is None where it tells of the home.

    `id` is None for a status only, which is the state of things and no event. Where the payload is sealed and no key
    was given, `message` is None and `sealed` holds the payload; else `text` is the message's JSON.
    """

    home: str
    person: str | None
    kind: Kind
    id: UUID | None
    message: Message | None
    sealed: bytes | None = None
    text: bytes | None = None


def parse(topic: str, payload: bytes, key: SecretKey | None = None) -> Received:
    """Read a message; raises MessageError with the reason for whatever is not one.

    `key` opens what is sealed; where it is given, what is not sealed is taken as well.
    """
    place = Topic.parse(topic)
    if len(payload) > LARGEST_PAYLOAD:
        raise _refused(Refused.TOO_LARGE, f"{len(payload)} bytes, {LARGEST_PAYLOAD} at most are read", topic)
    outer = sealing.sealed_id(payload)
    if outer is not None:
        if key is None:
            return Received(place.home, place.person, place.kind, outer, None, payload)
        payload = sealing.unseal(key, topic, payload)
    text = _text(payload, topic)
    message = _body(BODIES[place.kind], text, topic)
    identifier = message.id if isinstance(message, Identified) else None
    if outer not in (None, identifier):
        raise _refused(Refused.DISAGREES, "the id outside is not the one inside", topic)
    return Received(place.home, place.person, place.kind, identifier, message, text=text)


def _text(payload: bytes, topic: str) -> bytes:
    """The JSON of a payload that may be deflated."""
    if payload[:1] != bytes([DEFLATED]):
        return payload
    inflating = zlib.decompressobj()
    try:
        text = inflating.decompress(payload, LARGEST_TEXT)
    except zlib.error as error:
        raise _refused(Refused.NOT_JSON, "the compressed data are damaged", topic) from error
    if inflating.unconsumed_tail:
        raise _refused(Refused.TOO_LARGE, f"it unfolds to more than {LARGEST_TEXT} bytes", topic)
    if not inflating.eof or inflating.unused_data:
        raise _refused(Refused.NOT_JSON, "the compressed data are cut off, or something follows them", topic)
    return text


def _body(body: type[Message], text: bytes, topic: str) -> Message:
    try:
        return body.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(level)[:40] for level in first["loc"]) or "payload"
        if first["type"] == "json_invalid":
            raise _refused(Refused.NOT_JSON, first["msg"], topic) from error
        reason = Refused.VERSION if first["loc"] == ("v",) else Refused.SCHEMA
        raise _refused(reason, f"{place!a}: {first['msg']}", topic) from error


def _refused(reason: Refused, what: str, topic: str) -> MessageError:
    return MessageError(reason, what, where=ascii(topic), mend="look who sent it, or update whichever is older")
