"""Settings that are changed from afar: a few fields, and only to what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.afar.changing import change
from edge.errors import HearthbeatError, RejectedError

TEXT = """
# Ours.
[home]
id = "home"

[[people]]
id = "anna"
contacts = ["phone"]  # hers
[[people.wearables]]
address = "C0:DE:00:00:00:01"

[[people]]
id = "ben"
contacts = ["phone"]
faults = { not_worn_h = 3.0 }
[[people.rules]]
name = "heart_rate_high"
above = 120.0

[[contacts]]
id = "phone"
url = "json://127.0.0.1:9"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "hearthbeat.toml"
    written.write_text(TEXT)
    return written


def test_fields_are_changed_where_they_stand_or_added(path: Path) -> None:
    settings, patterns = change(
        path,
        {
            "people.anna.faults.not_worn_h": 6,
            "people.anna.faults.no_data_min.heart_rate": 30,
            "people.anna.rules.heart_rate_high.above": 130,
            "people.ben.faults.not_worn_h": 5.0,
            "people.ben.rules.heart_rate_high.above": 125,
            "models.shadow_days": 3,
        },
    )
    anna, ben = settings.people
    assert (anna.faults.not_worn_h, ben.faults.not_worn_h) == (6.0, 5.0)
    assert [rule.above for rule in (*anna.rules, *ben.rules)] == [130.0, 125.0]
    assert settings.models.shadow_days == 3.0
    assert patterns[0] == "people.*.faults.not_worn_h"
    text = path.read_text()
    assert "# Ours." in text
    assert "# hers" in text
    assert path.with_name("hearthbeat.toml.bak").read_text() == TEXT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contacts.phone.url", "json://elsewhere"),
        ("contacts.phone.url_file", "/etc/shadow"),
        ("people.anna.contacts", ["thief"]),
        ("people.anna.contacts.0", "thief"),
        ("people.anna.news2", False),
        ("people.ben.rules.heart_rate_high.on", False),
        ("people.ben.rules.heart_rate_high.severity", "info"),
        ("people.anna.faults.not_worn_h", 0),
        ("people.anna.care.escalation", {}),
        ("commands.keys", []),
        ("commands.keys.0.may", ["settings"]),
        ("broker.host", "elsewhere"),
        ("home.models_directory", "/tmp"),
        ("people", []),
        ("", 1),
        ("people.*.faults.not_worn_h", 1),
        ("people.nobody.faults.not_worn_h", 1),
        ("people.anna.faults.not_worn_h", -1),
        ("people.anna.faults.not_worn_h", "long"),
        ("people.anna.faults.not_worn_h", None),
        ("people.anna.faults.away_h.nonsense", 1),
        ("people.anna.rules.heart_rate_high.above", 1e9),
        ("people.anna.rules.no_such_rule.above", 100),
        ("people.anna.rules.heart_rate_high.nonsense", 100),
        ("models.shadow_days", {"a": 1}),
        ("models.shadow_days", [1]),
    ],
)
def test_what_is_not_right_is_refused_and_nothing_is_written(path: Path, field: str, value: Any) -> None:
    with pytest.raises(HearthbeatError):
        change(path, {"models.shadow_days": 3, field: value})
    assert path.read_text() == TEXT
    assert [one.name for one in path.parent.iterdir()] == ["hearthbeat.toml"]


def test_a_field_that_nobody_may_change_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(RejectedError):
        change(tmp_path / "none.toml", {"commands.keys": []})
