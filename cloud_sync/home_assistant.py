"""What Home Assistant is told at the local broker: a device per wearable and person, as its MQTT discovery wants it.

    homeassistant/device/hearthbeat_<home>_<id>/config      retained: the device and its entities, in one message
    hearthbeat-home/<home>/status                           retained: "online" or "offline"; the last will
    hearthbeat-home/<home>/<id>/<entity>                    a value, never retained
    hearthbeat-home/<home>/<id>/acknowledge                 from Home Assistant: the button was pressed

The topics lie apart from hearthbeat/#, which a bridge may carry to the cloud: names and values here are for the house.
A value is not retained and expires, so that a sensor that has fallen silent becomes unavailable, and nobody is shown a
heartbeat of an hour ago. Sources: Home Assistant's documentation of MQTT (device discovery payload, discovery messages,
birth and last will messages), MQTT sensor, MQTT binary sensor and MQTT button.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Final

ROOT: Final = "hearthbeat-home"
ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
PRESS: Final = b"PRESS"
ACKNOWLEDGE: Final = "acknowledge"
# What the alert entity may say: nothing is open, or how grave the gravest is.
NO_ALERT: Final = "none"
_ALERTS: Final = (NO_ALERT, "info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of a device: `key` is its level in topics, `fields` are those of its platform.

    A value stands for `expires_s` seconds; None where the entity has no value, as a button.
    """

    key: str
    platform: str
    fields: Mapping[str, Any]
    expires_s: int | None = None


# How long a value stands. A strap tells its heart rate every second, an oximeter its saturation every few; a ring every
# few minutes. A battery is told for as long as anything is heard of its wearable. Our choice.
HEART_RATE: Final = Entity(
    "heart_rate",
    "sensor",
    {"name": "Heart rate", "unit_of_measurement": "bpm", "state_class": "measurement", "icon": "mdi:heart-pulse"},
    60,
)
SPO2: Final = Entity(
    "spo2",
    "sensor",
    {"name": "Oxygen saturation", "unit_of_measurement": "%", "state_class": "measurement", "icon": "mdi:lungs"},
    300,
)
BATTERY: Final = Entity(
    "battery",
    "sensor",
    {"name": "Battery", "device_class": "battery", "unit_of_measurement": "%", "state_class": "measurement"},
    300,
)
LINK: Final = Entity(
    "link", "binary_sensor", {"name": "Link", "device_class": "connectivity", "entity_category": "diagnostic"}, 180
)
ALERT: Final = Entity("alert", "sensor", {"name": "Alert", "device_class": "enum", "options": list(_ALERTS)}, 180)
BUTTON: Final = Entity(ACKNOWLEDGE, "button", {"name": "Acknowledge", "icon": "mdi:check"})

OF_A_WEARABLE: Final = (HEART_RATE, SPO2, BATTERY, LINK)
OF_A_PERSON: Final = (HEART_RATE, SPO2, ALERT, BUTTON)


@dataclass(frozen=True, slots=True)
class Device:
    """What Home Assistant calls a device: `id` is a pseudonym, `name` for people; `of` is the id of whose it is."""

    id: str
    name: str
    model: str
    entities: Sequence[Entity]
    of: str | None = None


class Topics:
    """The topics of one home under Home Assistant's discovery `prefix`."""

    def __init__(self, home: str, prefix: str) -> None:
        self._home = home
        self._prefix = prefix
        self.status = f"{ROOT}/{home}/status"
        self.birth = f"{prefix}/status"
        self.every_config = f"{prefix}/device/+/config"
        self.every_press = f"{ROOT}/{home}/+/{ACKNOWLEDGE}"

    def config(self, device: str) -> str:
        """Where a device is announced."""
        return f"{self._prefix}/device/{self.unique(device)}/config"

    def value(self, device: str, key: str) -> str:
        """Where an entity's value is told, or a button's press."""
        return f"{ROOT}/{self._home}/{device}/{key}"

    def unique(self, *parts: str) -> str:
        """An id that no other home, device or entity has."""
        return "_".join(("hearthbeat", self._home, *parts))

    def announced(self, topic: str) -> str | None:
        """The device of ours that is announced on `topic`, None where it is somebody else's."""
        begin, end = f"{self._prefix}/device/{self.unique('')}", "/config"
        return topic[len(begin) : -len(end)] if topic.startswith(begin) and topic.endswith(end) else None

    def pressed(self, topic: str) -> str | None:
        """The device whose button was pressed on `topic`, None where it is no button's."""
        levels = topic.split("/")
        return levels[2] if levels[:2] == [ROOT, self._home] and levels[3:] == [ACKNOWLEDGE] else None


def config(device: Device, topics: Topics) -> bytes:
    """The discovery payload of a device."""
    described: dict[str, Any] = {
        "identifiers": [topics.unique(device.id)],
        "name": device.name,
        "manufacturer": "Hearthbeat",
        "model": device.model,
    }
    if device.of is not None:
        described["via_device"] = topics.unique(device.of)
    payload = {
        "device": described,
        "origin": {"name": "Hearthbeat", "sw_version": _version()},
        "availability": [{"topic": topics.status}],
        "qos": 1,
        "components": {entity.key: _component(device, entity, topics) for entity in device.entities},
    }
    return json.dumps(payload, ensure_ascii=False).encode()


@cache
def _version() -> str:
    return version("hearthbeat")


def _component(device: Device, entity: Entity, topics: Topics) -> dict[str, Any]:
    topic = topics.value(device.id, entity.key)
    component = {"platform": entity.platform, "unique_id": topics.unique(device.id, entity.key), **entity.fields}
    if entity.platform == "button":
        return component | {"command_topic": topic, "payload_press": PRESS.decode()}
    component |= {"state_topic": topic, "expire_after": entity.expires_s}
    if entity is ALERT:
        component["json_attributes_topic"] = f"{topic}/attributes"
    return component
