"""The bodies of the messages about devices and the system itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cloud_sync.messages.bodies import Count, Identified, Part, Seconds, Share, Value, Word

Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Duration = Annotated[float, Field(ge=0.0, le=1e11)]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class DevicePart(Part):
    """How one wearable is."""

    device: Word = Field(title="its pseudonym; the address stays at home")
    link: Word = Field(title="state of the Bluetooth link, such as streaming, searching or lost")
    worn: bool | None = Field(default=None, title="whether it says that it is worn")
    battery_percent: Percent | None = Field(default=None, title="battery level, %")
    last_heard_at: Seconds | None = Field(default=None, title="when it sent a measurement last, s")
    link_losses: Count | None = Field(default=None, title="lost links since the daemon started")
    malformed_packets: Count | None = Field(default=None, title="packets that could not be read since then")
    coverage: Share | None = Field(default=None, title="share of the last hour's minutes with samples of it, 0..1")


class DevicesMessage(Identified):
    """The wearables of one person, or the devices that several people use; every hour and when something changes."""

    at: Seconds = Field(title="when this was so, s")
    devices: Annotated[list[DevicePart], Field(max_length=256)] = Field(title="one entry each")


class OutboxPart(Part):
    """What waits for the broker."""

    waiting: Count = Field(title="messages that wait to be sent")
    parked: Count = Field(title="messages that the broker has refused")
    lost: Count = Field(title="messages that had to go unsent since the store was made")
    made: dict[Date, dict[Word, Count]] | None = Field(
        default=None,
        title="messages of each of the last two whole UTC days, by priority: who has received fewer has lost some; "
        "those that are told late, or again, are counted too",
    )


class HealthMessage(Identified):
    """How the machine and Hearthbeat on it are; every hour and when something changes."""

    at: Seconds = Field(title="when this was so, s")
    version: Word = Field(title="version of Hearthbeat")
    uptime_s: Duration | None = Field(default=None, title="how long the machine has been up, s")
    running_s: Duration = Field(title="how long the daemon has been up, s")
    disk_free_mb: Duration | None = Field(default=None, title="free space where the store is, MB")
    disk_total_mb: Duration | None = Field(default=None, title="whole space where the store is, MB")
    memory_available_mb: Duration | None = Field(default=None, title="memory that is free or can be freed, MB")
    memory_total_mb: Duration | None = Field(default=None, title="whole memory, MB")
    memory_daemon_mb: Duration | None = Field(default=None, title="memory that the daemon takes, MB")
    temperature_c: Value | None = Field(default=None, title="temperature of the processor, degrees Celsius")
    outbox: OutboxPart = Field(title="what waits for the broker")
    models: dict[Word, Word | None] = Field(title="version of each risk's model; null where it cannot be used")
    faults: Annotated[list[Word], Field(max_length=256)] = Field(title="kinds of the faults that are open")
