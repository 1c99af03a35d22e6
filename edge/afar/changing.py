"""Settings that may be changed from afar: which they are, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.errors import RejectedError
from edge.settings.file import SettingsFile
from edge.settings.home import Settings

# Fields that a command may change; * stands for the id of a person or a contact, the name of a rule, or a channel.
# Whom to tell, how, of what at all, and whom to trust is decided at home: no contact's address or right, no key, no
# broker, nothing that switches a model or an alert of a risk off. Our choice.
MAY_CHANGE: Final = (
    "people.*.faults.no_data_min.*",
    "people.*.faults.away_h.*",
    "people.*.faults.frozen_min.*",
    "people.*.faults.never_seen_h",
    "people.*.faults.not_worn_h",
    "people.*.faults.battery_low_percent",
    "people.*.rules.*.*",
    "contacts.*.language",
    "models.shadow_days",
)
# Of a rule these say what it is, and whether it is at all.
_FIXED_OF_RULES: Final = frozenset({"name", "channel", "on", "severity"})


def pattern_of(field: str) -> str:
    """The pattern of MAY_CHANGE that lets a field be changed; raises RejectedError where none does."""
    levels = field.split(".")
    for pattern in MAY_CHANGE:
        wanted = pattern.split(".")
        if len(wanted) == len(levels) and all(w in ("*", level) for w, level in zip(wanted, levels, strict=True)):
            if pattern == "people.*.rules.*.*" and levels[-1] in _FIXED_OF_RULES:
                break
            return pattern
    raise RejectedError("a field that may not be changed from afar", reason="settings")


def change(path: Path, fields: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Write fields, all or nothing, with the file before kept beside it; the settings, and the patterns of the fields.

    Raises RejectedError where one may not be changed, SettingsError where the settings would not be right or cannot be
    written; the file is then as it was.
    """
    patterns = [pattern_of(field) for field in fields]
    for pattern, value in zip(patterns, fields.values(), strict=True):
        if not isinstance(value, bool | int | float | str):
            raise RejectedError("that is no value", reason="settings")
        if pattern.startswith("people.*.faults.") and value == 0:
            raise RejectedError("0 would switch it off, which is done at home only", reason="settings")
    file = SettingsFile(path)
    for field, value in fields.items():
        file.set_value(field.split("."), value)
    return file.save(), patterns
