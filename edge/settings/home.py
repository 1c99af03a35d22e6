"""hearthbeat.toml: people, their wearables, contacts, broker; every field has a title, and durations say their unit.

Secrets (contact URLs, the broker's password) may be kept in files of their own: a relative path is looked for among
systemd's credentials ($CREDENTIALS_DIRECTORY) first, then beside hearthbeat.toml.
"""

from __future__ import annotations

import os
import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from edge.alerts.care import AT_THE_MACHINE, Care
from edge.errors import SettingsError
from edge.readings import Channel
from edge.settings.care import CareSettings, check_care
from edge.settings.contacts import ContactSettings
from edge.settings.identifiers import Identifier
from edge.settings.remote import CommandSettings, ModelSettings
from edge.settings.rules import RuleSettings
from edge.telling.household_key import PublicKey

DEFAULT_SETTINGS_FILE: Final = Path("/etc/hearthbeat/hearthbeat.toml")
# In a folder that the web process may enter, and that only the daemon may write (systemd/hearthbeat.tmpfiles).
DEFAULT_WEB_SOCKET: Final = Path("/run/hearthbeat/links.sock")

# A Bluetooth device address as BlueZ writes it.
_ADDRESS: Final = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}")

# A name or address of a machine, perhaps with a port and a path: what a proxy or a router may need (RFC 3986, 3).
_WEB_URL: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value.upper()):
        message = f"{value!r} is no Bluetooth address such as A0:9E:1A:00:00:01"
        raise ValueError(message)
    return value.upper()


Address = Annotated[str, AfterValidator(_address)]


def _seal_to(value: str | PublicKey) -> PublicKey:
    return value if isinstance(value, PublicKey) else PublicKey.parse(value)


SealTo = Annotated[PublicKey, BeforeValidator(_seal_to)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HomeSettings(_Table):
    """The household."""

    id: Identifier = Field(default="home", title="name of the household in MQTT topics")
    state_directory: Path = Field(default=Path("/var/lib/hearthbeat"), title="where store and status socket live")
    models_directory: Path | None = Field(
        default=None, title="where the models live; default: those that came with Hearthbeat"
    )
    adapter: str | None = Field(default=None, title="Bluetooth adapter, such as hci0; default: the first one")
    contacts: list[Identifier] = Field(
        default=[], title="who looks after the house and is told of its faults; default: everybody's first contact"
    )


class WearableSettings(_Table):
    """One wearable of a person."""

    address: Address = Field(title="Bluetooth address; `hearthbeat devices scan` shows it")
    name: str = Field(default="", title="what the family calls it")


Duration = Annotated[float, Field(ge=0.0, le=100_000.0, allow_inf_nan=False)]


class FaultSettings(_Table):
    """When a person's wearables are said to be at fault; 0 switches one off, a channel that is not named keeps its own.

    The defaults are those of edge.alerts.limits, and stand there with their reasons.
    """

    no_data_min: dict[Channel, Duration] = Field(
        default={}, title="longest silence of a wearable in reach, by channel, minutes"
    )
    away_h: dict[Channel, Duration] = Field(
        default={}, title="longest absence of a wearable out of reach, by channel, hours"
    )
    frozen_min: dict[Channel, Duration] = Field(
        default={}, title="longest time that a value may stay the same, by channel, minutes"
    )
    never_seen_h: Duration = Field(default=24.0, title="how long a new wearable may send nothing at all, hours")
    not_worn_h: Duration = Field(default=4.0, title="how long a wearable may be off the body by day, hours")
    battery_low_percent: float = Field(default=15.0, ge=0.0, le=90.0, title="battery level that is low, %")


class PersonSettings(_Table):
    """One person of the home."""

    id: Identifier = Field(title="the person's name in topics and logs; the only name that leaves the house")
    name: str = Field(default="", title="what the family calls the person; stays at home")
    contacts: list[Identifier] = Field(min_length=1, title="who is told, by contact id; the first is the person's own")
    wearables: list[WearableSettings] = Field(default=[], title="what the person wears, the best first")
    sources: dict[Channel, list[Address]] = Field(
        default={}, title="channels for which the wearables have another order, with the addresses in that order"
    )
    faults: FaultSettings = Field(default=FaultSettings(), title="when the wearables are said to be at fault")
    rules: list[RuleSettings] = Field(default=[], title="rules about vital signs, beside the defaults")
    news2: bool = Field(default=True, title="whether a NEWS2 score of 5 or more is told")
    care: CareSettings = Field(default=CareSettings(), title="who else is told, when, and who may answer")

    @property
    def cared_for(self) -> Care:
        """Who is told of the person's alerts, when, and who may answer."""
        return self.care.care(self.contacts)

    @model_validator(mode="after")
    def _rules_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                message = f"rule {name} is there twice"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _sources_are_worn(self) -> Self:
        worn = [wearable.address for wearable in self.wearables]
        for channel, addresses in self.sources.items():
            for address in addresses:
                if address not in worn:
                    message = f"sources.{channel.value} names {address}, which is not among the person's wearables"
                    raise ValueError(message)
        return self


class SharedSettings(_Table):
    """One device that several people use, such as a cuff, a thermometer or a scale."""

    address: Address = Field(title="Bluetooth address; `hearthbeat devices scan` shows it")
    name: str = Field(default="", title="what the family calls it")
    people: list[Identifier] = Field(default=[], title="who uses it, by person id; without it, everybody")


class ConnectionSettings(_Table):
    """How to reach an MQTT broker."""

    host: str = Field(min_length=1, title="host name or address")
    port: int = Field(default=8883, ge=1, le=65535, title="TCP port")
    protocol: Literal["5", "3.1.1"] = Field(default="5", title="MQTT version; 3.1.1 for an old household broker")
    tls: bool = Field(default=True, title="whether the connection is encrypted and the broker's certificate checked")
    ca_file: Path | None = Field(default=None, title="certificate authority; default: the system's")
    certificate_file: Path | None = Field(default=None, title="client certificate")
    key_file: Path | None = Field(default=None, title="key of the client certificate")
    username: str | None = Field(default=None, title="user name")
    password_file: Path | None = Field(default=None, title="file that holds the password")

    @property
    def connection(self) -> dict[str, Any]:
        """What cloud_sync.broker.Broker takes, by its own names."""
        return {name: getattr(self, name) for name in ConnectionSettings.model_fields}


class BrokerSettings(ConnectionSettings):
    """The MQTT 5 broker that receives summaries and alerts."""

    pseudonyms: bool = Field(
        default=True, title="whether people appear by pseudonyms that only this home can tell; else by their ids"
    )
    encrypt_to: SealTo | None = Field(
        default=None, title="the household's public key (`hearthbeat keys new`); then the broker sees topics only"
    )
    summary_every_min: int = Field(
        default=60, ge=1, le=60, title="how often minutes are told, in one message each time, minutes"
    )
    receipts: bool = Field(
        default=False, title="whether messages wait until a collector behind the broker says that it has stored them"
    )
    outbox_budget_mb: int = Field(default=64, ge=1, le=65536, title="disk that unsent messages may take, MB")


class HomeAssistantSettings(ConnectionSettings):
    """The household's own broker, to which Home Assistant listens; names are told there."""

    port: int = Field(default=1883, ge=1, le=65535, title="TCP port")
    tls: bool = Field(default=False, title="whether the connection is encrypted and the broker's certificate checked")
    discovery_prefix: str = Field(
        default="homeassistant", pattern=r"^[A-Za-z0-9_-]{1,64}$", title="Home Assistant's discovery prefix"
    )
    answers_as: Identifier = Field(
        default=AT_THE_MACHINE,
        title="the contact for whom its button answers, with that contact's rights; default: whoever sits at this "
        "machine, who may take up everything",
    )


def _web_url(value: str) -> str:
    if not _WEB_URL.fullmatch(value):
        message = f"{value!r} is no address such as http://hearthbeat.local:8460"
        raise ValueError(message)
    return value.rstrip("/")


def _ip_address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError as error:
        message = f"{value!r} is no IP address such as 0.0.0.0 (all of IPv4), :: (all) or 127.0.0.1"
        raise ValueError(message) from error


class WebSettings(_Table):
    """The pages behind the buttons of a notification, which a process of its own shows (`hearthbeat web`)."""

    url: Annotated[str, AfterValidator(_web_url)] = Field(
        max_length=200, title="by which address phones reach it, such as http://hearthbeat.local:8460"
    )
    listen: Annotated[str, AfterValidator(_ip_address)] = Field(
        default="0.0.0.0",  # noqa: S104 -- phones are other machines
        title="IP address at which it listens; :: is all of IPv6 and IPv4",
    )
    port: int = Field(default=8460, ge=1024, le=65535, title="TCP port at which it listens")
    socket: Path = Field(default=DEFAULT_WEB_SOCKET, title="where the daemon answers it; only it may go there")
    token_file: Path | None = Field(
        default=None, title="file with the token that programs read /api/v1 with; without it nothing can be read there"
    )


class StoreSettings(_Table):
    """What is kept, and for how long."""

    commit_interval_s: float = Field(
        default=6.0, ge=0.1, le=7.0, title="longest time that signals stay uncommitted, s: the loss bound"
    )
    keep_days: int = Field(default=90, ge=1, le=3650, title="how long signals and assessments are kept, days")
    keep_raw_days: int = Field(
        default=7, ge=1, le=3650, title="how long raw acceleration, ECG and pulse waves are kept, days"
    )


class LogSettings(_Table):
    """The log."""

    format: Literal["human", "json"] = Field(default="human", title="for people or for machines")
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", title="least important line that is written"
    )


class Settings(_Table):
    """The whole of hearthbeat.toml."""

    home: HomeSettings = Field(default=HomeSettings(), title="the household")
    people: list[PersonSettings] = Field(min_length=1, title="who lives here")
    shared: list[SharedSettings] = Field(default=[], title="devices that several people use")
    contacts: list[ContactSettings] = Field(min_length=1, title="who can be told")
    broker: BrokerSettings | None = Field(
        default=None, title="where summaries go; without it nothing leaves the house but notifications"
    )
    home_assistant: HomeAssistantSettings | None = Field(
        default=None, title="the local broker of Home Assistant; without it, it is told nothing"
    )
    web: WebSettings | None = Field(default=None, title="the pages behind buttons; without it there are no buttons")
    commands: CommandSettings = Field(default=CommandSettings(), title="whose commands from afar are obeyed")
    models: ModelSettings = Field(default=ModelSettings(), title="how new models are tried")
    store: StoreSettings = Field(default=StoreSettings(), title="the store")
    log: LogSettings = Field(default=LogSettings(), title="the log")

    @model_validator(mode="after")
    def _button_answers_for_somebody(self) -> Self:
        known = {AT_THE_MACHINE, *(contact.id for contact in self.contacts)}
        if self.home_assistant is not None and self.home_assistant.answers_as not in known:
            message = f"home_assistant.answers_as names contact {self.home_assistant.answers_as}, which is not there"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        contacts = [contact.id for contact in self.contacts]
        people = [person.id for person in self.people]
        addresses = [wearable.address for person in self.people for wearable in person.wearables]
        addresses += [device.address for device in self.shared]
        for what, names in (("contact", contacts), ("person", people), ("wearable address", addresses)):
            for name in names:
                if names.count(name) > 1:
                    message = f"{what} {name} is there twice"
                    raise ValueError(message)
        told = [("home", self.home.contacts), *((f"person {person.id}", person.contacts) for person in self.people)]
        told += [(f"key {key.id}", [key.contact]) for key in self.commands.keys if key.contact is not None]
        for who, named in told:
            unknown = [contact for contact in named if contact not in contacts]
            if unknown:
                message = f"{who} names contact {unknown[0]}, which is not among [[contacts]]"
                raise ValueError(message)
        for person in self.people:
            check_care(person.id, person.contacts, person.care, contacts)
        for device in self.shared:
            for user in device.people:
                if user not in people:
                    message = f"shared device {device.address} names person {user}, who is not among [[people]]"
                    raise ValueError(message)
        return self


def load_settings(path: Path) -> Settings:
    """Read and check hearthbeat.toml; relative paths in it are taken from its folder.

    Raises SettingsError, in one line, for a file that is not there or no TOML, an unknown field, a bad value.
    """
    return check_settings(read_settings(path), path)


def read_settings(path: Path) -> str:
    """The text of a settings file; raises SettingsError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            error.strerror or str(error), where=str(path), mend="give a readable settings file with --config"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"not valid TOML: {error}", where=str(path), mend="mend that line") from error


def check_settings(text: str, path: Path) -> Settings:
    """The settings that `text` says, which is or is to be in the file `path`. Raises as `load_settings`."""
    try:
        settings = Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"not valid TOML: {error}", where=str(path), mend="mend that line") from error
    except ValidationError as error:
        raise _settings_error(path, error) from error
    return _with_absolute_paths(settings, path.resolve().parent)


def _settings_error(path: Path, error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"]) or "the file"
    what = re.sub(r"^Value error, ", "", first["msg"])
    if first["type"] == "extra_forbidden":
        return SettingsError("unknown field", where=f"{path}: {place}", mend="remove it or correct its name")
    mend = "add it" if first["type"] == "missing" else "correct the value"
    return SettingsError(what, where=f"{path}: {place}", mend=mend)


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    def secret(path: Path | None) -> Path | None:
        if path is None or path.is_absolute():
            return path
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and os.access(Path(credentials) / path, os.F_OK):
            return Path(credentials) / path
        return folder / path

    contacts = [contact.with_paths(secret) for contact in settings.contacts]
    changed: dict[str, object] = {"contacts": contacts}
    changed["home"] = settings.home.model_copy(
        update={
            name: folder / value
            for name in ("state_directory", "models_directory")
            if (value := getattr(settings.home, name)) is not None
        }
    )
    if settings.web is not None:
        paths = {"socket": folder / settings.web.socket, "token_file": secret(settings.web.token_file)}
        changed["web"] = settings.web.model_copy(update=paths)
    for table in ("broker", "home_assistant"):
        connection = getattr(settings, table)
        if connection is not None:
            names = ("ca_file", "certificate_file", "key_file", "password_file")
            changed[table] = connection.model_copy(update={name: secret(getattr(connection, name)) for name in names})
    return settings.model_copy(update=changed)
