"""The publisher: drains the outbox to the broker, in a thread of its own, for as long as the daemon lives.

starting --connected--> exchanging --lost, refused--> waiting (backoff with jitter) --> starting ...
                             |                           |
                          stop: offline status,       a file of the settings is mended, or the clock is set:
                          disconnect                  no longer
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from cloud_sync.broker import Broker
from cloud_sync.refusals import Doubts
from cloud_sync.session import ROWS, Session
from edge.clock import Clock, SystemClock
from edge.errors import BrokerBusyError, BrokerError, BrokerRefusedError, StoreError
from edge.store.store import Store

if TYPE_CHECKING:
    from cloud_sync.inbox import Inbox  # where no key is trusted, nothing of it is loaded

# Messages in flight. Mosquitto's own default receive maximum, so that a larger one would change nothing there.
WINDOW: Final = 20
# How often a wait looks whether it has become needless, and by how much a clock that is set moves at least, s.
GLANCE_S: Final = 0.5
STEP_OF_CLOCK_S: Final = 60.0
# A connection that brought something, and lasted so long, s, is no failure. Our choice.
USEFUL_S: Final = 10.0
# How often in a row a broker may take us and then, within a while, s, close the connection without a word before we
# have sent anything: some say nothing when another takes our id (mosquitto 2.0.11 does not). Our choice.
MOST_DROPS: Final = 5
SHORT_LIFE_S: Final = 600.0
# How long the thread may be without a sign of life, s. Our choice: a name server that is out of reach may hold up a
# connection for a minute, a disk for another.
HANG_LIMIT_S: Final = 240.0
# How long `stop` waits for the thread, s: connecting may take its 5 s, a farewell its 3.
STOP_LIMIT_S: Final = 10.0

_log = structlog.get_logger("publisher")


@dataclass(frozen=True, slots=True)
class PublisherState:
    """How it stands: since when (s since 1970 UTC), the last fault in one line, and how many messages were taken.

    `refused` says that somebody must mend the fault, which time does not. `complaint` is what is wrong although the
    connection stands.
    """

    connected: bool
    since: float
    error: str | None
    sent: int
    refused: bool = False
    complaint: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """How long until the next attempt: at first, and at most, s."""

    first: float
    longest: float


# Our choice: a broker that restarts is back in seconds; one that is gone is asked once a minute. One that is busy has
# said so. One that refuses us is asked every few minutes, less often than what bans those who guess passwords counts,
# and so do two homes of one id, which throw each other out.
LOST: Final = Wait(1.0, 60.0)
BUSY: Final = Wait(30.0, 600.0)
REFUSED: Final = Wait(60.0, 900.0)


def wait_after(error: Exception) -> Wait:
    """How long a connection that ended so is not tried again."""
    match error:
        case BrokerRefusedError():
            return REFUSED
        case BrokerBusyError():
            return BUSY
        case _:
            return LOST


def retry_delay(failures: int, chance: random.Random, wait: Wait = LOST) -> float:
    """Seconds until the next attempt after `failures` in a row (at least 1), doubling, capped, a random half left out.

    "Equal jitter" of M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015: homes that lost the same
    broker do not come back all at once.
    """
    doublings = min(failures - 1, 16)  # far beyond the cap, and no number grows without bound
    return min(wait.longest, wait.first * 2.0**doublings) * chance.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class _Hearing:
    """An Inbox with this thread's own connection to the store."""

    inbox: Inbox
    store: Store

    def topics(self) -> Mapping[str, bool]:
        """See Inbox."""
        return self.inbox.topics()

    def subscribed(self, topic: str, refusal: str | None) -> None:
        """See Inbox."""
        self.inbox.subscribed(topic, refusal)

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """See Inbox."""
        self.inbox.take(self.store, topic, payload, retained=retained)


class Publisher:
    """Drains the outbox of the store at `store_path` to `broker`; outlives everything but a fault of its own code.

    `window` is the most messages in flight, `inbox` takes what the broker sends; `chance` gives the jitter, and all
    waits are multiplied by `pace`. `give_way` returns when nothing that matters more needs the machine.
    """

    def __init__(
        self,
        broker: Broker,
        store_path: Path,
        home: str,
        *,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        window: int = WINDOW,
        pace: float = 1.0,
        inbox: Inbox | None = None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._broker = broker
        self._store_path = store_path
        self._home = home
        self._clock = clock or SystemClock()
        self._chance = chance or random.Random()  # noqa: S311 -- jitter is no secret
        self._window = window
        self._pace = pace
        self._inbox = inbox
        self._give_way = give_way
        self._stopping = threading.Event()
        self._last_fault = ""
        self._doubts = Doubts()
        self._drops = 0
        self._session: Session | None = None
        self._abandoned = False
        self._moved = 0  # rows that have left the outbox over this connection
        self._alive_at = time.monotonic()
        self._state = PublisherState(connected=False, since=self._clock.wall(), error=None, sent=0)
        self._wake, self._waker = socket.socketpair()
        self._waker.settimeout(0.0)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start the thread; a Publisher is started once."""
        self._touch()
        self._thread.start()

    def stop(self) -> None:
        """Say that the home is offline, disconnect and end the thread; what is not acknowledged stays in the outbox."""
        self._stopping.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(STOP_LIMIT_S)
        if not self._thread.is_alive():
            self._close()

    def _close(self) -> None:
        self._wake.close()
        self._waker.close()

    def wake(self) -> None:
        """Tell it that the outbox has something new; from any thread, costs microseconds."""
        # Full means that it has been told often enough, closed that it has been stopped.
        with suppress(OSError):
            self._waker.send(b"\0")

    def abandon(self) -> None:
        """Let go of a thread that hangs: when it comes to itself it ends, and says nothing more."""
        self._abandoned = True
        self._stopping.set()
        session = self._session
        if session is not None:
            session.hang_up()

    def is_alive(self) -> bool:
        """Whether the thread runs; when it does not although nobody stopped it, make a new Publisher."""
        return self._thread.is_alive()

    def hangs(self) -> bool:
        """Whether the thread has given no sign of life for far too long."""
        return self.is_alive() and time.monotonic() - self._alive_at > HANG_LIMIT_S

    def state(self) -> PublisherState:
        """How it stands, at once."""
        return self._state

    def _touch(self) -> None:
        self._alive_at = time.monotonic()
        self._give_way()

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                began, self._moved, files = time.monotonic(), 0, self._broker.fingerprint()
                try:
                    self._live()
                except (BrokerError, StoreError) as caught:
                    lived_s = time.monotonic() - began
                    error = self._thought_over(caught, lived_s)
                    wait = wait_after(error)
                    useful = lived_s > wait.longest or (wait is LOST and self._was_useful(lived_s))
                    failures = 1 if useful else failures + 1
                    self._failed(error)
                    self._rest(self._pace * retry_delay(failures, self._chance, wait), files)
        finally:
            self._state = replace(self._state, connected=False, since=self._clock.wall())
            if self._abandoned:  # nobody stops it any more
                self._close()

    def _thought_over(self, error: BrokerError | StoreError, lived_s: float) -> BrokerError | StoreError:
        """What `error` means after those before it: a broker that drops us again and again will go on with it."""
        if self._moved or lived_s > SHORT_LIFE_S:
            self._drops = 0
        elif self._session is not None and self._session.dropped:
            self._drops += 1
        if self._drops < MOST_DROPS:
            return error
        return BrokerRefusedError(
            "it closes the connection again and again, without a word",
            where=self._broker.address,
            mend="let no other Hearthbeat use the same id under [home], and look into the broker's log",
        )

    def _was_useful(self, lived_s: float) -> bool:
        # Of two homes of one id that throw each other out, each sends something every time, but not for long.
        return self._moved >= ROWS or (self._moved > 0 and lived_s > USEFUL_S)

    def _rest(self, seconds: float, files: tuple[object, ...]) -> None:
        """Wait, until somebody has mended a file or set the clock, with which certificates are judged."""
        until, ahead = time.monotonic() + seconds, self._ahead()
        while (left := until - time.monotonic()) > 0.0 and not self._stopping.wait(min(GLANCE_S, left)):
            self._touch()
            if self._broker.fingerprint() != files or abs(self._ahead() - ahead) > STEP_OF_CLOCK_S:
                return

    def _ahead(self) -> float:
        return self._clock.wall() - self._clock.monotonic()

    def _live(self) -> None:
        """One connection, from its beginning to its end."""
        self._touch()
        self._session = None
        with Store(self._store_path) as store:
            hearing = None if self._inbox is None else _Hearing(self._inbox, store)
            session = Session(
                self._broker,
                self._home,
                store.outbox,
                self._clock,
                self._wake,
                self._window,
                hearing=hearing,
                doubts=self._doubts,
                alive=self._touch,
            )
            with closing(session):
                self._session = session
                session.connect()
                self._state = replace(self._state, connected=True, since=self._clock.wall(), error=None, refused=False)
                _log.info("connected to the broker", broker=self._broker.address)
                before = self._state.sent
                while not self._stopping.is_set():
                    session.exchange()
                    self._moved = session.sent + session.parked
                    self._state = replace(self._state, sent=before + session.sent, complaint=session.complaint())
                if not self._abandoned:
                    session.farewell()
                self._state = replace(self._state, sent=before + session.sent)

    def _failed(self, error: BrokerError | StoreError) -> None:
        """Keep the fault for whoever asks, and log it once however often it comes again."""
        log = _log.debug if str(error) == self._last_fault else _log.warning
        self._last_fault = str(error)
        log("the outbox waits", error=str(error))
        self._state = replace(
            self._state,
            connected=False,
            since=self._clock.wall(),
            error=str(error),
            refused=isinstance(error, BrokerRefusedError),
            complaint=None,
        )
