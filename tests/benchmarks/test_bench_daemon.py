"""The design's bars for the daemon as a process: memory, start and idling, on the emulated bus at life's own pace."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.clock import AcceleratedClock
from edge.readings import Channel
from edge.running import status
from edge.store.store import Store
from edge.virtual.rhythm import sinus
from tests.fakes.broker import Mosquitto, mosquitto
from tests.fakes.daemon_process import DaemonProcess
from tests.fakes.home import virtual_home

__all__ = ["mosquitto"]

STRAPS = 5
STARTS = 3
IDLE_S = 20.0
MEMORY_BAR_MB, START_BAR_S, IDLE_BAR = 90.0, 2.0, 0.02


def settings(folder: Path, addresses: list[str], broker: Mosquitto) -> Path:
    """A home where each strap is worn by a person of its own."""
    people = "".join(
        f'[[people]]\nid = "p{n}"\ncontacts = ["phone"]\n[[people.wearables]]\naddress = "{address}"\n'
        for n, address in enumerate(addresses)
    )
    config = folder / "hearthbeat.toml"
    config.write_text(
        f'[home]\nstate_directory = "state"\n{people}[[contacts]]\nid = "phone"\nurl = "json://127.0.0.1:9"\n'
        f'[broker]\nhost = "{broker.host}"\nport = {broker.port}\ntls = false\n'
    )
    return config


@asynccontextmanager
async def worn(folder: Path, broker: Mosquitto) -> AsyncIterator[tuple[DaemonProcess, Path]]:
    """Five people whose hearts beat, and a daemon that is not yet started."""
    clock = AcceleratedClock(1.0)
    async with virtual_home(clock, straps=STRAPS) as home:
        config = settings(folder, [strap.address for strap in home.straps], broker)
        daemon = DaemonProcess(config, clock, home.environment, folder / "daemon.log")
        hearts = [
            asyncio.create_task(strap.play(sinus(3600.0, bpm=60 + n, chance=random.Random(n))))
            for n, strap in enumerate(home.straps)
        ]
        yield daemon, folder / "state"
        for heart in hearts:
            heart.cancel()


async def first_sample(state: Path, began: float, before: int) -> float:
    """Seconds from exec until there is another sample in the store."""
    while True:
        await asyncio.sleep(0.02)
        if await asyncio.to_thread(samples, state) > before:
            return time.perf_counter() - began


def samples(state: Path) -> int:
    """RR intervals in the store, once there is one."""
    if not (state / status.STORE_NAME).exists():
        return 0
    with Store(state / status.STORE_NAME) as store:
        return sum(len(store.signals.series(f"p{n}", Channel.RR_INTERVAL, 0.0, 1e11).values) for n in range(STRAPS))


async def measure(folder: Path, broker: Mosquitto) -> tuple[list[float], float, float]:
    """Starts (s), resident memory (MB) and the share of one core that five streaming wearables take."""
    starts = []
    async with worn(folder, broker) as (daemon, state):
        for attempt in range(STARTS):
            before, began = samples(state), time.perf_counter()
            await daemon.start()
            starts.append(await first_sample(state, began, before))
            if attempt + 1 < STARTS:
                await daemon.stop()
        process = psutil.Process(daemon.pid)
        await asyncio.sleep(5.0)
        idle, began = process.cpu_times(), time.perf_counter()
        await asyncio.sleep(IDLE_S)
        after, elapsed = process.cpu_times(), time.perf_counter() - began
        memory = process.memory_info().rss / 1e6
        await daemon.stop()
    return starts, memory, (after.user + after.system - idle.user - idle.system) / elapsed


def test_bench_daemon(
    benchmark: BenchmarkFixture, tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    starts, memory, idle = benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark has no types here
        lambda: asyncio.run(measure(tmp_path, mosquitto)), rounds=1
    )
    start = sorted(starts)[len(starts) // 2]
    with capsys.disabled():
        print(  # noqa: T201  the ratios are what the benchmark is for
            f"\nstart: first sample stored {start:.2f} s after exec, ratio {start / START_BAR_S:.2f} of the bar"
            f"\nmemory: {memory:.0f} MB resident with every model, ratio {memory / MEMORY_BAR_MB:.2f} of the bar"
            f"\nidle: {idle:.1%} of one core for five wearables, ratio {idle / IDLE_BAR:.2f} of the bar"
        )
    benchmark.extra_info.update(start_s=start, memory_mb=memory, idle=idle)
