"""Home Assistant's rules for what is announced by MQTT, as a JSON Schema of our own making.

The facts are those of home-assistant/core, homeassistant/components/mqtt: schemas.py (device, origin, availability,
components), sensor.py with its check of device class, state class, unit and options, binary_sensor.py, button.py and
discovery.py (the topic), and of the tables of configuration variables in the documentation of MQTT, MQTT sensor, MQTT
binary sensor and MQTT button. Home Assistant ignores fields that it does not know; here they are errors, since one that
is ignored was mistyped.
"""

from __future__ import annotations

import re
from typing import Any, Final

import jsonschema

TOPIC: Final = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/config", re.ASCII)
_TEXT: Final = {"type": "string"}
_TOPIC: Final = {"type": "string", "minLength": 1, "maxLength": 65535, "pattern": "^[^#+\\u0000]+$"}
_ENTITY: Final[dict[str, Any]] = {
    "platform": _TEXT,
    "unique_id": {"type": "string", "minLength": 1},
    "name": {"type": ["string", "null"]},
    "icon": {"type": "string", "pattern": "^[a-z]+:[a-z0-9-]+$"},
    "entity_category": {"enum": ["config", "diagnostic"]},
    "enabled_by_default": {"type": "boolean"},
    "json_attributes_topic": _TOPIC,
    "json_attributes_template": _TEXT,
    "qos": {"enum": [0, 1, 2]},
}
# Device classes that have a meaning here, and the units that each may have.
_SENSOR_CLASSES: Final = {"battery": ["%"], "temperature": ["°C", "°F", "K"], "enum": [None]}


def _sensor_rules() -> list[dict[str, Any]]:
    units = [
        {
            "if": {"properties": {"device_class": {"const": name}}, "required": ["device_class"]},
            "then": {"properties": {"unit_of_measurement": {"enum": units}}}
            | ({"required": ["unit_of_measurement"]} if units != [None] else {}),
        }
        for name, units in _SENSOR_CLASSES.items()
    ]
    options = {
        "if": {"required": ["options"]},
        "then": {
            "properties": {"device_class": {"const": "enum"}},
            "required": ["device_class"],
            "not": {"anyOf": [{"required": ["state_class"]}, {"required": ["unit_of_measurement"]}]},
        },
    }
    return [*units, options]


_SENSOR: Final = {
    "properties": _ENTITY
    | {
        "platform": {"const": "sensor"},
        "state_topic": _TOPIC,
        "device_class": {"enum": list(_SENSOR_CLASSES)},
        "state_class": {"enum": ["measurement", "total", "total_increasing", "measurement_angle"]},
        "unit_of_measurement": _TEXT,
        "options": {"type": "array", "minItems": 1, "uniqueItems": True, "items": _TEXT},
        "expire_after": {"type": "integer", "minimum": 0},
        "force_update": {"type": "boolean"},
        "value_template": _TEXT,
        "suggested_display_precision": {"type": "integer", "minimum": 0},
    },
    "required": ["platform", "unique_id", "state_topic"],
    "additionalProperties": False,
    "allOf": _sensor_rules(),
}
_BINARY_SENSOR: Final = {
    "properties": _ENTITY
    | {
        "platform": {"const": "binary_sensor"},
        "state_topic": _TOPIC,
        "device_class": {"enum": ["connectivity", "problem", "safety", "battery"]},
        "payload_on": _TEXT,
        "payload_off": _TEXT,
        "expire_after": {"type": "integer", "minimum": 0},
        "off_delay": {"type": "integer", "minimum": 0},
        "force_update": {"type": "boolean"},
        "value_template": _TEXT,
    },
    "required": ["platform", "unique_id", "state_topic"],
    "additionalProperties": False,
}
_BUTTON: Final = {
    "properties": _ENTITY
    | {
        "platform": {"const": "button"},
        "command_topic": _TOPIC,
        "command_template": _TEXT,
        "device_class": {"enum": ["identify", "restart", "update"]},
        "payload_press": _TEXT,
        "retain": {"type": "boolean"},
    },
    "required": ["platform", "unique_id", "command_topic"],
    "additionalProperties": False,
}
_PAIR: Final = {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2}
_DEVICE_TEXTS: Final = (
    "manufacturer",
    "model",
    "model_id",
    "name",
    "hw_version",
    "serial_number",
    "sw_version",
    "via_device",
    "suggested_area",
    "configuration_url",
)
_COMPONENT: Final = {
    "type": "object",
    "required": ["platform"],
    "oneOf": [_SENSOR, _BINARY_SENSOR, _BUTTON],
}
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "device": {
            "type": "object",
            "properties": {
                "identifiers": {"type": "array", "items": _TEXT},
                "connections": {"type": "array", "items": _PAIR},
                **dict.fromkeys(_DEVICE_TEXTS, _TEXT),
            },
            "additionalProperties": False,
            "anyOf": [
                {"required": [name], "properties": {name: {"minItems": 1}}} for name in ("identifiers", "connections")
            ],
        },
        "origin": {
            "type": "object",
            "properties": {"name": _TEXT, "sw_version": _TEXT, "support_url": {"type": "string", "format": "uri"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "availability": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "topic": _TOPIC,
                    "payload_available": _TEXT,
                    "payload_not_available": _TEXT,
                    "value_template": _TEXT,
                },
                "required": ["topic"],
                "additionalProperties": False,
            },
        },
        "availability_mode": {"enum": ["all", "any", "latest"]},
        "components": {"type": "object", "minProperties": 1, "additionalProperties": _COMPONENT},
        "state_topic": _TOPIC,
        "command_topic": _TOPIC,
        "qos": {"enum": [0, 1, 2]},
        "encoding": _TEXT,
    },
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
}


def validate(topic: str, fields: dict[str, Any]) -> None:
    """Raises ValueError or jsonschema.ValidationError where Home Assistant would not take what is announced."""
    if not TOPIC.fullmatch(topic):
        raise ValueError(topic)
    jsonschema.Draft202012Validator(SCHEMA).validate(fields)
