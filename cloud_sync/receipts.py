"""Receipts: what the collector tells a home that it has in its database, by message ids.

A PUBACK says that the broker has a message, which is not to say that its disk has: mosquitto saves its queue from time
to time, and with nobody subscribed just then a broker drops what it acknowledges (MQTT 5.0, 3.4.2.1, reason code 0x10).
A home that asks for receipts keeps a message until the collector has committed it.

    hearthbeat/receipt/<home>    {"v": 1, "ids": ["…", …]}

The topic lies outside hearthbeat/v1/#, so that collectors do not read their own receipts. QoS 0 is enough: the
collector sends a receipt before its PUBACKs, on one connection, and again for whatever the broker delivers again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import BrokerError

VERSION: Final = 1
# The most ids in one receipt; our choice: 40 kB, below what any broker takes.
MOST_IDS: Final = 1000


class ReceiptMessage(BaseModel):
    """Messages that are safe in the collector's database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = Field(default=VERSION, title="version of this format")
    ids: list[UUID] = Field(max_length=MOST_IDS, title="ids of the messages")


def receipt_topic(home: str) -> str:
    """Where `home` hears what the collector has."""
    return f"hearthbeat/receipt/{home}"


def receipt(ids: Sequence[str]) -> bytes:
    """The payload that tells that the messages `ids` are stored; at most MOST_IDS."""
    return ReceiptMessage(ids=[UUID(identifier) for identifier in ids]).model_dump_json().encode()


def read_receipt(payload: bytes) -> list[str]:
    """The ids in a receipt; raises BrokerError when it is none."""
    try:
        return [str(identifier) for identifier in ReceiptMessage.model_validate_json(payload).ids]
    except ValidationError as error:
        raise BrokerError(
            f"not a receipt: {error.errors()[0]['msg']}", where="receipt", mend="let only the collector write receipts"
        ) from error
