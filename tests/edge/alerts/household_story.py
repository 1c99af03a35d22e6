"""A made-up household: wearables that fall silent, run down and come off, and a process that dies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge.alerts.faults import RULES, FaultEpisodes, FaultRule, Transition, keys_of
from edge.alerts.house_faults import HouseFaults, HouseSight
from edge.alerts.limits import DEFAULTS, Limits
from edge.alerts.sights import WearableSight
from edge.alerts.wearable_faults import WearableFaults
from edge.notices import Alert, AlertState, FaultKind
from edge.readings import Channel

# Noon UTC of 2027-01-15.
NOON = 1_800_014_400.0
LOOK_S = 60.0
DAY_S = 86_400.0


@dataclass(slots=True)
class Worn:
    """One wearable as it truly is."""

    address: str
    person: str = "anna"
    channels: tuple[Channel, ...] = (Channel.HEART_RATE, Channel.RR_INTERVAL)
    sends: bool = True
    near: bool = True
    worn: bool | None = True
    battery: float | None = 80.0
    frozen: bool = False
    clock_ahead_s: float | None = None
    trouble: str | None = None
    heard: dict[Channel, float] = field(default_factory=dict)
    values: dict[Channel, float] = field(default_factory=dict)

    def live(self, now: float, *, radio: bool) -> None:
        """Send, if it can."""
        if self.sends and self.near and radio:
            self.heard.update(dict.fromkeys(self.channels, now))
            if not self.frozen:
                self.values.update(dict.fromkeys(self.channels, now % 1000.0))

    def sight(self, *, radio: bool) -> WearableSight:
        return WearableSight(
            self.address,
            self.person,
            self.near and radio,
            self.worn,
            self.battery,
            dict(self.heard),
            dict(self.values),
            self.clock_ahead_s,
            trouble=self.trouble,
        )


class Store:
    """What the alerts' table does: an episode has one row, and a cleared one stays cleared."""

    def __init__(self) -> None:
        self.rows: dict[str, Alert] = {}
        self.news: list[Alert] = []
        self.told: list[tuple[float, Alert]] = []
        self.absences: dict[str, Mapping[float, float]] = {}

    def commit(self, transition: Transition, now: float) -> None:
        alert = transition.alert
        known = self.rows.get(alert.id)
        if known is None or known.state is AlertState.RAISED:
            self.rows[alert.id] = alert
        if transition.is_news:
            self.news.append(alert)
            self.told.append((now, alert))

    @property
    def open_keys(self) -> list[tuple[FaultKind, str]]:
        return [key for alert in self.rows.values() if alert.state is AlertState.RAISED for key in keys_of(alert)]

    def raised(self, kind: FaultKind | None = None) -> list[Alert]:
        """What was told to have begun, in turn."""
        return [a for a in self.news if a.state is AlertState.RAISED and kind in {None, a.kind}]

    def cleared(self, kind: FaultKind | None = None) -> list[Alert]:
        return [a for a in self.news if a.state is AlertState.CLEARED and kind in {None, a.kind}]


class Story:
    """A household, its store, and the process that looks after it."""

    def __init__(
        self,
        *wearables: Worn,
        limits: Limits = DEFAULTS,
        rules: Mapping[FaultKind, FaultRule] = RULES,
        critical: Mapping[str, frozenset[Channel]] | None = None,
        start: float = NOON,
    ) -> None:
        self.wearables = list(wearables)
        self.limits = limits
        self.rules = rules
        self.critical = critical or {}
        self.store = Store()
        self.house = HouseSight(0.0, 0.0)
        self.now = start
        self.clock_ahead_s = 0.0
        self.boot()

    def boot(self) -> None:
        """Begin a process that knows only what was stored."""
        self.episodes = FaultEpisodes(self.store.rows.values(), self.rules)
        self.wearable_faults, self.house_faults = WearableFaults(), HouseFaults()
        self.looked_at: float | None = None

    @property
    def wall(self) -> float:
        return self.now + self.clock_ahead_s

    @property
    def radio(self) -> bool:
        return self.house.radio is None

    @property
    def is_night(self) -> bool:
        return not 8.0 <= self.wall % DAY_S / 3600.0 < 22.0

    def live(self, seconds: float) -> None:
        """Let time pass without a look, as while the process is down."""
        self.now += seconds
        for worn in self.wearables:
            worn.live(self.wall, radio=self.radio)

    def look(self, *, commits: int | None = None) -> list[Transition]:
        """One look; only the first `commits` transitions reach the store, None for all."""
        elapsed = 0.0 if self.looked_at is None else self.now - self.looked_at
        self.looked_at = self.now
        found = self.wearable_faults.look(
            self.wall,
            elapsed,
            [
                replace(worn.sight(radio=self.radio), absences=self.store.absences.get(worn.address, {}))
                for worn in self.wearables
            ],
            {worn.person: self.limits for worn in self.wearables},
            radio_works=self.radio,
            is_night=self.is_night,
            critical=self.critical,
        )
        self.store.absences.update(found.absences)
        house = self.house_faults.look(replace(self.house, wall=self.wall, monotonic=self.now))
        transitions = self.episodes.look(
            self.wall, elapsed, house.wrong + found.wrong, house.well + found.well, is_night=self.is_night
        )
        for transition in transitions[:commits]:
            self.store.commit(transition, self.now)
        return transitions

    def go(self, seconds: float) -> None:
        """Let time pass, with a look every minute."""
        end = self.now + seconds
        while self.now < end:
            self.live(LOOK_S)
            self.look()
