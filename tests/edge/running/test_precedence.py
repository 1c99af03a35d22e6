"""What matters more goes first, and what stands aside goes on."""

from __future__ import annotations

import threading
import time

import pytest

from edge.running import precedence
from edge.running.precedence import UrgentExecutor


def test_others_stand_aside_while_urgent_work_is_under_way_and_go_on_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precedence, "LONGEST_S", 20.0)
    begun, end, passed = threading.Event(), threading.Event(), threading.Event()

    def stand_aside() -> None:
        executor.give_way()
        passed.set()

    def work() -> int:
        begun.set()
        assert end.wait(20.0)
        return 7

    with UrgentExecutor("test") as executor:
        executor.give_way()  # nothing is under way
        future = executor.submit(work)
        waits = executor.submit(lambda: None)  # queued is under way too
        assert begun.wait(20.0)
        thread = threading.Thread(target=stand_aside)
        thread.start()
        assert not passed.wait(0.05)
        end.set()
        assert future.result(20.0) == 7
        waits.result(20.0)
        assert passed.wait(20.0)
        thread.join()
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result(20.0)
        executor.give_way()
    with pytest.raises(RuntimeError):
        executor.submit(work)
    executor.give_way()


def test_nobody_stands_aside_for_ever() -> None:
    end = threading.Event()
    with UrgentExecutor("test") as executor:
        executor.submit(end.wait, 20.0)
        began = time.monotonic()
        executor.give_way()
        assert not end.is_set()
        assert time.monotonic() - began < 20.0
        end.set()
