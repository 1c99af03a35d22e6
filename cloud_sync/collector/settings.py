"""Settings of the collector: a TOML file; secrets stand in files of their own that it names."""

from __future__ import annotations

import re
import socket
import tomllib
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cloud_sync.broker import Broker
from edge.errors import SettingsError

DEFAULT_SETTINGS_FILE: Final = Path("/etc/hearthbeat/collector.toml")
# An MQTT 5 client may leave that many messages unacknowledged (MQTT 5.0, 3.1.2.11.3).
MOST_IN_FLIGHT: Final = 65_535
# As libpq has it in its two forms of a connection string (PostgreSQL, 34.1.1).
_PASSWORD: Final = re.compile(r"\b(ssl)?password\s*=|://[^/@]*:[^/@]*@")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerSection(_Section):
    """How the broker is reached."""

    host: str = Field(min_length=1, title="host name or address")
    port: int = Field(default=8883, ge=1, le=65_535, title="TCP port")
    tls: bool = Field(default=True, title="whether the connection is encrypted")
    ca_file: Path | None = Field(default=None, title="certificate authority to trust, instead of the system's")
    certificate_file: Path | None = Field(default=None, title="our certificate, where the broker asks for one")
    key_file: Path | None = Field(default=None, title="its key")
    username: str | None = Field(default=None, title="user name")
    password_file: Path | None = Field(default=None, title="file with the password")

    def broker(self) -> Broker:
        """What cloud_sync makes clients from."""
        return Broker(
            host=self.host,
            port=self.port,
            tls=self.tls,
            ca_file=self.ca_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            username=self.username,
            password_file=self.password_file,
        )


class DatabaseSection(_Section):
    """How PostgreSQL is reached."""

    conninfo: str = Field(title="libpq's connection string, without the password: host=... dbname=... user=...")
    password_file: Path | None = Field(default=None, title="file with the password")
    migrate: bool = Field(default=True, title="whether `run` makes and changes tables; false for a role that may not")


class CollectorSection(_Section):
    """How this collector takes messages."""

    name: str = Field(default_factory=socket.gethostname, min_length=1, title="its own, the same after a restart")
    group: str = Field(default="collectors", pattern=r"^[^/+#]+$", title="collectors of one group share the load")
    in_flight: int = Field(default=4000, ge=1, le=MOST_IN_FLIGHT, title="messages that the broker may leave with us")
    batch_messages: int = Field(default=1000, ge=1, title="the most messages in one transaction")
    batch_wait_s: float = Field(default=0.05, ge=0.0, le=5.0, title="how long a batch waits for more, s")
    largest_payload: int = Field(
        default=256 * 1024, ge=1024, le=64 * 1024 * 1024, title="larger payloads are refused, bytes"
    )
    session_hours: float = Field(default=72.0, gt=0.0, title="how long the broker keeps messages for it, hours")
    receipts: bool = Field(default=True, title="whether homes are told what is in the database")
    household_key_file: Path | None = Field(default=None, title="key that opens sealed payloads")


class RetentionSection(_Section):
    """How long which messages are kept, in months; absent: for ever."""

    minutes: int | None = Field(default=None, ge=1, title="minute summaries")
    hours: int | None = Field(default=None, ge=1, title="hour summaries and assessments")
    days: int | None = Field(default=None, ge=1, title="day summaries")
    alerts: int | None = Field(default=None, ge=1, title="alerts and faults")
    health: int | None = Field(default=None, ge=1, title="health of wearables and of the home's system")
    sealed: int | None = Field(default=None, ge=1, title="what is sealed to a key that was not given")
    refused: int | None = Field(default=3, ge=1, title="messages that nobody could read")


class MetricsSection(_Section):
    """Where health and Prometheus metrics are served; whoever can reach it can read it."""

    host: str = Field(default="127.0.0.1", title="address to listen on")
    port: int = Field(default=9464, ge=0, le=65_535, title="TCP port; 0 for a free one")


class LogSection(_Section):
    """The log, on standard error."""

    format: Literal["text", "json"] = Field(default="text", title="for people or for machines")
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", title="from which level on")


class CollectorSettings(_Section):
    """All of collector.toml."""

    broker: BrokerSection
    database: DatabaseSection
    collector: CollectorSection = CollectorSection()
    retention: RetentionSection = RetentionSection()
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()

    @model_validator(mode="after")
    def _no_password(self) -> Self:
        if _PASSWORD.search(self.database.conninfo):
            message = "a password does not belong here: name password_file under [database]"
            raise ValueError(message)
        return self


def load_settings(path: Path) -> CollectorSettings:
    """The settings at `path`; raises SettingsError, without a value of the file in it."""
    mend = "see docs/collector.md"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(f"cannot be read: {why}", where=str(path), mend=mend) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"not TOML: {error}", where=str(path), mend=mend) from error
    try:
        return CollectorSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(f"{place}: {first['msg']}", where=str(path), mend=mend) from error
