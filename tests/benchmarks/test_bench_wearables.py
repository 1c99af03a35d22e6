"""A full house: twenty wearables for an hour of their time; nothing may be lost, every gap told, no memory taken.

Twins, radio, bleak, links, pipelines, models and store are those of the demo, in one process; only time is hurried, and
never past what is under way. Every minute a link breaks, and each third time its wearable is away for three quarters of
one; four straps lose one packet in a hundred, and two send theirs bunched.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.fakes.crowd import Count, Crowd
from tests.fakes.household import virtual_household

HOUR_S = 3600.0
# Resident memory may not grow by more than this share from the first third of the hour to the last. Our choice: what
# SQLite's and Python's own caches still take up.
GROWTH_BAR = 0.05


async def measure(folder: Path, seconds: float) -> tuple[dict[str, Count], list[float], Crowd, list[str]]:
    """What was sent and stored, the process's memory (MB) minute by minute, and the daemon's own faults."""
    memory: list[float] = []
    process = psutil.Process()
    async with virtual_household(folder) as house:
        house.with_models = True
        crowd = Crowd(house, random.Random(7))
        await crowd.start()
        async with house.living(**crowd.people) as daemon:
            await crowd.connected()

            async def settled() -> None:
                await daemon.settled()
                memory.append(process.memory_info().rss / 1e6)

            await crowd.live(seconds, settled)
            faults = (await daemon.snapshot())["faults"]
        return crowd.counts(), memory, crowd, faults


def test_bench_wearables(benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gc.collect()
    began = time.perf_counter()
    counts, memory, crowd, faults = benchmark.pedantic(  # type: ignore[no-untyped-call]  # it has no types here
        lambda: asyncio.run(measure(tmp_path, HOUR_S)), rounds=1
    )
    took = time.perf_counter() - began
    third = len(memory) // 3
    growth = float(np.mean(memory[-third:]) / np.mean(memory[:third]) - 1.0)
    every = Count()
    for count in counts.values():
        every.add(count)
    with capsys.disabled():
        print(  # noqa: T201  the figures are what the benchmark is for
            f"\n20 wearables, {HOUR_S / 3600:.0f} h in {took:.0f} s, {crowd.breaks} links broken"
            f"\nmemory: {memory[0]:.0f} MB at first, {memory[-1]:.0f} MB at last; from the first third to the last "
            f"{growth:+.1%}, ratio {growth / GROWTH_BAR:.2f} of the bar"
            f"\nsamples: {every.sent} sent, {every.stored} stored, {every.wrong} wrong"
            f"\ngaps: {every.gaps}, {every.marked} of them marked; {every.in_vain} marked in vain"
            f"\nfaults: {faults or 'none'}"
        )
        for channel, count in counts.items():
            print(f"  {channel}: {count}")  # noqa: T201  see above
    benchmark.extra_info.update(growth=growth, memory_mb=memory[-1], **vars(every))
