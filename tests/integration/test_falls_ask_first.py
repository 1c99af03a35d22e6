"""A fall through the whole daemon: who may have fallen is asked, and a phone out of reach swallows nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from edge.bluetooth.radio import Radio
from edge.daemon import Daemon
from edge.notices import Alert, AlertState, Severity
from edge.readings import Explanation, Risk
from edge.running import control
from edge.settings.home import Settings
from edge.virtual.phone import ShownMessage, VirtualPhone
from edge.virtual.radio import VirtualRadio
from edge.virtual.time import VirtualClock
from tests.fakes.household import LATE_MORNING

COUNTDOWN_S = 60.0
# Nothing listens there (discard, RFC 863).
OUT_OF_REACH = "json://127.0.0.1:9"


@asynccontextmanager
async def living(folder: Path, speed: float, **phones: str) -> AsyncIterator[Daemon]:
    """A daemon in a home of Anna, who has fallen, with these contacts, `speed` times as fast as life."""
    clock = VirtualClock(speed, start=LATE_MORNING)
    (folder / "models").mkdir()
    settings = Settings.model_validate(
        {
            "home": {"state_directory": folder / "state", "models_directory": folder / "models"},
            "people": [
                {
                    "id": "anna",
                    "name": "Anna",
                    "contacts": list(phones)[:2],
                    "care": {"carers": list(phones)[2:], "fall_countdown_s": COUNTDOWN_S},
                }
            ],
            "contacts": [{"id": name, "url": url} for name, url in phones.items()],
        }
    )
    async with VirtualRadio() as virtual, asyncio.TaskGroup() as group:
        radio = Radio(scanner_backend=virtual.scanner_backend, client_backend=virtual.client_backend, clock=clock)
        daemon = Daemon(settings, clock=clock, radio=radio, chance=random.Random(1))
        passing = group.create_task(clock.run())
        running = group.create_task(daemon.run())
        await daemon.started.wait()
        now, why = clock.wall(), Explanation("A hard blow, and no movement since.")
        fall = Alert("fall", "anna", Risk.FALL, Severity.CRITICAL, AlertState.RAISED, now, now, None, why)
        await daemon._attending.say(settings.people[0], fall)
        yield daemon
        daemon.stop()
        await running
        passing.cancel()


def the_fall(daemon: Daemon) -> Alert:
    """The alert as it stands."""
    return next(alert for alert in daemon._attending.open_alerts if alert.kind == Risk.FALL)


async def of_the_fall(phone: VirtualPhone) -> ShownMessage:
    """The next message that is no fault's: without models nothing is watched, and that is told, too."""
    while (message := await phone.next_message()).title.startswith(("Not watched", "Anna cannot", "anna cannot")):
        pass
    return message


async def test_a_phone_out_of_reach_swallows_no_fall(tmp_path: Path) -> None:
    async with (
        VirtualPhone() as bert,
        VirtualPhone() as carla,
        living(tmp_path, 60.0, anna=OUT_OF_REACH, bert=bert.url, carla=carla.url) as daemon,
    ):
        began = the_fall(daemon).opened_at
        for phone in (bert, carla):
            message = await of_the_fall(phone)
            assert message.title == "Anna may have fallen, and does not answer"
            assert message.kind == "failure"
        told_at = the_fall(daemon).told_at
        assert told_at is not None
        assert told_at - began == pytest.approx(COUNTDOWN_S, abs=0.5), "whatever became of the question"


async def test_a_cry_for_help_over_the_socket_is_told_at_once(tmp_path: Path) -> None:
    async with (
        VirtualPhone() as anna,
        VirtualPhone() as bert,
        living(tmp_path, 1.0, anna=anna.url, bert=bert.url) as daemon,
    ):
        assert (await of_the_fall(anna)).title == "Are you all right?"
        began = the_fall(daemon).opened_at
        request = {"do": "help", "alert": "fall", "by": "anna"}
        async with aclosing(control.ask(tmp_path / "state", request)) as answers:
            assert [answer["already"] async for answer in answers] == [False]
        assert (await of_the_fall(bert)).title == "Anna asks for help"
        helped_at = the_fall(daemon).help_at
        assert helped_at is not None
        assert helped_at < began + COUNTDOWN_S
