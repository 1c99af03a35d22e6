"""What the cloud may ask of a home, and when that is refused; signed (see signing.py), single use, expiring.

What is signed is one JSON object, at most a day valid and for one home:

    {"v":1,"id":"<UUID>","home":"<home>","issued":<s since 1970 UTC>,"expires":<s>,"do":"<verb>","arguments":{...}}

It comes on hearthbeat/v1/<home>/command and is answered on hearthbeat/v1/<home>/command/result.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from nacl.signing import SigningKey, VerifyKey
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from cloud_sync.messages import Home, Kind, Topic
from cloud_sync.messages.bodies import ResultMessage
from cloud_sync.signing import COMMAND, Signed, opened, sign
from edge.clock import EARLIEST_TRUE_TIME
from edge.errors import RejectedError
from edge.notices import OutboxMessage, Priority
from edge.store.commands import Audit

VERSION: Final = 1
# How long a command may be valid: as long as a broker keeps what it holds for a home that is away (SESSION_EXPIRY_S).
LONGEST_LIFE_S: Final = 24 * 3600.0
# How far the sender's clock may be ahead of ours. Our choice: NTP is right to a second, a phone to a minute.
AHEAD_S: Final = 300.0
# What the format of a result takes, in characters (cloud_sync.messages.bodies).
_LONGEST_WORD: Final = 64
_LONGEST_SENTENCE: Final = 1000

Verb = Literal["acknowledge", "fine", "help", "snooze", "settings", "model", "data"]
Seconds = Annotated[float, Field(ge=EARLIEST_TRUE_TIME, le=1e11, allow_inf_nan=False)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerArguments(_Arguments):
    """Take an alert up, or say of a fall that all is well, or that help is needed."""

    alert: str = Field(min_length=4, max_length=64, title="the alert's id, or the beginning of it")


class SnoozeArguments(AnswerArguments):
    """Put an alert off."""

    seconds: float = Field(gt=0.0, le=7 * 86_400.0, allow_inf_nan=False, title="for how long, s")


class SettingsArguments(_Arguments):
    """Change fields of hearthbeat.toml: of those that may be changed from afar."""

    set: dict[str, JsonValue] = Field(
        min_length=1, max_length=32, title='fields and values, such as {"people.anna.faults.not_worn_h": 6}'
    )


class ModelArguments(_Arguments):
    """Take a model package up, or go back to the model before it."""

    package: str | None = Field(default=None, max_length=12_000, title="the package's label, as its maker signed it")
    url: str | None = Field(
        default=None, max_length=1000, pattern="^https://", title="where it is; default: the broker"
    )
    back: str | None = Field(default=None, max_length=32, title="the risk that is to have its earlier model again")


class DataArguments(_Arguments):
    """Tell minutes of a person again, as far as they are kept; signals themselves never leave."""

    person: str = Field(max_length=32, title="the person's id")
    since: Seconds = Field(title="from when, s since 1970 UTC")
    until: Seconds = Field(title="until when, s since 1970 UTC")


ARGUMENTS: Final[Mapping[str, type[_Arguments]]] = {
    "acknowledge": AnswerArguments,
    "fine": AnswerArguments,
    "help": AnswerArguments,
    "snooze": SnoozeArguments,
    "settings": SettingsArguments,
    "model": ModelArguments,
    "data": DataArguments,
}


class Command(BaseModel):
    """What was signed; of another version nothing but that is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1]
    id: UUID
    home: str = Field(max_length=32)
    issued: Seconds
    expires: Seconds
    do: str = Field(max_length=32)
    arguments: dict[str, JsonValue]


def result(home: Home, audit: Audit) -> OutboxMessage:
    """The message that tells what became of a command; `audit` has its id."""
    identifier = home.pseudonyms.message("result", home.id, str(audit.command))
    message = ResultMessage(
        id=identifier,
        command=UUID(audit.command),
        key=audit.key[:_LONGEST_WORD],
        do=audit.verb[:_LONGEST_WORD],
        outcome=audit.outcome,
        reason=audit.reason[:_LONGEST_WORD] or None,
        detail=audit.detail.replace("\0", " ")[:_LONGEST_SENTENCE] or None,
        at=audit.at,
    )
    return home.tell(Topic(home.id, Kind.RESULT), message, identifier, Priority.FAULT, audit.at)


def command_topic(home: str) -> str:
    """Where a home listens."""
    return f"hearthbeat/v1/{home}/command"


def result_topic(home: str) -> str:
    """Where a home says what became of a command."""
    return f"{command_topic(home)}/result"


def make_command(
    home: str, do: Verb, arguments: Mapping[str, Any], key: str, secret: SigningKey, *, valid_s: float = 3600.0
) -> tuple[UUID, bytes]:
    """A command's id, and what is to be published; valid from now on for `valid_s` seconds.

    Raises RejectedError where no home would take it.
    """
    issued = time.time()
    identifier = uuid.uuid4()
    command = Command.model_validate(
        {
            "v": VERSION,
            "id": identifier,
            "home": home,
            "issued": round(issued, 3),
            "expires": round(issued + valid_s, 3),
            "do": do,
            "arguments": dict(arguments),
        }
    )
    read_arguments(command)
    words = command.model_dump_json().encode()
    payload = sign(COMMAND, key, words, secret)
    judge(read_command(opened(COMMAND, payload, {key: secret.verify_key})), home, (do,), issued)
    return identifier, payload


def signed_command(payload: bytes, keys: Mapping[str, VerifyKey]) -> Signed:
    """Who has signed which words; raises RejectedError."""
    return opened(COMMAND, payload, keys)


def read_command(signed: Signed) -> Command:
    """The command in words whose signature holds; raises RejectedError."""
    try:
        return Command.model_validate_json(signed.words)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("v",):
            raise RejectedError(f"this home speaks version {VERSION}", reason="version", key=signed.key) from error
        place = ".".join(str(part) for part in first["loc"]) or "it"
        raise RejectedError(f"{place}: {first['msg']}", reason="unreadable", key=signed.key) from error


def judge(command: Command, home: str, may: Collection[str], now: float) -> None:
    """Whether a home may do at `now` (s since 1970 UTC) what a key that `may` so much asks; raises RejectedError."""
    lifetime = command.expires - command.issued
    if command.home != home:
        raise RejectedError("it is for another home", reason="another home")
    if now < EARLIEST_TRUE_TIME:
        raise RejectedError("this home does not know the time", reason="clock not set")
    if command.issued > now + AHEAD_S:
        raise RejectedError(f"issued {command.issued - now:.0f} s ahead of this home's clock", reason="from the future")
    if not 0.0 < lifetime <= LONGEST_LIFE_S:
        raise RejectedError(f"valid for {lifetime:.0f} s, {LONGEST_LIFE_S:.0f} at most are taken", reason="lifetime")
    if command.expires <= now:
        raise RejectedError(f"expired {now - command.expires:.0f} s ago", reason="expired")
    if command.do not in ARGUMENTS:
        raise RejectedError(f"there is no {command.do[:32]!r}", reason="unknown verb")
    if command.do not in may:
        raise RejectedError(f"this key may not ask for {command.do}", reason="not allowed")


def read_arguments(command: Command) -> _Arguments:
    """The arguments of a command's verb; raises RejectedError."""
    try:
        return ARGUMENTS[command.do].model_validate(command.arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise RejectedError(f"{place}: {first['msg']}", reason="arguments") from error
