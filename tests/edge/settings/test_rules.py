"""Rules of hearthbeat.toml: what is left out is the default's, and what cannot be is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.alerts.vital_rules import DEFAULTS
from edge.errors import SettingsError
from edge.notices import Severity
from edge.readings import Channel
from edge.settings.home import Settings, check_settings
from edge.settings.rules import rules_of
from tests.edge.settings.test_home import GOOD


def settings(rule: str) -> Settings:
    text = GOOD.replace("[[contacts]]", f"[[people.rules]]\n{rule}\n\n[[contacts]]", 1)
    return check_settings(text, Path("hearthbeat.toml"))


def test_without_a_word_the_defaults_hold() -> None:
    assert rules_of([]) == list(DEFAULTS)


def test_a_default_can_be_changed_or_switched_off() -> None:
    changed = rules_of(settings('name = "spo2_low"\nbelow = 88\nclear = 90\nminutes = 30').people[0].rules)
    rule = next(rule for rule in changed if rule.name == "spo2_low")
    assert (rule.below, rule.clear, rule.minutes, rule.severity) == (88.0, 90.0, 30.0, Severity.WARNING)
    assert len(changed) == len(DEFAULTS)
    off = rules_of(settings('name = "spo2_low"\non = false').people[0].rules)
    assert {rule.name for rule in DEFAULTS} - {rule.name for rule in off} == {"spo2_low"}


def test_a_rule_of_ones_own_is_added() -> None:
    given = 'name = "warm"\nchannel = "temperature"\nabove = 37.4\nclear = 37.2\nseverity = "info"\ncool_down_min = 600'
    rule = rules_of(settings(given).people[0].rules)[-1]
    assert (rule.name, rule.channel, rule.above, rule.values) == ("warm", Channel.TEMPERATURE, 37.4, 1)
    assert (rule.severity, rule.cool_down_min) == (Severity.INFO, 600.0)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('name = "spo2_low"\nbelow = 20', "outside what spo2 can be, 30 to 100 %"),
        ('name = "x"\nchannel = "temperature"\nabove = 100', "outside what temperature can be"),
        ('name = "spo2_low"\nclear = 30', "same side"),
        ('name = "spo2_low"\nbellow = 90', "unknown field"),
        ('name = "spo2_low"\nbelow = nan', "finite"),
        ('name = "spo2_low"\nminutes = -1', "greater than or equal to 0"),
        ('name = "spo2_low"\nseverity = "loud"', "'info', 'warning' or 'critical'"),
        ('name = "spo2_low"\nabove = 90\nbelow = 92', "either above or below"),
        ('name = "spo2_low"\nabove = 90', "is told below its limit"),
        ('name = "spo2_low"\nchannel = "temperature"\nabove = 39', "is about spo2"),
        ('name = "x"\nabove = 90', "names no channel"),
        ('name = "x"\nchannel = "spo2"', "either above or below"),
        ('name = "x"\nchannel = "battery"\nbelow = 9', "no rule can be about battery"),
        ('name = "x"\nchannel = "systolic"\nabove = 150\nminutes = 10', "measured now and then"),
        ('name = "x"\nchannel = "spo2"\nbelow = 90\nminutes = 10\nvalues = 3', "either minutes or values"),
        ('name = "x"\nchannel = "spo2"\nbelow = 90\nat_rest = true', "at_rest is for heart_rate"),
        ('name = "fall"\nchannel = "spo2"\nbelow = 90', "name of another alert"),
        ('name = "no_data"\nchannel = "spo2"\nbelow = 90', "name of another alert"),
        ('name = "Low!"\nchannel = "spo2"\nbelow = 90', "no name of a rule"),
        ('name = "spo2_low"\n[[people.rules]]\nname = "spo2_low"', "is there twice"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(rule: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(rule)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
