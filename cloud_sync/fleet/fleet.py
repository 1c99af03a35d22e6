"""Thousands of simulated homes in one thread: an epoll loop, a heap of what is due, and a network that can be cut."""

from __future__ import annotations

import heapq
import random
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloud_sync.fleet.home import SimulatedHome
from cloud_sync.fleet.traffic import MINUTES_A_MESSAGE, Traffic
from cloud_sync.publisher import retry_delay
from edge.errors import BrokerError

# How long a turn waits for a socket at most, and how long a connection may take to be made, s.
STEP_S: Final = 0.05
CONNECT_LIMIT_S: Final = 60.0
_KEEP_ALIVE_EVERY_S: Final = 5.0
# Events that are handled in one turn, and messages that are made in one; our choice: no home waits long for its turn.
_EVENTS: Final = 1000
_MAKE: Final = 200
_LOST: Final = select.EPOLLERR | select.EPOLLHUP


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated: how many homes, their life's minutes (`minutes`), how many times as fast as life.

    At half time the network is gone for `outage_minutes` of life; then all homes are back, at once or, with `jitter`,
    as the daemon's publisher would come back.
    """

    homes: int
    minutes: float = 60.0
    speed: float = 60.0
    outage_minutes: float = 15.0
    jitter: bool = False
    receipts: bool = True
    seed: int = 0
    prefix: str = "sim"


@dataclass(frozen=True, slots=True)
class Progress:
    """How it stands: what is done and its share of the whole, homes that are connected, messages made and safe."""

    phase: str
    share: float
    connected: int
    made: int
    safe: int


@dataclass(frozen=True, slots=True)
class Times:
    """When the network came back, when all homes were connected again, and when all of before was safe; monotonic, s.

    None where that did not come about.
    """

    back: float | None = None
    reconnected: float | None = None
    recovered: float | None = None


class Fleet:
    """Homes that tell the broker at `address` what `plan` says."""

    def __init__(self, plan: Plan, address: tuple[str, int], tell: Callable[[Progress], None]) -> None:
        self.plan = plan
        self.times = Times()
        self._address = address
        self._tell = tell
        self._chance = random.Random(plan.seed)  # noqa: S311 -- no secret is made of it
        first = int(time.time() / 60.0) - round(plan.minutes) - 60
        self.homes = [
            SimulatedHome(Traffic(number, first // 60 * 60, plan.seed, plan.prefix), plan.receipts)
            for number in range(plan.homes)
        ]
        self._poll = select.epoll()
        self._by_socket: dict[int, SimulatedHome] = {}
        self._masks: dict[int, int] = {}
        self._due: list[tuple[float, int]] = []  # when which home makes its next message
        self._retries: list[tuple[float, int]] = []
        self._making = True
        self._network = True
        self._keep_alive_at = 0.0
        self._told_at = 0.0

    def run(self, patience_s: float) -> None:
        """Live through the plan; what is not safe `patience_s` after the end is given up."""
        life = self.plan.minutes * 60.0 / self.plan.speed
        self._connect_all(spread=min(life / 10.0, self.plan.homes / 1000.0))
        began = self._settle(patience_s)
        for number in range(self.plan.homes):
            heapq.heappush(self._due, (began + self._chance.random() * self._interval, number))
        self._live(began + life / 2.0, "traffic", began, life)
        if self.plan.outage_minutes > 0.0:
            self._cut()
            back = time.monotonic() + self.plan.outage_minutes * 60.0 / self.plan.speed
            self._live(back, "outage", began, life)
            self._come_back(patience_s)
        self._live(began + life, "traffic", began, life)
        self._making = False
        self._until(lambda: not any(home.kept for home in self.homes), "what is left", patience_s)

    def close(self) -> None:
        """Every home leaves."""
        for home in self.homes:
            home.say_goodbye()
            self._flush(home)
            self._forget(home)
        self._poll.close()

    @property
    def _interval(self) -> float:
        return MINUTES_A_MESSAGE * 60.0 / self.plan.speed

    def _settle(self, patience_s: float) -> float:
        self._until(lambda: all(home.connected for home in self.homes), "connecting", patience_s)
        return time.monotonic()

    def _live(self, until: float, phase: str, began: float, life: float) -> None:
        while (now := time.monotonic()) < until:
            self._turn(now)
            self._report(phase, min((now - began) / life, 1.0), now)

    def _until(self, condition: Callable[[], bool], phase: str, patience_s: float) -> bool:
        limit, look_at = time.monotonic() + patience_s, 0.0
        while (now := time.monotonic()) < limit:
            self._turn(now)
            self._report(phase, 1.0, now)
            if now >= look_at:  # looking at all homes takes a while, too
                if condition():
                    return True
                look_at = now + STEP_S
        return False

    def _cut(self) -> None:
        self._network = False
        for home in self.homes:
            self._forget(home)
        self._retries.clear()

    def _come_back(self, patience_s: float) -> None:
        """All at once; recovered when everything that was made before is safe."""
        self._network = True
        back = time.monotonic()
        owed = {id(home): set(home.kept) for home in self.homes}
        self._connect_all(spread=0.0)
        self.times = Times(back)
        if self._until(lambda: all(home.connected for home in self.homes), "thundering herd", patience_s):
            self.times = Times(back, time.monotonic())

        def nothing_is_owed() -> bool:
            return not any(not owed[id(home)].isdisjoint(home.kept) for home in self.homes)

        if self._until(nothing_is_owed, "recovering", patience_s):
            self.times = Times(back, self.times.reconnected, time.monotonic())

    def _connect_all(self, *, spread: float) -> None:
        now = time.monotonic()
        for number in range(self.plan.homes):
            wait = self._chance.uniform(0.0, spread)
            if self.plan.jitter:
                wait += retry_delay(1, self._chance)
            heapq.heappush(self._retries, (now + wait, number))

    def _turn(self, now: float) -> None:
        self._connect_due(now)
        self._make_due(now)
        for number, events in self._poll.poll(0.0 if self._retries and self._network else STEP_S, _EVENTS):
            home = self._by_socket.get(number)
            if home is not None:
                self._serve(home, events, now)
        if now >= self._keep_alive_at:
            self._keep_alive_at = now + _KEEP_ALIVE_EVERY_S
            self._keep_alive(now)

    def _serve(self, home: SimulatedHome, events: int, now: float) -> None:
        try:
            if events & _LOST:
                raise ConnectionResetError
            if events & select.EPOLLIN:
                home.read(now, time.time())
            if home.wants_to_write():
                home.write(now)
        except (OSError, BrokerError):
            self._lost(home, now)
        else:
            self._watch(home)

    def _connect_due(self, now: float) -> None:
        for _ in range(_EVENTS):
            if not self._network or not self._retries or self._retries[0][0] > now:
                return
            home = self.homes[heapq.heappop(self._retries)[1]]
            if home.connection is not None:
                continue
            try:
                connection = home.open(self._address, now)
            except OSError:
                self._lost(home, now)
                continue
            self._by_socket[connection.fileno()] = home
            self._masks[connection.fileno()] = select.EPOLLIN | select.EPOLLOUT
            self._poll.register(connection.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _make_due(self, now: float) -> None:
        for _ in range(_MAKE):
            if not self._making or not self._due or self._due[0][0] > now:
                return
            due, number = heapq.heappop(self._due)
            home = self.homes[number]
            home.make(now)
            self._flush(home)
            heapq.heappush(self._due, (due + self._interval, number))

    def _flush(self, home: SimulatedHome) -> None:
        if home.connected and home.wants_to_write():
            try:
                home.write(time.monotonic())
            except OSError:
                self._lost(home, time.monotonic())
            else:
                self._watch(home)

    def _watch(self, home: SimulatedHome) -> None:
        if home.connection is None:
            return
        number = home.connection.fileno()
        mask = select.EPOLLIN | (select.EPOLLOUT if home.wants_to_write() else 0)
        if self._masks.get(number) != mask:
            self._masks[number] = mask
            self._poll.modify(number, mask)

    def _lost(self, home: SimulatedHome, now: float) -> None:
        self._forget(home)
        home.failures += 1
        heapq.heappush(
            self._retries, (now + retry_delay(home.failures, self._chance), self._number(home))
        )  # fmt: skip

    def _forget(self, home: SimulatedHome) -> None:
        if home.connection is not None:
            number = home.connection.fileno()
            self._by_socket.pop(number, None)
            self._masks.pop(number, None)
        home.drop()

    def _number(self, home: SimulatedHome) -> int:
        return home.traffic.number

    def _keep_alive(self, now: float) -> None:
        for home in self.homes:
            if home.connection is not None and not home.connected and now - home.last_write > CONNECT_LIMIT_S:
                self._lost(home, now)
            home.keep_alive(now)
            self._flush(home)

    def _report(self, phase: str, share: float, now: float) -> None:
        if now - self._told_at < 0.25:
            return
        self._told_at = now
        made = sum(len(home.made) for home in self.homes)
        safe = made - sum(len(home.kept) for home in self.homes)
        self._tell(Progress(phase, share, sum(home.connected for home in self.homes), made, safe))
