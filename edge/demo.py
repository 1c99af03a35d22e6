"""`hearthbeat demo`: a virtual strap, the daemon itself, a phone and a broker, all on this machine.

Nothing of the way is short-cut: the strap's packets cross a virtual radio into bleak, and the daemon is the one that
`hearthbeat run` starts. Only the radio, the phone, the broker and the pace of time are stand-ins.
"""

from __future__ import annotations

import asyncio
import random
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Final

from rich.console import Console

from edge.bluetooth.link import SILENCE_LIMIT_S
from edge.bluetooth.radio import Radio
from edge.daemon import Daemon
from edge.demo_view import TRACE, Scene, View, alert_of, broker_line, kind_of
from edge.logs import set_up_logs
from edge.notices import AlertState
from edge.readings import Risk
from edge.running import control
from edge.settings.home import LogSettings, Settings
from edge.telling.telling import GRACE_S
from edge.virtual.broker import Arrival, VirtualBroker
from edge.virtual.phone import VirtualPhone
from edge.virtual.radio import VirtualRadio
from edge.virtual.recording import read_rr
from edge.virtual.rhythm import story
from edge.virtual.strap import VirtualStrap
from edge.virtual.time import VirtualClock
from edge.web.server import make_server

HOME: Final = "demo"
PERSON: Final = "wearer"
# Seed of the simulated story: every demo without a record shows the same heart.
SEED: Final = 1
# Real seconds between two looks at the daemon, and the most that the end may wait for what is still under way.
LOOK_EVERY_S: Final = 0.1
END_PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Demo:
    """What to play: a WFDB record or the simulated story, `speed` times as fast as life, the first `minutes` of it."""

    record: Path | None
    speed: float
    minutes: float | None = None
    until_alert: bool = False


@dataclass(frozen=True, slots=True)
class _Heart:
    title: str
    rr_ms: Iterator[float]


def play(demo: Demo) -> int:
    """Run the demo to its end; 0, whether there was an alert or none.

    Raises RecordingError for a record that cannot be read.
    """
    set_up_logs(LogSettings(level="error"))
    return asyncio.run(_Performance(demo, _heart_of(demo)).run())


class _Performance:
    """One run of the demo."""

    def __init__(self, demo: Demo, heart: _Heart) -> None:
        self._demo = demo
        self._heart = heart
        self._clock = VirtualClock(speed=1.0)
        self._console = Console()
        self._scene = Scene(heart.title, demo.speed, started=self._clock.wall(), now=self._clock.wall())
        self._view = View(self._console, self._scene)
        self._said: list[AlertState] = []
        self._link = ""
        self._last_end: float | None = None

    async def run(self) -> int:
        async with self._stage() as (daemon, strap, phone):
            with self._view:
                await self._until_subscribed(strap)
                playing = asyncio.create_task(strap.play(self._heart.rr_ms))
                while not playing.done() and not self._seen_enough(phone):
                    await self._look(daemon, strap, phone)
                await self._end(daemon, strap, phone, playing)
        self._summarise(strap)
        return 0

    @asynccontextmanager
    async def _stage(self) -> AsyncIterator[tuple[Daemon, VirtualStrap, VirtualPhone]]:
        broker = VirtualBroker(self._arrived)
        await broker.start()
        try:
            with tempfile.TemporaryDirectory(prefix="hearthbeat-demo-") as folder:
                async with (
                    VirtualPhone() as phone,
                    VirtualRadio() as radio,
                    _web_pages(Path(folder)) as web,
                    asyncio.TaskGroup() as group,
                ):
                    strap = VirtualStrap(radio, self._clock)
                    await strap.start()
                    daemon = self._daemon(Path(folder), strap, phone, radio, broker, web)
                    passing = group.create_task(self._clock.run())
                    running = group.create_task(daemon.run())
                    await daemon.started.wait()
                    yield daemon, strap, phone
                    daemon.stop()
                    await running
                    passing.cancel()
        finally:
            await broker.stop()

    def _daemon(
        self,
        folder: Path,
        strap: VirtualStrap,
        phone: VirtualPhone,
        radio: VirtualRadio,
        broker: VirtualBroker,
        web: dict[str, str],
    ) -> Daemon:
        settings = Settings.model_validate(
            {
                "home": {"id": HOME, "state_directory": folder},
                "people": [
                    {
                        "id": PERSON,
                        "name": "Wearer",
                        "contacts": ["phone"],
                        "wearables": [{"address": strap.address, "name": strap.name}],
                    }
                ],
                "contacts": [{"id": "phone", "url": phone.ntfy_url}],
                "web": web,
                "broker": {
                    "summary_every_min": 1,
                    "pseudonyms": False,
                    "host": broker.host,
                    "port": broker.port,
                    "protocol": "3.1.1",
                    "tls": False,
                },
            }
        )
        return Daemon(
            settings,
            clock=self._clock,
            radio=Radio(scanner_backend=radio.scanner_backend, client_backend=radio.client_backend),
            # A strap whose heart was played to its end is silent, and that is no fault.
            silence_limit_s=4 * SILENCE_LIMIT_S,
        )

    async def _until_subscribed(self, strap: VirtualStrap) -> None:
        """Let the radio find the strap at life's own pace: only the heart is played faster."""
        self._view.event(f"the strap advertises as {strap.name!r} ({strap.address})")
        await strap.subscribed.wait()
        self._clock.speed = self._demo.speed
        self._scene.started = self._clock.wall()

    async def _look(self, daemon: Daemon, strap: VirtualStrap, phone: VirtualPhone) -> None:
        """Take one look at the daemon, and tell what is new."""
        scene = self._scene
        scene.now = self._clock.wall()
        scene.status = await daemon.snapshot()
        person = scene.status["people"][0]
        wearable = person["wearables"][0]
        if wearable["link"] != self._link:
            self._link = wearable["link"]
            self._view.event(f"link: {self._link}")
        newest = islice(reversed(strap.sent), TRACE)
        scene.rr_ms = [ticks / 1.024 for packet in newest for ticks in reversed(packet.measurement.rr_ticks)][:TRACE][
            ::-1
        ]
        assessment = next((one for one in person["assessments"] if one["risk"] == Risk.ATRIAL_FIBRILLATION), None)
        if assessment is not None and assessment["end"] != self._last_end:
            self._last_end = assessment["end"]
            self._tell_score(assessment["score"], assessment["reason"])
        for shown in phone.shown[len(scene.phone) :]:
            scene.phone.append((shown.title, shown.body))
            buttons = "".join(f" [{button.label}]" for button in shown.buttons)
            self._view.event(f"phone: {shown.title}: {shown.body}{buttons}")
            if shown.buttons:
                self._view.event(f"phone: [{shown.buttons[0].label}] is pressed: {await phone.press(shown.buttons[0])}")
        await asyncio.sleep(LOOK_EVERY_S)

    def _tell_score(self, score: float | None, reason: str | None) -> None:
        if score is None:
            self._view.event(f"not enough data: {reason}")
            return
        self._scene.scores.append(score)
        self._view.event(f"model: AF score {score:.2f}")

    def _arrived(self, arrival: Arrival) -> None:
        kind = kind_of(arrival.topic)
        self._scene.arrivals[kind] += 1
        self._scene.newest.append(broker_line(arrival.topic, arrival.payload))
        self._view.event(f"broker: {broker_line(arrival.topic, arrival.payload)}")
        if kind == "alert" and "turn" not in alert_of(arrival.payload):  # that somebody has taken it up is another one
            self._said.append(AlertState(alert_of(arrival.payload)["state"]))

    def _seen_enough(self, phone: VirtualPhone) -> bool:
        return self._demo.until_alert and bool(phone.shown) and AlertState.RAISED in self._said

    async def _end(self, daemon: Daemon, strap: VirtualStrap, phone: VirtualPhone, playing: asyncio.Task[None]) -> None:
        """Let what is under way arrive: the last closed minute, and all that waits for the phone and the broker."""
        if playing.done():
            await playing
            patience = time.monotonic() + END_PATIENCE_S
            closed = self._clock.wall() + GRACE_S + daemon.settings.store.commit_interval_s + 1.0
            while self._clock.wall() < closed and time.monotonic() < patience:
                await self._look(daemon, strap, phone)
        else:
            playing.cancel()
        patience = time.monotonic() + END_PATIENCE_S
        await self._look(daemon, strap, phone)
        while not self._all_arrived() and time.monotonic() < patience:
            await self._look(daemon, strap, phone)

    def _all_arrived(self) -> bool:
        status = self._scene.status
        return status is not None and not status["outbox"]["waiting"] and not status["notifications"]["waiting"]

    def _summarise(self, strap: VirtualStrap) -> None:
        scene, tell = self._scene, self._console.print
        beats = sum(len(packet.beats) for packet in strap.sent)
        minutes = (scene.now - scene.started) / 60.0
        tell()
        tell(f"{scene.title}: {beats} beats in {minutes:.0f} minutes of its time, at {scene.speed:g} × life.")
        raised = self._said.count(AlertState.RAISED)
        if raised:
            cleared = self._said.count(AlertState.CLEARED)
            tell(f"{raised} AF alert{'s' * (raised != 1)} raised, {cleared} cleared; the phone showed:")
            for title, body in scene.phone:
                tell(f"  {title}: {body}", highlight=False)
        else:
            tell("no alert")
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(scene.arrivals.items()))
        tell(f"The broker received {counts or 'nothing'}.")


@asynccontextmanager
async def _web_pages(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The pages behind the phone's buttons, on a free port of loopback; yields the [web] of the settings."""

    async def ask(request: control.Words) -> control.Words:
        async with aclosing(control.ask(folder, request, name="links.sock")) as answers:
            (said,) = [words async for words in answers]
        return said

    server, listening = make_server(ask), socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield {"url": f"http://127.0.0.1:{listening.getsockname()[1]}", "socket": str(folder / "links.sock")}
    finally:
        server.should_exit = True
        await serving


def _heart_of(demo: Demo) -> _Heart:
    if demo.record is None:
        chance = random.Random(SEED)  # noqa: S311 -- a story, no secret
        return _Heart("Simulated heartbeats (of no real person)", _limited(story(chance), demo.minutes))
    recording = read_rr(demo.record)
    return _Heart(f"Recording {recording.name} (a real person)", _limited(iter(recording.rr_ms.tolist()), demo.minutes))


def _limited(rr_ms: Iterator[float], minutes: float | None) -> Iterator[float]:
    if minutes is None:
        return rr_ms
    elapsed = 0.0

    def within(interval: float) -> bool:
        nonlocal elapsed
        elapsed += interval / 60_000.0
        return elapsed <= minutes

    return takewhile(within, rr_ms)
