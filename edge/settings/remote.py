"""[commands] and [models] of hearthbeat.toml: whose signed commands are obeyed, and how new models are tried."""

from __future__ import annotations

import base64
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edge.alerts.care import AT_THE_MACHINE
from edge.settings.identifiers import Identifier

# What a key may ask for, and "package": vouch for a model.
Right = Literal["acknowledge", "fine", "help", "snooze", "settings", "model", "data", "package"]
_KEY_BYTES: Final = 32


def _public_key(text: str) -> str:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        content = b""
    if len(content) != _KEY_BYTES or base64.b64encode(content).decode() != text:
        message = "that is no public key: take the line that `hearthbeat-collector keys new` shows"
        raise ValueError(message)
    return text


class KeySettings(BaseModel):
    """A key whose signature counts here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Identifier = Field(title="name of the key, as its commands say it")
    public_key: Annotated[str, AfterValidator(_public_key)] = Field(title="public key (Ed25519), base64")
    may: list[Right] = Field(min_length=1, title="what it may ask for")
    contact: Identifier | None = Field(
        default=None, title="the contact who answers alerts by it; default: one that is called like the key"
    )

    @model_validator(mode="after")
    def _sits_not_at_the_machine(self) -> Self:
        # Whoever is called so may answer everything (edge.attending), for they sit at the machine.
        if AT_THE_MACHINE in (self.id, self.contact):
            message = f"{AT_THE_MACHINE} is whoever sits at the machine: name a contact"
            raise ValueError(message)
        return self


class CommandSettings(BaseModel):
    """Whose commands this home obeys; without a key nobody's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: list[KeySettings] = Field(default=[], max_length=32, title="keys whose signatures count")

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        for what, names in (("key", [key.id for key in self.keys]), ("key", [key.public_key for key in self.keys])):
            for name in names:
                if names.count(name) > 1:
                    message = f"{what} {name} is there twice"
                    raise ValueError(message)
        return self


class ModelSettings(BaseModel):
    """How a new model is tried before it counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shadow_days: float = Field(
        default=7.0,
        gt=0.0,
        le=90.0,
        allow_inf_nan=False,
        title="how long a new model runs beside the old one before it counts, and the old one beside it after, days",
    )
