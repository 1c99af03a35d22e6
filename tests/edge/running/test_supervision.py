"""A real datagram socket stands in for systemd's."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge.clock import SystemClock
from edge.errors import SettingsError
from edge.running.supervision import Progress, ServiceManager, watch, watchdog_period
from tests.fakes.clock import ManualClock


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@hearthbeat-test-{os.getpid()}"


@pytest.fixture
def systemd(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0"))
        listening.settimeout(5.0)
        yield listening


def heard(systemd: socket.socket) -> list[bytes]:
    systemd.setblocking(False)
    lines = []
    with suppress(BlockingIOError):
        while True:
            lines.append(systemd.recv(4096))
    return lines


def test_systemd_hears_the_life_of_the_daemon(systemd: socket.socket, address: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": address})
    manager.ready()
    manager.status("2 wearables\nconnected")
    manager.feed_watchdog()
    manager.stopping()
    assert heard(systemd) == [b"READY=1", b"STATUS=2 wearables connected", b"WATCHDOG=1", b"STOPPING=1"]


def test_without_systemd_nothing_happens() -> None:
    ServiceManager({}).ready()


def test_a_service_manager_that_is_gone_or_does_not_listen_stops_nothing(tmp_path: Path) -> None:
    with capture_logs() as logs:
        ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert [line["event"] for line in logs] == ["service manager not told"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "deaf")})
        with capture_logs() as logs:
            while not logs:  # until the socket's queue is full; a call that waited would wait for ever
                manager.feed_watchdog()
    assert logs[0]["said"] == "WATCHDOG"


def test_the_watchdog_is_fed_twice_as_often_as_it_must_be() -> None:
    assert watchdog_period({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}) == 15.0
    assert watchdog_period({"WATCHDOG_USEC": "30000000"}) == 15.0
    assert watchdog_period({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, process=2) is None
    assert watchdog_period({"WATCHDOG_USEC": "0"}) is None
    assert watchdog_period({}) is None


@pytest.mark.parametrize("wrong", [{"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "x"}])
def test_a_watchdog_that_is_no_number_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="WATCHDOG_USEC"):
        watchdog_period(wrong)


async def test_pain_06_one_stuck_part_starves_the_watchdog_and_is_named(systemd: socket.socket, address: str) -> None:
    clock = ManualClock()
    progress = Progress(clock)
    report_link = progress.register("link to the strap", limit_s=30.0)
    report_courier = progress.register("courier", limit_s=30.0)
    watching = asyncio.create_task(watch(progress, ServiceManager({"NOTIFY_SOCKET": address}), 10.0, clock))
    with capture_logs() as logs:
        await clock.advance(25.0)
        assert heard(systemd) == [b"WATCHDOG=1"] * 3
        for _ in range(6):
            report_courier()
            await clock.advance(10.0)
        heard(systemd)  # what was fed until the limit
        await clock.advance(10.0)
        assert heard(systemd) == []
        assert progress.stuck().keys() == {"link to the strap"}
        report_link()
        report_courier()
        await clock.advance(10.0)
        assert heard(systemd) == [b"WATCHDOG=1"]
    watching.cancel()
    assert [(line["event"], line["part"]) for line in logs] == [
        ("part is stuck; the watchdog is not fed", "link to the strap"),
        ("part moves again", "link to the strap"),
    ]


def test_pain_06_a_frozen_event_loop_feeds_no_watchdog(systemd: socket.socket, address: str) -> None:
    frozen, released = threading.Event(), threading.Event()

    def freeze() -> None:
        frozen.set()
        released.wait()

    async def daemon() -> None:
        clock = SystemClock()
        progress = Progress(clock)
        watching = asyncio.create_task(watch(progress, ServiceManager({"NOTIFY_SOCKET": address}), 0.01, clock))
        while not fed_twice.is_set():
            await clock.sleep(0.01)
        freeze()  # no await: the loop stands still
        watching.cancel()

    fed_twice = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(daemon(),))
    thread.start()
    try:
        assert systemd.recv(64) == b"WATCHDOG=1"
        assert systemd.recv(64) == b"WATCHDOG=1"
        fed_twice.set()
        assert frozen.wait(5.0)
        heard(systemd)
        systemd.settimeout(0.3)  # thirty feedings long
        with pytest.raises(TimeoutError):
            systemd.recv(64)
    finally:
        fed_twice.set()
        released.set()
        thread.join()
