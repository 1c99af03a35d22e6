"""Months of made-up ordinary life, for counting the alerts that faults would give: four people, six wearables, a house.

What is drawn, for each day (local time is UTC here):
- Anna, 78, wears a chest strap by day: on at 7:30 (+-45 min), off at 21:30 (+-30 min). She is out for 0.5 to 3 hours on
  two days of three, and for 4 to 9 hours once a week. The electrodes dry out six times a day for 1 to 20 minutes. The
  battery lasts 25 days, and she changes it within two days of being told.
- Ben, 45, wears a watch by day and night. He works away from home for 8.5 to 10.5 hours on weekdays. The watch lies on
  its charger for 1 to 2 hours every evening, connected but silent, or, half the evenings, saying that it is not worn.
  It runs low before that on one evening of ten.
- Cleo, 30, has a glucose sensor (a value every 5 minutes, changed every ten days: two hours without), and a strap for
  sports, three evenings a week for an hour. She is out as Anna is.
- Dora, 70, has a ring for the nights (10 pm to 7 am), and a cuff that she uses in the morning on five days of seven.
- The network is away for 2 to 10 minutes every night and for 1 to 5 hours once a month; bluetoothd restarts once a week
  (a minute); Hearthbeat is restarted once a week.

`python -m tests.edge.alerts.ordinary_life` prints the figures of ten such households over a month.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from edge.alerts.house_faults import BrokerSight
from edge.readings import Channel
from tests.edge.alerts.household_story import DAY_S, NOON, Story, Worn

STEP_S = 90.0
HOUR = 3600.0
MINUTE = 60.0
MIDNIGHT = NOON - 12 * HOUR
PEOPLE = 4
HOUSEHOLDS = 10


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment of the simulated time to another, in seconds."""

    begin: float
    end: float

    def __contains__(self, now: float) -> bool:
        return self.begin <= now < self.end


class OrdinaryLife:
    """`live` through `days`, with a look every STEP_S."""

    def __init__(self, seed: int, days: int) -> None:
        self.chance = random.Random(seed)
        self.days = days
        ring = (Channel.HEART_RATE, Channel.SPO2)
        cuff = (Channel.SYSTOLIC, Channel.DIASTOLIC, Channel.HEART_RATE)
        self.strap = Worn("AA", "anna", near=False)
        self.watch = Worn("BB", "ben", (Channel.HEART_RATE, Channel.ACCELERATION))
        self.sensor = Worn("CC", "cleo", (Channel.GLUCOSE,), worn=None, battery=None)
        self.sports = Worn("DD", "cleo", near=False)
        self.ring = Worn("EE", "dora", ring, near=False)
        self.cuff = Worn("FF", "dora", cuff, near=False, worn=None)
        worn = (self.strap, self.watch, self.sensor, self.sports, self.ring, self.cuff)
        critical = {"ben": frozenset({Channel.ACCELERATION}), "cleo": frozenset({Channel.GLUCOSE})}
        self.story = Story(*worn, critical=critical, start=MIDNIGHT)
        self.spans: dict[str, list[Span]] = {}
        self.battery_told_at: float | None = None

    def live(self) -> None:
        for day in range(self.days):
            self._draw(MIDNIGHT + day * DAY_S, day)
            for _ in range(int(DAY_S / STEP_S)):
                self._step()
            if day % 7 == 6:
                self.story.boot()
                self.story.live(20.0)

    def _step(self) -> None:
        story, now = self.story, self.story.now + STEP_S
        self._anna(now)
        self._ben(now)
        self.sensor.near = not self._is("cleo out", now) and not self._is("sensor", now)
        # A value every five minutes.
        self.sensor.sends = now % 300.0 < STEP_S
        self.sports.near = self._is("sports", now)
        self.ring.near = self._is("ring", now)
        self.cuff.near = self._is("cuff", now)
        online = not self._is("offline", now)
        taken = int(now) if online else 0
        story.house = replace(
            story.house,
            radio="org.bluez is gone" if self._is("bluetooth", now) else None,
            broker=BrokerSight(online, None if online else "cannot be reached", refuses=False, taken=taken, waiting=3),
            free_bytes=10**10,
        )
        story.live(STEP_S)
        story.look()

    def _anna(self, now: float) -> None:
        strap = self.strap
        strap.near = self._is("strap on", now) and not self._is("anna out", now)
        strap.worn = not self._is("dry", now)
        assert strap.battery is not None
        if self._is("strap on", now):
            strap.battery -= 100.0 * STEP_S / (25 * 14 * HOUR)
        if strap.battery <= 15.0 and self.battery_told_at is None:
            self.battery_told_at = now
        if self.battery_told_at is not None and now > self.battery_told_at + 1.5 * DAY_S:
            strap.battery, self.battery_told_at = 100.0, None

    def _ben(self, now: float) -> None:
        watch = self.watch
        charging = self._is("charging", now)
        watch.near = not self._is("ben out", now)
        watch.sends = not charging or self._is("tells", now)
        watch.worn = not charging
        assert watch.battery is not None
        watch.battery += 60.0 * STEP_S / HOUR if charging else -self.thirst * STEP_S / HOUR
        watch.battery = min(100.0, max(5.0, watch.battery))

    def _is(self, name: str, now: float) -> bool:
        return any(now in span for span in self.spans.get(name, ()))

    def _draw(self, midnight: float, day: int) -> None:
        """The spans of one day, those of the days before being over but for the night."""
        chance = self.chance
        old = {name: [span for span in spans if span.end > midnight] for name, spans in self.spans.items()}
        self.spans = old

        def add(name: str, begin_h: float, hours: float) -> None:
            begin = midnight + begin_h * HOUR
            old.setdefault(name, []).append(Span(begin, begin + hours * HOUR))

        self._draw_people(day, add)
        add("offline", 3.0, chance.uniform(2.0, 10.0) / 60.0)
        if day % 30 == 11:
            add("offline", 14.0, chance.uniform(1.0, 5.0))
        if day % 7 == 2:
            add("bluetooth", 11.0, 1.0 / 60.0)

    def _draw_people(self, day: int, add: Callable[[str, float, float], None]) -> None:
        chance = self.chance
        on = 7.5 + chance.uniform(-0.75, 0.75)
        add("strap on", on, 21.5 + chance.uniform(-0.5, 0.5) - on)
        for _ in range(6):
            add("dry", chance.uniform(8.0, 21.0), chance.uniform(1.0, 20.0) / 60.0)
        for who, shift in (("anna out", 0), ("cleo out", 3)):
            for begin_h, hours in self._outings(day + shift):
                add(who, begin_h, hours)
        if day % 7 < 5:
            add("ben out", chance.uniform(7.0, 8.5), chance.uniform(8.5, 10.5))
            add("cuff", 8.0, 0.05)
        begin_h, hours = chance.uniform(19.0, 21.5), chance.uniform(1.0, 2.0)
        add("charging", begin_h, hours)
        if chance.random() < 0.5:
            add("tells", begin_h, hours)
        self.thirst = 4.2 if chance.random() < 0.1 else 2.5
        if day % 10 == 9:
            add("sensor", chance.uniform(8.0, 18.0), 2.0)
        if day % 7 in {1, 3, 5}:
            add("sports", 18.0, 1.0)
        add("ring", 22.0, 9.0)

    def _outings(self, day: int) -> Iterator[tuple[float, float]]:
        if self.chance.random() < 2.0 / 3.0:
            yield self.chance.uniform(9.0, 17.0), self.chance.uniform(0.5, 3.0)
        if day % 7 == 5:
            yield 9.5, self.chance.uniform(4.0, 9.0)


def main() -> None:
    """Print the alerts of ten households' months, and how many there are per person and week."""
    kinds: Counter[tuple[str, str]] = Counter()
    ends = 0
    for seed in range(HOUSEHOLDS):
        life = OrdinaryLife(seed, 30)
        life.live()
        kinds.update((alert.kind, alert.severity.value) for alert in life.story.store.raised())
        ends += len(life.story.store.cleared())
    weeks = HOUSEHOLDS * PEOPLE * 30 / 7
    for (kind, severity), number in kinds.most_common():
        print(f"{kind:20} {severity:8} {number / weeks:.3f} a person-week")  # noqa: T201 -- that is what it is for
    print(f"{'all':29} {kinds.total() / weeks:.3f}, and {ends / weeks:.3f} all-clears")  # noqa: T201 -- as above


if __name__ == "__main__":
    main()
