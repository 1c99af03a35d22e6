"""Keeps a publisher at work: one whose thread has died, or hangs, is replaced by another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from cloud_sync.publisher import Publisher, PublisherState

# Threads that hang and were left behind; with so many no other is started, for each has a connection to the store.
# Our choice.
MOST_LEFT_BEHIND: Final = 5

_log = structlog.get_logger("publisher")


class Keeper:
    """A Publisher that outlives its thread; `make` makes one that is not started yet."""

    def __init__(self, make: Callable[[], Publisher]) -> None:
        self._make = make
        self._publisher = make()
        self._left_behind: list[Publisher] = []
        self._sent_before = 0

    def start(self) -> None:
        """Start the publisher."""
        self._publisher.start()

    def stop(self) -> None:
        """Say that the home is offline, disconnect and end the thread; what is not acknowledged stays in the outbox."""
        self._publisher.stop()

    def wake(self) -> None:
        """Tell it that the outbox has something new; from any thread, costs microseconds."""
        self._publisher.wake()

    def state(self) -> PublisherState:
        """How it stands, at once; `sent` counts what all its threads have sent."""
        state = self._publisher.state()
        return replace(state, sent=self._sent_before + state.sent)

    def mend(self) -> None:
        """Replace a thread that died or hangs; to be called now and then."""
        if not self._publisher.is_alive():
            _log.error("the publisher died and is started anew")
            self._publisher.stop()
        elif self._publisher.hangs():
            self._left_behind = [publisher for publisher in self._left_behind if publisher.is_alive()]
            if len(self._left_behind) >= MOST_LEFT_BEHIND:
                return
            _log.error("the publisher hangs; another takes its place")
            self._publisher.abandon()
            self._left_behind.append(self._publisher)
        else:
            return
        self._sent_before = self.state().sent
        self._publisher = self._make()
        self._publisher.start()
