"""A process that dies between two commits, or in one, loses nothing and stores nothing twice."""

from __future__ import annotations

import multiprocessing
import random
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np
import pytest

from edge.readings import Channel, Memory, Reading
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, rr

FRAME = 300
DEATHS = 2


def frame(number: int) -> Reading:
    """Six seconds of acceleration."""
    at = START + 6.0 * number
    values = tuple(float((number + n) % 700) for n in range(3 * FRAME))
    return Reading("anna", "AA", Channel.ACCELERATION, "mg", at, at + 6.0, values, interval_s=0.02)


def record(number: int) -> Reading:
    """A glucose record of days ago, of which each is newer than the one before by five minutes."""
    at = START - 86_400.0 + 300.0 * number
    return Reading("anna", "BB", Channel.GLUCOSE, "mg/dL", at, START + 6.0 * number, (100.0 + number % 50,))


def commit_for_ever(path: Path, pipe: Pipe) -> None:
    """Go on after the last record that is remembered; it is sent again first, as after a link that was lost."""
    with Store(path) as store:
        done = int(store.memories.of("BB").get("cgm", {"record": -1.0})["record"])
        again = [record(number) for number in range(max(0, done - 3), done + 1)]
        for number in range(done + 1, 10_000):
            store.commit(
                Batch(
                    readings=[*again, record(number), frame(number), rr(START + 6.0 * number, 1024)],
                    memories=[Memory("BB", "cgm", {"record": float(number)})],
                )
            )
            pipe.send(number)


@pytest.mark.parametrize("seed", [3])
def test_pain_24_kill_9_again_and_again_leaves_each_sample_once(tmp_path: Path, seed: int) -> None:
    path, chance, committed = tmp_path / "hearthbeat.db", random.Random(seed), -1
    context = multiprocessing.get_context("spawn")
    for _ in range(DEATHS):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=commit_for_ever, args=(path, there))
        process.start()
        there.close()
        wanted = committed + chance.randrange(1, 60)
        with here, suppress(EOFError):
            while True:
                committed = here.recv()
                if committed == wanted:
                    process.kill()
        process.join()
    with Store(path) as store:
        store.check()
        glucose = store.signals.series("anna", Channel.GLUCOSE, 0.0, float("inf"))
        acceleration = store.signals.series("anna", Channel.ACCELERATION, 0.0, float("inf"))
        beats = store.signals.series("anna", Channel.RR_INTERVAL, 0.0, float("inf"))
        remembered = store.memories.of("BB")["cgm"]["record"]
    count = int(remembered) + 1
    assert count - 1 in {committed, committed + 1}
    assert glucose.times.tolist() == [record(number).start for number in range(count)]
    assert beats.times.size == count
    expected = np.array([frame(number).values for number in range(count)]).reshape(-1, 3)
    assert (acceleration.values == expected).all()
    assert np.allclose(np.diff(acceleration.times), 0.02, atol=1e-6)
