"""[[contacts]] of hearthbeat.toml: who can be told, over which channels, in which language, and when not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from edge.errors import SettingsError
from edge.notify.languages import ENGLISH, languages
from edge.notify.phone import MOST_PER_HOUR, TIMEOUT_S, Contact, PhoneChannel
from edge.notify.quiet import QuietHours
from edge.settings.identifiers import Identifier

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _time_of_day(value: str) -> str:
    if not _TIME.fullmatch(value):
        message = f'{value!r} is no time of the day such as "22:00"'
        raise ValueError(message)
    return value


def _language(value: str) -> str:
    if value not in languages():
        message = f"there is no catalogue for {value!r}, only for {', '.join(languages())}"
        raise ValueError(message)
    return value


TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChannelSettings(_Table):
    """One way to a contact, as an Apprise URL."""

    url: SecretStr | None = Field(default=None, title="Apprise URL")
    url_file: Path | None = Field(default=None, title="file that holds the Apprise URL")
    timeout_s: float = Field(
        default=TIMEOUT_S, ge=1.0, le=120.0, allow_inf_nan=False, title="longest time to take a message, s"
    )

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            message = "give either url or url_file"
            raise ValueError(message)
        return self


class QuietHoursSettings(_Table):
    """When a contact is told only what is critical, by the clocks of the home."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    begin: TimeOfDay = Field(alias="from", title="when they begin")
    end: TimeOfDay = Field(alias="to", title="when they end; the next day where it is the earlier")

    @model_validator(mode="after")
    def _last(self) -> Self:
        if self.begin == self.end:
            message = "quiet hours that end when they begin are none, or a whole day: write other times"
            raise ValueError(message)
        return self


class ContactSettings(_Table):
    """One person who can be told: by one Apprise URL, or over the first of several `channels` that works."""

    id: Identifier = Field(title="name of the contact")
    name: str = Field(default="", title="what the family calls whoever has it, such as Dad")
    url: SecretStr | None = Field(default=None, title="Apprise URL")
    url_file: Path | None = Field(default=None, title="file that holds the Apprise URL")
    channels: list[ChannelSettings] = Field(
        default=[], max_length=8, title="several ways in place of url or url_file, the one to be tried first first"
    )
    language: Annotated[str, AfterValidator(_language)] = Field(default=ENGLISH, title="language of the messages")
    quiet_hours: QuietHoursSettings | None = Field(default=None, title="when only critical alerts are told")
    most_per_hour: int = Field(
        default=MOST_PER_HOUR,
        ge=1,
        le=60,
        title="messages in an hour, at most; more that are not critical wait and come as one",
    )

    daily_word: Literal["daily", "weekly", "never"] | None = Field(
        default=None,
        title="how often a calm summary is told, of everybody whose contact this is; default: daily to a person's own",
    )
    daily_word_at: TimeOfDay = Field(default="08:30", title="when it is told; nights are over at 08:00")

    @model_validator(mode="after")
    def _some_channel(self) -> Self:
        given = [self.url is not None, self.url_file is not None, bool(self.channels)]
        if sum(given) != 1:
            message = "give either url or url_file, or channels"
            raise ValueError(message)
        return self

    @property
    def ways(self) -> list[ChannelSettings]:
        """The channels in order, however they were written."""
        return self.channels or [ChannelSettings(url=self.url, url_file=self.url_file)]

    def with_paths(self, secret: Callable[[Path | None], Path | None]) -> ContactSettings:
        """The same with each file of a secret where `secret` says that it is."""
        channels = [channel.model_copy(update={"url_file": secret(channel.url_file)}) for channel in self.channels]
        return self.model_copy(update={"url_file": secret(self.url_file), "channels": channels})


def contact_of(settings: ContactSettings) -> Contact:
    """The contact, with the secrets read; raises SettingsError when one cannot be."""
    return Contact(
        settings.id,
        tuple(PhoneChannel(_url(channel), channel.timeout_s) for channel in settings.ways),
        settings.language,
        quiet_hours_of(settings),
        settings.most_per_hour,
    )


def quiet_hours_of(settings: ContactSettings) -> QuietHours | None:
    """When a contact is told only what is critical, None where there is no such time."""
    hours = settings.quiet_hours
    return None if hours is None else QuietHours(time.fromisoformat(hours.begin), time.fromisoformat(hours.end))


def _url(channel: ChannelSettings) -> str:
    if channel.url is not None:
        return channel.url.get_secret_value()
    assert channel.url_file is not None  # noqa: S101 -- the model's validator has seen to it
    return read_secret(channel.url_file)


def read_secret(path: Path) -> str:
    """The first line of a secret's file.

    Raises SettingsError when it cannot be read or is empty; the secret itself is in no message.
    """
    try:
        secret = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise SettingsError(
            f"secret cannot be read: {why}", where=str(path), mend="make it readable for the user hearthbeat"
        ) from error
    if not secret:
        raise SettingsError("secret is empty", where=str(path), mend="write the secret into its first line")
    return secret
