"""How long a phone waits: from the packet that completes the evidence to the HTTP request at the contact's channel.

Twenty wearables stream at life's own pace (see tests.fakes.crowd), with all models at work, and a cuff measures
pressures that raise a critical alert and end it, one after the other; each must be told over ntfy, to a server in a
process of its own, with what the daemon adds to it. In between are the link, the decision, the commit, the courier and
the process that sends, started ahead as in life. Wearables, radio and bleak are in the daemon's process here, and cost
it more than a radio would.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.bluetooth.link import Packet
from edge.notify.phone import CALM_S
from edge.pipeline import Pipeline
from edge.settings.home import Settings
from edge.virtual.rhythm import sinus
from edge.virtual.wearable import VirtualWearable
from edge.wearables.blood_pressure import MEASUREMENT
from tests.conftest import CHECKOUT
from tests.fakes.broker import free_port
from tests.fakes.crowd import Crowd
from tests.fakes.household import VirtualHousehold, virtual_household

MEASUREMENTS = 100
P99_BAR_S = 1.0
# Seconds between two measurements: more than a second, within which two are one, and uneven, so that they meet all that
# goes on at its own pace.
PAUSE_S = (1.1, 1.9)
RULE = {"name": "high", "channel": "systolic", "above": 179.0, "clear": 160.0, "values": 1}


@dataclass
class LoudHousehold(VirtualHousehold):
    """The cuff's person is told of each high pressure, however soon after the one before."""

    def _settings(self, people: dict[str, Iterable[VirtualWearable]]) -> Settings:
        given = super()._settings(people).model_dump(mode="python", exclude_unset=True)
        for person in given["people"]:
            if person["id"] == "cuff":
                person["rules"] = [{**RULE, "severity": "critical", "cool_down_min": 0.0}]
                person["rules"] += [{"name": name, "on": False} for name in ("systolic_very_high", "systolic_high")]
        given["contacts"] = [{"id": "phone", "url": self.phone, "daily_word": "never"}]
        return Settings.model_validate(given)


class Phone:
    """An ntfy server in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def rang_at(self) -> float:
        """When the next message came, s of the monotonic clock that all processes share."""
        assert self._process.stdout is not None
        async with asyncio.timeout(30.0):
            return float(json.loads(await self._process.stdout.readline())["at"])


@asynccontextmanager
async def ringing(port: int) -> AsyncIterator[Phone]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fakes.cut_off_home", "ntfy", str(port)),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Phone(process)
    finally:
        process.terminate()
        await process.wait()


async def measure(folder: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> tuple[list[float], float]:
    """Seconds from each packet to its message, and the memory (MB) of the process that sends."""
    arrived: list[float] = []
    receive = Pipeline.receive

    def noted(pipeline: Pipeline, packet: Packet) -> None:
        if packet.characteristic == MEASUREMENT:
            arrived.append(time.monotonic())
        receive(pipeline, packet)

    monkeypatch.setattr(Pipeline, "receive", noted)
    chance, waited = random.Random(5), []
    async with virtual_household(folder) as quiet, ringing(port) as phone:
        house = LoudHousehold(folder, quiet.radio, quiet.clock, f"ntfy://127.0.0.1:{port}/mum", with_models=True)
        crowd = Crowd(house, random.Random(7))
        await crowd.start()
        async with house.living(**crowd.people):
            await crowd.connected()
            house.clock.speed = 1.0
            hearts = [
                asyncio.create_task(one.play(sinus(3600.0, bpm=55.0 + 3.0 * n, chance=random.Random(n))))
                for n, one in enumerate([*crowd.bands, *crowd.straps])
            ]
            hearts.append(asyncio.create_task(crowd.oximeter.play((95.0 + n % 3, 58.0) for n in range(10_000))))
            await asyncio.sleep(CALM_S + 3.0)
            for number in range(MEASUREMENTS):
                await asyncio.sleep(chance.uniform(*PAUSE_S))
                await crowd.cuff.measure(120.0 if number % 2 else 190.0, 80.0, stamped=False)
                waited.append(await phone.rang_at() - arrived[number])
            (sender,) = [one for one in psutil.Process().children() if "edge.notify.apprise_process" in one.cmdline()]
            await asyncio.to_thread(psutil.wait_procs, sender.children(), 5.0)  # a fork shares its memory
            memory = sender.memory_full_info()
            for task in hearts:
                task.cancel()
            await asyncio.gather(*hearts, return_exceptions=True)
    return waited, memory.uss / 1e6


def test_bench_alert_latency(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gc.collect()
    waited, memory = benchmark.pedantic(  # type: ignore[no-untyped-call]  # it has no types here
        lambda: asyncio.run(measure(tmp_path, monkeypatch, free_port())), rounds=1
    )
    median, p99 = np.percentile(waited, (50, 99))
    with capsys.disabled():
        print(  # noqa: T201  the figures are what the benchmark is for
            f"\nfrom the packet to the phone's service, 20 wearables streaming: {median * 1000:.0f} ms in the middle, "
            f"{p99 * 1000:.0f} ms p99, {max(waited) * 1000:.0f} ms at most of {len(waited)}; "
            f"p99 ratio {p99 / P99_BAR_S:.2f} of the bar"
            f"\nthe process that sends holds {memory:.0f} MB of its own"
        )
    benchmark.extra_info.update(median=median, p99=p99, most=max(waited), sender_mb=memory)
