"""A network of its own, on which packets can be made to vanish: nobody is told that a connection is gone.

here (10.213.N.1) ── (10.213.N.2) router (10.213.N.5) ── (10.213.N.6) far

Three network namespaces; the router's, when it is cut, passes nothing on and says nothing (as the kernel does of what
is not for it while ip_forward is 0). As root only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Network:
    """Where the far end is, and how a program is started there."""

    address: str
    prefix: tuple[str, ...]
    router: str

    def cut(self) -> None:
        """Let all packets vanish."""
        self._forward("0")

    def mend(self) -> None:
        """Let them pass again."""
        self._forward("1")

    def _forward(self, value: str) -> None:
        command = f"echo {value} >/proc/sys/net/ipv4/ip_forward"
        _run("ip", "netns", "exec", self.router, "sh", "-c", command)


@contextmanager
def network() -> Iterator[Network]:
    """Make it, and take it away; the test is skipped where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root can make network namespaces (Debian package iproute2)")
    # ip-netns(8) mounts /sys anew, which a changed root forbids.
    mounting = subprocess.run(["unshare", "--mount", "mount", "--make-rslave", "/"], check=False, capture_output=True)
    if mounting.returncode != 0:
        pytest.skip(f"no network namespaces here: {mounting.stderr.decode().strip()}")
    number, mark = os.getpid() % 250, f"{os.getpid()}"
    router, far = f"hbr{mark}", f"hbf{mark}"
    near_net, far_net = f"10.213.{number}", f"10.213.{number}"
    try:
        for name in (router, far):
            _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"hba{mark}", "type", "veth", "peer", "name", "near", "netns", router)
        _run("ip", "-n", router, "link", "add", "far", "type", "veth", "peer", "name", "near", "netns", far)
        _run("ip", "addr", "add", f"{near_net}.1/30", "dev", f"hba{mark}")
        _run("ip", "-n", router, "addr", "add", f"{near_net}.2/30", "dev", "near")
        _run("ip", "-n", router, "addr", "add", f"{far_net}.5/30", "dev", "far")
        _run("ip", "-n", far, "addr", "add", f"{far_net}.6/30", "dev", "near")
        for name, device in ((router, "near"), (router, "far"), (far, "near"), (far, "lo")):
            _run("ip", "-n", name, "link", "set", device, "up")
        _run("ip", "link", "set", f"hba{mark}", "up")
        _run("ip", "route", "add", f"{far_net}.4/30", "via", f"{near_net}.2")
        _run("ip", "-n", far, "route", "add", "default", "via", f"{far_net}.5")
        made = Network(f"{far_net}.6", ("ip", "netns", "exec", far), router)
        made.mend()
        yield made
    finally:
        for name in (router, far):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", f"hba{mark}"], check=False, capture_output=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0 and "Operation not permitted" in done.stderr:
        pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, (command, done.stderr)
