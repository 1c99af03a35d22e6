"""Work that nothing else in this process shall hold up, and a way for the rest to stand aside meanwhile.

Python runs one thread at a time, and a thread that has waited for its turn gets it after 5 ms at the latest
(sys.getswitchinterval): a backlog on its way to the broker would make each of a decision's turns so late.
tests/benchmarks/test_bench_return.py measures what is left of that.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

# How long others stand aside at a time, s. Our choice: many times what a decision takes, so that they still go on
# where urgent work never ends.
LONGEST_S: Final = 0.05
# How long they then wait for whoever waited for the result to take it, s. Our choice: waking a thread takes less.
LINGER_S: Final = 0.003

# How soon a thread that waits for its turn gets it, s. Our choice: a fifth of Python's own.
SWITCH_S: Final = 0.001

P = ParamSpec("P")
T = TypeVar("T")


def take_short_turns() -> None:
    """Let every thread of this process have its turn sooner than Python would."""
    sys.setswitchinterval(SWITCH_S)


class UrgentExecutor(ThreadPoolExecutor):
    """Runs urgent work, one piece after another, in a thread of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1, thread_name_prefix=name)
        self._counting = threading.Lock()
        self._under_way = 0
        self._idle = threading.Event()
        self._idle.set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As any executor's; until it is done, others stand aside."""
        with self._counting:
            self._under_way += 1
            self._idle.clear()
        try:
            future = super().submit(fn, *args, **kwargs)
        except RuntimeError:  # it was shut down
            self._done()
            raise
        future.add_done_callback(self._done)
        return future

    def give_way(self) -> None:
        """Stand aside while urgent work is under way, for a moment at most; costs nothing to speak of without any."""
        if not self._idle.is_set():
            self._idle.wait(LONGEST_S)
            time.sleep(LINGER_S)

    def _done(self, _future: object = None) -> None:
        with self._counting:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
