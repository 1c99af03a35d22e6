"""What one simulated home tells, made by the daemon's own makers of messages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cloud_sync.messages.making import Home, alert, hour_summary, minute_summaries
from edge.notices import Alert, AlertState, OutboxMessage, Severity
from edge.readings import Channel, Explanation
from edge.store.minutes import DirtyMinute
from edge.telling.pseudonyms import KEY_BYTES, Pseudonyms

# Our choice, after a day of one person with a strap: so many minutes in a message, an alert in so many hours.
MINUTES_A_MESSAGE: Final = 15
HOURS_AN_ALERT: Final = 48.0
_PERSON: Final = "anna"


@dataclass(frozen=True, slots=True)
class Figures:
    """A channel's figures, as edge.signals.summary would make them."""

    n: int
    coverage: float | None
    artefacts: int | None
    mean: float | None
    sd: float | None
    minimum: float | None
    p5: float | None
    p50: float | None
    p95: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class _Hour:
    person: str
    start: float
    end: float
    revision: int = 1


@dataclass(slots=True)
class Traffic:
    """The messages of home `number` from `first_minute` (since 1970 UTC) on; `seed` makes the same ones again."""

    number: int
    first_minute: int
    seed: int = 0
    prefix: str = "home"
    home: Home = field(init=False)
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed}/{self.number}")  # noqa: S311 -- no secret is made of it
        self.home = Home(f"{self.prefix}-{self.number}", Pseudonyms(self._chance.randbytes(KEY_BYTES)))

    def messages(self) -> Iterator[OutboxMessage]:
        """One after the other, without end: minutes, each hour its summary, and now and then an alert."""
        minute = self.first_minute
        while True:
            told = [
                (DirtyMinute(_PERSON, minute + later, 1, 1), self._figures(60.0)) for later in range(MINUTES_A_MESSAGE)
            ]
            yield minute_summaries(self.home, told)
            minute += MINUTES_A_MESSAGE
            if minute % 60 < MINUTES_A_MESSAGE:
                end = float(minute // 60 * 3600)
                yield hour_summary(self.home, _Hour(_PERSON, end - 3600.0, end), self._figures(3600.0))
                if self._chance.random() < 1.0 / HOURS_AN_ALERT:
                    yield from self._alert(end)

    def _figures(self, seconds: float) -> dict[Channel, Figures]:
        rate = self._chance.gauss(68.0, 6.0)
        beats = int(seconds * rate / 60.0)
        return {
            Channel.RR_INTERVAL: self._around(60_000.0 / rate, 35.0, beats),
            Channel.HEART_RATE: self._around(rate, 2.5, int(seconds)),
        }

    def _around(self, mean: float, sd: float, n: int) -> Figures:
        low, high = mean - 3.0 * sd, mean + 3.0 * sd
        covered = round(min(1.0, self._chance.uniform(0.93, 1.04)), 2)
        return Figures(n, covered, 0, mean, sd, low, mean - 1.6 * sd, mean, mean + 1.6 * sd, high)

    def _alert(self, at: float) -> Iterator[OutboxMessage]:
        raised = Alert(
            id=f"{self.number}-{at:.0f}",
            person=_PERSON,
            kind="atrial_fibrillation",
            severity=Severity.WARNING,
            state=AlertState.RAISED,
            since=at - 600.0,
            opened_at=at,
            cleared_at=None,
            explanation=Explanation("The heart has beaten irregularly for ten minutes.", {"share": 0.8}),
        )
        yield alert(self.home, raised)
