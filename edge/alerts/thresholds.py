"""Rules about vital signs: "above 130 for 10 minutes", with hysteresis, coverage and a rest; pure.

A stream is judged by what it was for some minutes, of which enough must have been measured: a gap neither raises nor
clears. What is measured by hand is judged by the median of its last values, and is told as what it is: a measurement.
"""

from __future__ import annotations

import math
import statistics
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

from edge.alerts import threshold_words
from edge.alerts.overlap import waits
from edge.alerts.points import Point, Points, Rest, stale_s
from edge.notices import Alert, AlertState, Severity
from edge.phrases import phrase
from edge.readings import Channel, Explanation, Reading

# What was measured by hand longer ago belongs to another time of life, s. Our choice, twice the week for which the
# European Society of Hypertension has blood pressure measured at home.
SPOT_LOOK_BACK_S: Final = 14 * 86_400.0
# Several minutes of a stream that are looked at together may lie so much further apart than they need; what went on
# before a gap of half an hour is another episode. Our choice.
_SLACK: Final = 3.0
_SLACK_S: Final = 1800.0
# A stored time so far ahead of now was told before the clock was set back, s. Our choice, as in risk_watch.
_AHEAD_S: Final = 120.0
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:vital-sign")
# What rules can be about.
VITAL_SIGNS: Final = frozenset(threshold_words.CALLED)


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """When a vital sign is told, and when it is over; `name` is the kind of its alert.

    Either `above` or `below` is set, in the channel's unit; `clear` lies on the other side of it. With `minutes` every
    point of so long must be beyond, two at least, and cover the share `coverage` (0..1) of it, and as much must be
    back beyond `clear` for the end; without, the median of the last `values` measurements counts. For `cool_down_min`
    minutes after an episode was raised no other is. With `at_rest` only those minutes count in which the person is
    known to rest.
    """

    name: str
    channel: Channel
    severity: Severity
    above: float | None = None
    below: float | None = None
    clear: float = math.nan
    minutes: float = 0.0
    values: int = 1
    coverage: float = 0.7
    cool_down_min: float = 60.0
    at_rest: bool = False

    @property
    def threshold(self) -> float:
        """`above` or `below`."""
        return self.above if self.above is not None else self.below if self.below is not None else math.nan

    def is_beyond(self, value: float) -> bool:
        """Whether a value is one to tell of."""
        return value > self.threshold if self.above is not None else value < self.threshold

    def is_back(self, value: float) -> bool:
        """Whether a value is well again."""
        return value <= self.clear if self.above is not None else value >= self.clear

    @property
    def look_back_s(self) -> float:
        """How many seconds of the past the rule looks at."""
        if self.minutes:
            return 60.0 * self.minutes + _SLACK_S
        return _SLACK * 60.0 * self.values if _is_stream(self) else SPOT_LOOK_BACK_S


def _is_stream(rule: ThresholdRule) -> bool:
    return rule.minutes > 0.0 or rule.channel in {Channel.HEART_RATE, Channel.SPO2}


class Threshold:
    """One rule of one person; `newest_alert` is the newest stored episode of its kind, open or over."""

    def __init__(self, rule: ThresholdRule, person: str, newest_alert: Alert | None = None) -> None:
        self.rule = rule
        self.person = person
        is_open = newest_alert is not None and newest_alert.state is AlertState.RAISED
        self.open_alert = newest_alert if is_open else None
        self._raised_at = -math.inf if newest_alert is None else newest_alert.opened_at
        # What was measured until then has had its say, and is not to have it again after a restart.
        self._said_until = self._raised_at if newest_alert is None else newest_alert.cleared_at or self._raised_at
        self._points: deque[Point] = deque()

    @property
    def newest(self) -> float:
        """When the newest point was, s since 1970 UTC."""
        return self._points[-1].at if self._points else -math.inf

    def push(self, point: Point, now: float, *, waits: bool = False) -> Alert | None:
        """The Alert in its new state, where a point raises or clears an episode; what is stale at `now` does not.

        None is raised while it `waits` for another alert that says the same (see alerts.overlap).
        """
        if self.rule.at_rest and not point.resting:
            return None
        if self._points and point.at <= self._points[-1].at:
            self._points.clear()  # the clock was set back
            self._raised_at = self._said_until = -math.inf
        self._points.append(point)
        while point.at - self._points[0].at > self.rule.look_back_s:
            self._points.popleft()
        is_stale = now - point.at > stale_s(self.rule.channel)
        if is_stale or point.at <= self._said_until <= now + _AHEAD_S:
            return None
        if self.open_alert is None:
            return None if waits else self._raise(point)
        return self._clear(point)

    def _raise(self, point: Point) -> Alert | None:
        since = self._agree(self.rule.is_beyond, point)
        # A stored time from before the clock was set back may lie ahead: it holds nothing up.
        if since is None or 0.0 <= point.at - self._raised_at < 60.0 * self.rule.cool_down_min:
            return None
        self._raised_at = self._said_until = point.at
        self.open_alert = Alert(
            id=str(uuid.uuid5(_NAMESPACE, f"{self.person}/{self.rule.name}/{point.at!r}")),
            person=self.person,
            kind=self.rule.name,
            severity=self.rule.severity,
            state=AlertState.RAISED,
            since=since,
            opened_at=point.at,
            cleared_at=None,
            explanation=self._explain(point, since),
        )
        return self.open_alert

    def _clear(self, point: Point) -> Alert | None:
        assert self.open_alert is not None  # noqa: S101 -- see push
        if self._agree(self.rule.is_back, point) is None:
            return None
        return self.end(point.at, threshold_words.back(self.rule.channel, self._level()))

    def end(self, at: float, why: str) -> Alert | None:
        """The open episode, over as of `at`."""
        if self.open_alert is None:
            return None
        ended = replace(self.open_alert, state=AlertState.CLEARED, cleared_at=at, explanation=Explanation(why))
        self.open_alert = None
        self._said_until = max(self._said_until, at)
        return ended

    def _agree(self, agrees: Callable[[float], bool], point: Point) -> float | None:
        """Since when all that the rule looks at agrees, None where it does not, or where there is not enough of it."""
        if not self.rule.minutes:
            counted = self._counted()
            together = not _is_stream(self.rule) or point.at - counted[0].at <= _SLACK * 60.0 * self.rule.values
            enough = len(counted) == self.rule.values and together
            return counted[0].at - counted[0].span_s if enough and agrees(self._level()) else None
        length_s = 60.0 * self.rule.minutes
        window = [one for one in self._points if one.at > point.at - length_s]
        if not all(agrees(one.value) for one in window):
            return None
        if sum(one.span_s for one in window) < self.rule.coverage * length_s:
            return None
        # Whoever has agreed for so long began so long ago, or before; one value alone shows nothing that lasts.
        run = list(takewhile(lambda one: agrees(one.value), reversed(self._points)))
        since = run[-1].at - run[-1].span_s
        return since if len(run) > 1 and point.at - since >= length_s - 1.0 else None

    def _counted(self) -> list[Point]:
        return list(self._points)[-self.rule.values :]

    def _level(self) -> float:
        """The median of what is looked at."""
        if self.rule.minutes:
            length_s = 60.0 * self.rule.minutes
            counted = [one for one in self._points if one.at > self.newest - length_s]
        else:
            counted = self._counted()
        return statistics.median(one.value for one in counted)

    def _explain(self, point: Point, since: float) -> Explanation:
        rule, level, above = self.rule, self._level(), self.rule.above is not None
        numbers = {"value": round(level, 1), "threshold": rule.threshold}
        told = (rule.channel, level, rule.threshold)
        if rule.minutes:
            numbers["minutes"] = rule.minutes
            sentence = threshold_words.lasting(*told, rule.minutes, above=above, at_rest=rule.at_rest)
            return Explanation(sentence, numbers, (since, point.at))
        if rule.values > 1:
            numbers["measurements"] = float(rule.values)
            sentence = threshold_words.repeated(*told, rule.values, above=above, by_minute=_is_stream(rule))
            return Explanation(sentence, numbers)
        return Explanation(threshold_words.once(*told, above=above), numbers)


class Thresholds:
    """All rules of one person, fed with Readings in the order in which they come.

    `newest_alerts` are the newest stored episodes by kind. `push` with stored Readings before the first live one makes
    it go on where a process that was killed has stopped: what they complete is told too, unless it is stale.
    """

    def __init__(
        self, person: str, rules: Iterable[ThresholdRule] = (), newest_alerts: Mapping[str, Alert] | None = None
    ) -> None:
        self.person = person
        newest = newest_alerts or {}
        self._rest = Rest()
        self._points: dict[Channel, Points] = {}
        self._watched: dict[str, Threshold] = {
            rule.name: Threshold(rule, person, newest.get(rule.name)) for rule in rules
        }

    @property
    def channels(self) -> frozenset[Channel]:
        """What the rules look at."""
        channels = {one.rule.channel for one in self._watched.values()}
        if any(one.rule.at_rest for one in self._watched.values()):
            channels.add(Channel.ACCELERATION)
        return frozenset(channels)

    @property
    def rules(self) -> list[ThresholdRule]:
        """The rules that are watched."""
        return [one.rule for one in self._watched.values()]

    @property
    def open_alerts(self) -> list[Alert]:
        """What the rules have raised, and is not over."""
        return [one.open_alert for one in self._watched.values() if one.open_alert is not None]

    def push(self, reading: Reading, now: float, others: Iterable[Alert] = ()) -> list[Alert]:
        """The Alerts that a Reading raises or clears, as of `now` (s since 1970 UTC).

        `others` are the person's open alerts that no rule has raised.
        """
        if reading.channel is Channel.ACCELERATION:
            self._rest.push(reading)
            return []
        watched = [one for one in self._watched.values() if one.rule.channel is reading.channel]
        if not watched:
            return []
        waiting = {one.rule.name for one in watched if waits(one.rule.name, one.rule.severity, others, now)}
        points = self._points.setdefault(reading.channel, Points(reading.channel))
        alerts: list[Alert | None] = []
        for point in points.push(reading, now):
            known = replace(point, resting=self._rest.at(point.at - 1.0))
            alerts += [one.push(known, now, waits=one.rule.name in waiting) for one in watched]
        return [alert for alert in alerts if alert is not None]

    def take_on(self, rules: Sequence[ThresholdRule], now: float) -> list[Alert]:
        """Go on with other rules; a rule that stays as it was goes on as it was. The episodes that are over by it."""
        kept = {rule.name: rule for rule in rules}
        ended = [
            one.end(now, phrase("The rule was changed or switched off in the settings."))
            for name, one in self._watched.items()
            if kept.get(name) != one.rule
        ]
        self._watched = {
            rule.name: self._watched[rule.name]
            if rule.name in self._watched and self._watched[rule.name].rule == rule
            else Threshold(rule, self.person)
            for rule in rules
        }
        return [alert for alert in ended if alert is not None]

    def is_fresh(self, kind: str, now: float) -> bool:
        """Whether a rule has looked at something that tells of `now`."""
        one = self._watched.get(kind)
        return one is not None and abs(now - one.newest) <= stale_s(one.rule.channel)
