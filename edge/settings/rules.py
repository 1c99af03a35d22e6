"""[[people.rules]] of hearthbeat.toml: rules about a person's vital signs, beside or instead of the defaults.

A rule with the name of a default changes what it says of it; `on = false` switches it off. Any other name adds a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edge.alerts.thresholds import VITAL_SIGNS, ThresholdRule
from edge.alerts.vital_rules import DEFAULTS
from edge.notices import FaultKind, Severity
from edge.readings import CHANNELS, Channel, Risk

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
# Names of other alerts: a rule must not be taken for one.
_TAKEN: Final = frozenset({*Risk, *FaultKind, "resting_heart_rate", "news2"})
_BY_NAME: Final[Mapping[str, ThresholdRule]] = {rule.name: rule for rule in DEFAULTS}
# Rests between one alert and the next: at most a year. Our choice.
_A_YEAR_MIN: Final = 366 * 1440.0


def _rule_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        message = f"{value!r} is no name of a rule: use up to 32 of a-z, 0-9 and _, a letter first"
        raise ValueError(message)
    if value in _TAKEN:
        message = f"{value} is the name of another alert: give the rule another one"
        raise ValueError(message)
    return value


class RuleSettings(BaseModel):
    """One rule about a vital sign; what is left out is the default's, where there is one of this name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_rule_name)] = Field(title="name of the rule, and of its alert")
    on: bool = Field(default=True, title="whether it is watched")
    channel: Channel | None = Field(default=None, title="what it looks at, such as spo2")
    above: float | None = Field(default=None, allow_inf_nan=False, title="told above this, in the channel's unit")
    below: float | None = Field(default=None, allow_inf_nan=False, title="told below this, in the channel's unit")
    clear: float | None = Field(default=None, allow_inf_nan=False, title="over at this, in the channel's unit")
    minutes: float | None = Field(
        default=None, ge=0.0, le=1440.0, allow_inf_nan=False, title="how long it must last, min; 0 for single values"
    )
    values: int | None = Field(default=None, ge=1, le=100, title="how many single values in a row are looked at")
    coverage: float | None = Field(
        default=None, gt=0.0, le=1.0, allow_inf_nan=False, title="share of the minutes that must be measured"
    )
    cool_down_min: float | None = Field(
        default=None, ge=0.0, le=_A_YEAR_MIN, allow_inf_nan=False, title="rest before it is told anew, min"
    )
    severity: Severity | None = Field(default=None, title="how much it matters: info, warning or critical")
    at_rest: bool | None = Field(default=None, title="only while an accelerometer shows rest; for heart_rate")

    @model_validator(mode="after")
    def _makes_a_rule(self) -> Self:
        self.rule()
        return self

    def rule(self) -> ThresholdRule:
        """The rule that this makes; raises ValueError where it makes none."""
        default = _BY_NAME.get(self.name)
        channel = self.channel or (None if default is None else default.channel)
        if channel is None:
            message = f"rule {self.name} names no channel, and no default has this name ({', '.join(_BY_NAME)})"
            raise ValueError(message)
        if channel not in VITAL_SIGNS:
            message = f"rule {self.name}: no rule can be about {channel.value}; use {', '.join(sorted(VITAL_SIGNS))}"
            raise ValueError(message)
        if default is not None and default.channel is not channel:
            message = f"rule {self.name} is about {default.channel.value}: give one about {channel.value} another name"
            raise ValueError(message)
        return self._checked(self._merged(default, channel))

    def _merged(self, default: ThresholdRule | None, channel: Channel) -> ThresholdRule:
        above, below = self.above, self.below
        if above is None and below is None and default is not None:
            above, below = default.above, default.below
        if (above is None) == (below is None):
            message = f"rule {self.name}: give either above or below"
            raise ValueError(message)
        if default is not None and (above is None) != (default.above is None):
            side = "below" if default.above is None else "above"
            message = f"rule {self.name} is told {side} its limit: give {side}, or give the rule another name"
            raise ValueError(message)
        threshold = above if above is not None else below
        moved = default is None or (self.above, self.below) != (None, None)
        clear = self.clear if self.clear is not None else threshold if default is None or moved else default.clear
        assert clear is not None  # noqa: S101 -- one of above and below is there
        base = default or ThresholdRule(self.name, channel, Severity.WARNING)
        given = self.model_dump(include={"minutes", "values", "coverage", "cool_down_min", "at_rest"})
        known = {name: value for name, value in given.items() if value is not None}
        if self.values is not None and self.minutes is None:
            known["minutes"] = 0.0
        fields = {name: getattr(base, name) for name in ("minutes", "values", "coverage", "cool_down_min", "at_rest")}
        return ThresholdRule(
            self.name, channel, self.severity or base.severity, above, below, clear, **{**fields, **known}
        )

    def _checked(self, rule: ThresholdRule) -> ThresholdRule:
        facts = CHANNELS[rule.channel]
        for what, value in (("threshold", rule.threshold), ("clear value", rule.clear)):
            if not facts.low <= value <= facts.high:
                message = (
                    f"rule {self.name}: the {what} {value:g} lies outside what {rule.channel.value} can be, "
                    f"{facts.low:g} to {facts.high:g} {facts.unit}"
                )
                raise ValueError(message)
        if rule.is_beyond(rule.clear):
            side = "below" if rule.above is not None else "above"
            message = f"rule {self.name}: clear must not lie on the same side as the threshold; give one {side} it"
            raise ValueError(message)
        if rule.minutes > 0.0 and (rule.values > 1 and self.values is not None):
            message = f"rule {self.name}: give either minutes or values"
            raise ValueError(message)
        if rule.at_rest and rule.channel is not Channel.HEART_RATE:
            message = f"rule {self.name}: at_rest is for heart_rate"
            raise ValueError(message)
        if rule.minutes > 0.0 and rule.channel not in {Channel.HEART_RATE, Channel.SPO2, Channel.GLUCOSE}:
            message = f"rule {self.name}: {rule.channel.value} is measured now and then; give values, not minutes"
            raise ValueError(message)
        return rule


def rules_of(settings: Iterable[RuleSettings]) -> list[ThresholdRule]:
    """The rules that hold for a person: the defaults as changed, without those that are off, and what was added."""
    given = {one.name: one for one in settings}
    names = dict.fromkeys([*_BY_NAME, *given])
    return [
        given[name].rule() if name in given else _BY_NAME[name] for name in names if name not in given or given[name].on
    ]
