"""One risk of one person: its windows, its model, its episodes; and how it goes on after a restart."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.afar.model_trial import Trial, rule_of
from edge.alerts.episodes import Episodes
from edge.alerts.overlap import waits
from edge.household.sources import Sources
from edge.notices import Alert, AlertState
from edge.readings import RAW_CHANNELS, Assessment, Channel, Quality, Reading, Risk, Source, Window
from edge.risks.model import RiskModel, WindowBuilder
from edge.settings.home import PersonSettings
from edge.signals import acceleration, glucose, rr_series

# Without a Window for this long there is not enough data to judge, and that is said. Our choice: twice what 60 beats
# take at 60 bpm; for glucose three of a sensor's readings, the age at which Nightscout calls its data stale.
SILENCE_S: Final = 120.0
SLOW_SILENCE_S: Final[Mapping[Channel, float]] = MappingProxyType({Channel.GLUCOSE: 900.0})
# Of these channels a Window reaches back for hours at a pace of minutes, so that it matters what a sensor sends of the
# time that it was out of reach; kept for as long as a Window may reach back. Our choice, twice what the model sees.
HISTORY_S: Final[Mapping[Channel, float]] = MappingProxyType({Channel.GLUCOSE: 6 * 3600.0})


# A Window this far ahead of a Reading, in seconds, was told before the clock was set back. Our choice.
AHEAD_S: Final = 120.0


def is_past(reading: Reading) -> bool:
    """Whether a Reading tells nothing of now: it came so long after it was measured that silence was told meanwhile."""
    limit_s = SLOW_SILENCE_S.get(reading.channel, SILENCE_S)
    # Nearly all are of the moment, and `end` takes its time.
    return reading.received_at - reading.start > limit_s and reading.received_at - reading.end > limit_s


class RiskWatch:
    """One risk of one person: its windows, its model, its episodes.

    `device` is the wearable whose samples are in the windows, `told_until` the end of the last Window.
    """

    def __init__(self, model: RiskModel, person: str, windows: WindowBuilder, episodes: Episodes) -> None:
        self.model = model
        self.person = person
        self.windows = windows
        self.episodes = episodes
        self.last: Assessment | None = None
        self.trial: Trial | None = None
        self.device: str | None = None
        self.told_until: float | None = None
        self._history: list[Reading] = []

    @property
    def risk(self) -> Risk:
        """What is watched for."""
        return self.model.manifest.risk

    @property
    def silence_s(self) -> float:
        """Seconds without a Window after which there is not enough data."""
        return SLOW_SILENCE_S.get(self.model.channel, SILENCE_S)

    def push(self, reading: Reading) -> list[Window]:
        """Take the next Reading; the Windows that it completes. No Window holds samples of two wearables.

        A Reading of the past completes none: nobody is warned of what is over (see is_past). Where Windows reach back
        for hours it takes its place in those to come, and is passed over where they do not.
        """
        if self._is_past(reading):
            self._fill(reading)
            return []
        if self.device is not None and reading.device != self.device:
            told = self.told_until
            was_set_back = told is not None and told > reading.start + AHEAD_S
            self.windows = self.model.windows(self.person, last_end=None if was_set_back else told)
            self._history.clear()
        self.device = reading.device
        self._note(reading)
        windows = self.windows.push(reading)
        if windows:
            self.told_until = windows[-1].end
        return windows

    def _is_past(self, reading: Reading) -> bool:
        if is_past(reading):
            return True
        # One that lies ahead of now was stamped before the clock was set back.
        newest = self._history[-1].start if self._history else -np.inf
        return reading.start <= newest <= reading.received_at + AHEAD_S

    def _fill(self, reading: Reading) -> None:
        """Put a Reading of the past where it belongs, and build the Windows to come anew."""
        known = any(abs(one.start - reading.start) < glucose.SAME_READING_S for one in self._history)
        if self.model.channel not in HISTORY_S or self.device not in (None, reading.device) or known:
            return
        self.device = reading.device
        self._note(reading)
        self.windows = self.model.windows(self.person, last_end=self.told_until)
        for one in self._history:
            self.windows.push(one)

    def _note(self, reading: Reading) -> None:
        span_s = HISTORY_S.get(self.model.channel)
        if span_s is None:
            return
        if self._history and self._history[-1].start > reading.received_at + AHEAD_S:
            self._history.clear()  # the clock was set back
        bisect.insort(self._history, reading, key=lambda one: one.start)
        oldest = self._history[-1].start - span_s
        del self._history[: bisect.bisect_left(self._history, oldest, key=lambda one: one.start)]

    def take_on(self, model: RiskModel, trial: Trial | None) -> None:
        """Go on with another model of the risk, whose windows are alike; to be called where Windows are judged."""
        if model is not self.model:
            self.episodes = self.episodes.under(rule_of(model.policy), model.policy.severity)
        self.model, self.trial = model, trial

    def nothing(self, start: float, end: float, reason: str) -> Assessment:
        """Say that there was not enough data to judge, and why."""
        self.last = Assessment(
            person=self.person,
            risk=self.risk,
            start=start,
            end=end,
            score=None,
            reason=reason,
            model=self.model.version,
            coverage=0.0,
        )
        return self.last

    def judge(self, window: Window, others: Iterable[Alert] = ()) -> tuple[Assessment, Alert | None]:
        """Assess a Window; with it the Alert that it raises or clears. A raised one says which part mattered most.

        `others` are the person's open alerts that rules about vital signs have raised.
        """
        self.last = self.model.assess(window) if self.trial is None else self.trial.assess(window)
        held = waits(self.risk, self.model.policy.severity, others, window.end)
        if not held and self.episodes.open_alert is None:
            held = self.model.doubts(window, self.last.score)
        alert = self.episodes.weigh(self.last, waits=held)
        if alert is not None and alert.state is AlertState.RAISED:
            found = self.model.explain(window) if self.trial is None else self.trial.explain(window)
            numbers = {**alert.explanation.numbers, **found.numbers}
            alert = replace(alert, explanation=replace(found, numbers=numbers))
        return self.last, alert

    def anew(self, assessment: Assessment) -> Alert | None:
        """The open alert of a fall where an Assessment tells of one more, in the middle of its Window; else None.

        Other risks are states that go on; each fall is a matter of its own once the person has answered.
        """
        opened, score = self.episodes.open_alert, assessment.score
        if self.risk is not Risk.FALL or opened is None or score is None or score < self.episodes.rule.threshold:
            return None
        if assessment.coverage < self.episodes.rule.minimum_coverage or assessment.end <= opened.opened_at:
            return None
        return replace(opened, since=(assessment.start + assessment.end) / 2.0)


def watch_risk(
    person: str, model: RiskModel, *, past: Sequence[Assessment] = (), newest_alert: Alert | None = None
) -> RiskWatch:
    """A risk of one person, going on after `past`, the newest stored Assessments, oldest first.

    `newest_alert` is the newest stored episode, open or over.
    """
    rule = rule_of(model.policy)
    windows = model.windows(person, last_end=past[-1].end if past else None)
    is_open = newest_alert is not None and newest_alert.state is AlertState.RAISED
    episodes = Episodes(
        rule,
        model.policy.severity,
        past=past,
        open_alert=newest_alert if is_open else None,
        raised_at=None if newest_alert is None else newest_alert.opened_at,
    )
    watch = RiskWatch(model, person, windows, episodes)
    watch.last = past[-1] if past else None
    watch.told_until = past[-1].end if past else None
    return watch


Stored = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]


def _accelerations(
    source: Source, times: NDArray[np.float64], mg: NDArray[np.float64], quality: NDArray[np.uint8]
) -> Iterator[Reading]:
    """Stored accelerations as Readings, each of one quality; of samples at the same time the first."""
    new = np.diff(times, prepend=-np.inf) > 0.0
    times, mg, quality = times[new], mg[new], quality[new]
    flags = quality & ~np.uint8(Quality.GAP_BEFORE)
    bounds = [0, *(np.flatnonzero(np.diff(flags)) + 1).tolist(), len(flags)] if len(flags) else []
    for begin, end in pairwise(bounds):
        for reading in acceleration.readings_of(source, times[begin:end], mg[begin:end]):
            yield replace(reading, quality=reading.quality | Quality(int(flags[begin])))


# How a stored series becomes Readings again.
SERIES: Final[
    Mapping[
        Channel,
        Callable[[Source, NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]], Iterator[Reading]],
    ]
] = MappingProxyType(
    {
        Channel.RR_INTERVAL: rr_series.readings_of,
        Channel.GLUCOSE: glucose.readings_of,
        Channel.ACCELERATION: _accelerations,
    }
)
# Of a raw channel no more than so many seconds are looked at again after a restart: what was stored since the last
# Window is a few seconds, unless a model was missing for long. Our choice.
RAW_SERIES_S: Final = 900.0
# Before its Window this risk looks at 300 intervals more where the heart is slow: at 40 beats a minute so many seconds.
EARLIER_S: Final[Mapping[Risk, float]] = MappingProxyType({Risk.ATRIAL_FIBRILLATION: 450.0})


def series_span(watch: RiskWatch, now: float) -> tuple[float, float]:
    """Of which time a watch needs what is stored, to go on at `now`: since the last Window began, or lately.

    Seconds since 1970 UTC.
    """
    earlier_s = EARLIER_S.get(watch.risk, 0.0)
    since = now - watch.model.policy.maximum_span_s if watch.last is None else watch.last.start - earlier_s
    return since, min(now, since + RAW_SERIES_S) if watch.model.channel in RAW_CHANNELS else now


def stored_windows(watch: RiskWatch, person: PersonSettings, series: Mapping[str, Stored]) -> list[Window]:
    """Take in the stored samples since the last stored Window began; the Windows that nobody has assessed yet.

    `series` are times, values and quality by wearable; where there are several, the same one counts as did before.
    """
    sources = Sources([wearable.address for wearable in person.wearables], person.sources)
    channel = watch.model.channel
    readings = [
        reading
        for device, (times, values, quality) in series.items()
        for reading in SERIES[channel](Source(watch.person, device), times, values, quality)
    ]
    if len(series) > 1:
        if channel not in RAW_CHANNELS:
            readings = [single for reading in readings for single in _singles(reading)]
        readings.sort(key=lambda one: one.end)
    counting = (one for one in readings if sources.takes(channel, one.device, one.end, one.quality))
    return [window for reading in counting for window in watch.push(reading)]


def _singles(reading: Reading) -> Iterator[Reading]:
    """A stored Reading, sample by sample."""
    start, quality = reading.start, reading.quality
    for value in reading.values:
        single = replace(reading, start=start, values=(value,), quality=quality)
        yield single
        start = single.end + (reading.interval_s or 0.0)
        quality &= ~Quality.GAP_BEFORE
