"""A network that goes and comes: who waits is told when it is back, once, and with the time at which it happened."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from edge.notify.network import ASK_EVERY_S, ASK_SELDOM_S, NetworkWatch
from edge.notify.phone import Host
from tests.conftest import CHECKOUT
from tests.fakes.clock import ManualClock

NTFY: Host = ("ntfy.example", 443)
MAIL: Host = ("mail.example", 25)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has networks to take away")
def test_pain_21_a_phone_is_told_when_the_network_is_back_once_and_that_it_is_late(tmp_path: Path) -> None:
    """A namespace whose only link is down, with an ntfy server in it; three hours are over, the next retry far away."""
    script = f"""
        {sys.executable} -m tests.fakes.cut_off_home ntfy 8321 & server=$!
        mkfifo {tmp_path}/input
        {sys.executable} -m tests.fakes.cut_off_home home {tmp_path} ntfy://127.0.0.1:8321/mum 0.2 <{tmp_path}/input &
        home=$!
        exec 3>{tmp_path}/input
        read word; ip link set lo up
        read word; exec 3>&-; wait $home; kill $server
    """
    with subprocess.Popen(
        ["unshare", "--net", "bash", "-c", script],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        seen: list[str] = []

        def until(word: str) -> None:
            assert running.stdout is not None
            for line in running.stdout:
                seen.append(line.strip())
                if seen[-1] == word:
                    return
            raise AssertionError(seen)

        until("failed")
        back = time.monotonic()
        running.stdin.write("the network is back\n")
        running.stdin.flush()
        until("told")
        running.stdin.write("enough\n")
        running.stdin.close()
        seen += [line.strip() for line in running.stdout]
    messages = [json.loads(line) for line in seen if line.startswith("{")]
    (message,) = messages
    assert message["title"] == "Mum: a fall?"
    assert "; it reaches you late. Ask." in message["message"]
    assert message["at"] > back


class Network:
    """What answers; and who was told that it does, with the number of looks until then."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.answers: set[Host] = set()
        self.looks = 0
        self.back: list[set[str]] = []
        self.watch = NetworkWatch(self.reach, self.returned, self.clock)

    async def reach(self, host: Host) -> bool:
        self.looks += 1
        return host in self.answers

    async def returned(self, contacts: Collection[str]) -> None:
        self.back.append(set(contacts))


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    made = Network()
    watching = asyncio.create_task(made.watch.run())
    yield made
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_nobody_is_asked_for_while_nobody_waits(network: Network) -> None:
    await network.clock.advance(60.0)
    assert network.looks == 0
    network.watch.lost("mum", NTFY)
    await network.clock.advance(30.0)
    assert network.looks == 10
    network.watch.found("mum")
    await network.clock.advance(600.0)
    assert network.looks == 10


async def test_all_who_wait_for_a_host_hear_that_it_answers_and_nobody_else(network: Network) -> None:
    for contact in ("mum", "dad"):
        network.watch.lost(contact, NTFY)
    network.watch.lost("aunt", MAIL)
    await network.clock.advance(3600.0)
    assert network.back == []
    network.answers.add(NTFY)
    await network.clock.advance(ASK_EVERY_S)
    assert network.back == [{"mum", "dad"}]


async def test_a_host_that_answers_and_takes_nothing_is_asked_ever_more_rarely_until_it_is_gone_again(
    network: Network,
) -> None:
    network.answers.add(NTFY)
    network.watch.lost("mum", NTFY)
    await network.clock.advance(3600.0)
    assert len(network.back) < 20
    network.answers.clear()
    await network.clock.advance(ASK_SELDOM_S)
    network.answers.add(NTFY)
    before = len(network.back)
    await network.clock.advance(ASK_EVERY_S)
    assert len(network.back) == before + 1
