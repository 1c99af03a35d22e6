"""What the demo shows: a live picture of the way of one heartbeat, or plain lines where there is no terminal."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge.readings import Risk

# How many RR intervals and scores the live view draws, and how many messages it keeps in sight.
TRACE: Final = 60
IN_SIGHT: Final = 5
_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(slots=True)
class Scene:
    """All that the demo has seen so far; `title` says whose heartbeats these are."""

    title: str
    speed: float
    rr_ms: list[float] = field(default_factory=list)
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=TRACE))
    status: Mapping[str, Any] | None = None
    phone: list[tuple[str, str]] = field(default_factory=list)
    arrivals: Counter[str] = field(default_factory=Counter)
    newest: deque[str] = field(default_factory=lambda: deque(maxlen=IN_SIGHT))
    now: float = 0.0
    started: float = 0.0


class View:
    """Draws a Scene: live on a terminal, else one line per thing that happens."""

    def __init__(self, console: Console, scene: Scene) -> None:
        self._console = console
        self._scene = scene
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._picture, transient=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(self._scene.title)
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def event(self, text: str) -> None:
        """Tell of something that happened, where the picture cannot show it."""
        if not self._console.is_terminal:
            self._console.print(f"{_clock(self._scene.now)}  {text}", markup=False, highlight=False, soft_wrap=True)

    def _picture(self) -> RenderableType:
        return picture(self._scene)


def picture(scene: Scene) -> RenderableType:
    """The live view of one moment."""
    minutes, seconds = divmod(max(scene.now - scene.started, 0.0), 60)
    header = Text(f"{scene.title}   {minutes:.0f} min {seconds:02.0f} s, {scene.speed:g} × life", style="bold")
    return Panel(Group(header, _vitals(scene), _phone(scene), _broker(scene)), title="Hearthbeat", width=110)


def broker_line(topic: str, payload: bytes) -> str:
    """One line for a message that reached the broker."""
    text = payload.decode(errors="replace")
    short = text if len(text) <= 160 else text[:159] + "…"
    return f"{topic} {short}"


def _vitals(scene: Scene) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    status = scene.status
    if status is None:
        table.add_row("the daemon starts")
        return table
    person = status["people"][0]
    wearable = person["wearables"][0]
    values = wearable["values"]
    assessment = next((one for one in person["assessments"] if one["risk"] == Risk.ATRIAL_FIBRILLATION), None)
    table.add_row("link", f"{wearable['link']}, battery {_number(wearable['battery_percent'], '%')}")
    table.add_row("heart rate", _number(values.get("heart_rate"), "bpm"))
    table.add_row("RR intervals", Text(_trace(scene.rr_ms, 300.0, 1500.0), style="green"))
    table.add_row("AF score", Text(_trace(scene.scores, 0.0, 1.0), style="magenta"))
    table.add_row("", "none yet" if assessment is None else _score(assessment))
    open_alerts = person["open_alerts"]
    style = "bold red" if open_alerts else "green"
    table.add_row("alert", Text(", ".join(a["kind"] for a in open_alerts) or "none", style=style))
    outbox, broker = status["outbox"], status["broker"]
    table.add_row("outbox", f"{outbox['waiting']} waiting, broker {broker['state']}")
    return table


def _phone(scene: Scene) -> RenderableType:
    if not scene.phone:
        return Panel("nothing yet", title="phone", style="dim")
    shown = [f"[bold]{title}[/bold]\n{body}" for title, body in scene.phone[-2:]]
    return Panel("\n\n".join(shown), title="phone", border_style="red")


def _broker(scene: Scene) -> RenderableType:
    counts = ", ".join(f"{count} × {topic}" for topic, count in sorted(scene.arrivals.items())) or "nothing yet"
    lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in scene.newest]
    return Panel(Group(counts, *lines), title="MQTT broker", border_style="blue")


def _trace(values: Iterable[float], low: float, high: float) -> str:
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * min(max((value - low) / (high - low), 0.0), 1.0))] for value in values)


def _score(assessment: Mapping[str, Any]) -> str:
    if assessment["score"] is None:
        return f"not enough data: {assessment['reason']}"
    return f"{assessment['score']:.2f}"


def _number(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:.0f} {unit}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


def kind_of(topic: str) -> str:
    """What kind of message a topic carries, for counting: the levels behind home and person."""
    levels = topic.split("/")
    return levels[-1] if len(levels) <= 4 else "/".join(levels[4:])


def alert_of(payload: bytes) -> Mapping[str, Any]:
    """The fields of an alert message."""
    fields = json.loads(payload)
    return fields if isinstance(fields, dict) else {}
