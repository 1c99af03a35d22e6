"""The bar: a phone is told within ten seconds of a network that returns, once, and that it is late.

A home and an ntfy server in two network namespaces with a cable between them, and three kinds of outage, several times
each: the cable is out, the way back is lost behind a link that stays up (every packet vanishes, from the name server
too), and the service is down. The home has waited for three hours, so that its next retry is minutes away. All of it
runs at its own, real pace.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from edge.notify.network import ASK_EVERY_S
from tests.conftest import CHECKOUT

BAR_S = 10.0
ROUNDS = 4
HOME, PHONE = f"hb-home-{os.getpid()}", f"hb-phone-{os.getpid()}"
OUTAGES = {
    "the cable is out": ("ip link set up0 down", "ip link set up0 up"),
    "every packet vanishes": ("ip route add blackhole 10.9.0.1/32", "ip route del blackhole 10.9.0.1/32"),
    "the service is down": ("", ""),
}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has networks to take away")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def within(namespace: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A part of tests.fakes.cut_off_home in a namespace."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "tests.fakes.cut_off_home", *arguments]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def line(process: subprocess.Popen[str], begins: str) -> str:
    """The next line that begins so."""
    assert process.stdout is not None
    for each in process.stdout:
        if each.startswith(begins):
            return each
    raise AssertionError(process.args)


@contextmanager
def cable() -> Iterator[None]:
    """Two namespaces with a link between them: 10.9.0.1 is the home, 10.9.0.2 the phone's service."""
    ip("netns", "add", HOME)
    ip("netns", "add", PHONE)
    resolver = Path("/etc/netns") / HOME / "resolv.conf"  # which ip-netns(8) puts in the place of the machine's
    resolver.parent.mkdir(parents=True)
    try:
        resolver.write_text("nameserver 10.9.0.2\n")
        ip("link", "add", "up0", "netns", PHONE, "type", "veth", "peer", "name", "up1", "netns", HOME)
        for namespace, device, address in ((PHONE, "up0", "10.9.0.2/24"), (HOME, "up1", "10.9.0.1/24")):
            ip("-n", namespace, "addr", "add", address, "dev", device)
            ip("-n", namespace, "link", "set", device, "up")
            ip("-n", namespace, "link", "set", "lo", "up")
        yield
    finally:
        shutil.rmtree(resolver.parent)
        ip("netns", "del", HOME)
        ip("netns", "del", PHONE)


def told_after(folder: Path, outage: str, away_s: float) -> tuple[float, list[str]]:
    """Seconds from the network's return to the message, and the texts of all messages that came in twenty more."""
    begin, end = OUTAGES[outage]
    with cable(), ExitStack() as running:
        running.enter_context(within(PHONE, "names", "10.9.0.2"))
        serving = running.enter_context(within(PHONE, "ntfy", "8321")) if begin else None
        if begin:
            ip("netns", "exec", PHONE, *begin.split())
        arguments = ("home", str(folder), "ntfy://phones.example.org:8321/mum", str(ASK_EVERY_S))
        line(running.enter_context(within(HOME, *arguments)), "failed")
        time.sleep(away_s)
        if end:
            ip("netns", "exec", PHONE, *end.split())
        back = time.monotonic()
        serving = serving or running.enter_context(within(PHONE, "ntfy", "8321"))
        messages = [json.loads(line(serving, "{"))]
        time.sleep(20.0)
        serving.terminate()
        assert serving.stdout is not None
        messages += [json.loads(each) for each in serving.stdout]
    return messages[0]["at"] - back, [one["message"] for one in messages]


@pytest.mark.parametrize("outage", OUTAGES)
def test_soak_a_phone_is_told_within_ten_seconds_of_the_networks_return(tmp_path: Path, outage: str) -> None:
    chance, waited = random.Random(outage), []
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        seconds, messages = told_after(folder, outage, chance.uniform(1.0, 12.0))
        waited.append(seconds)
        (message,) = messages
        assert message.startswith("This happened at ")
        assert "; it reaches you late. " in message
    print(f"\n{outage}: told after {', '.join(f'{one:.1f}' for one in sorted(waited))} s")  # noqa: T201  the figures
    assert max(waited) <= BAR_S
