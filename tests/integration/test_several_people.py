"""Two people with several straps each, one of which changes its address: everybody's beats are their own (pain 25)."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.bluetooth.link import SILENCE_LIMIT_S
from edge.bluetooth.radio import Radio
from edge.clock import AcceleratedClock
from edge.daemon import Daemon
from edge.readings import Channel
from edge.running import status
from edge.settings.home import Settings
from edge.store.store import Store
from edge.virtual.strap import VirtualStrap
from tests.fakes.home import VirtualHome

ROTATED = "5A:00:00:00:00:01"


@asynccontextmanager
async def living(folder: Path, clock: AcceleratedClock, people: dict[str, list[VirtualStrap]]) -> AsyncIterator[Daemon]:
    """The daemon, without models, which here are of no use."""
    (folder / "models").mkdir()
    settings = Settings.model_validate(
        {
            "home": {"state_directory": folder / "state", "models_directory": folder / "models"},
            "people": [
                {"id": person, "contacts": ["phone"], "wearables": [{"address": strap.address} for strap in straps]}
                for person, straps in people.items()
            ],
            "contacts": [{"id": "phone", "url": "json://127.0.0.1:9", "daily_word": "never"}],
        }
    )
    daemon = Daemon(
        settings,
        clock=clock,
        radio=Radio(clock=clock),
        chance=random.Random(1),
        silence_limit_s=4 * SILENCE_LIMIT_S,
    )
    running = asyncio.create_task(daemon.run())
    await daemon.started.wait()
    try:
        yield daemon
    finally:
        daemon.stop()
        await running


async def until_all_stream(daemon: Daemon, clock: AcceleratedClock) -> None:
    while any(w.link.value != "streaming" for one in daemon.pipelines for w in one.wearables.values()):
        await clock.sleep(1.0)


async def test_pain_25_several_straps_of_several_people_one_of_which_changes_its_address(
    home: VirtualHome, clock: AcceleratedClock, tmp_path: Path
) -> None:
    shy = VirtualStrap(home.radio, clock, name="Shy", address="C0:DE:00:00:00:A0", pairing=True)
    await shy.start()
    lasting = shy.address
    hearts = {strap: 600.0 + 100.0 * number for number, strap in enumerate((*home.straps[:3], shy))}
    playing = [asyncio.create_task(strap.play(itertools.repeat(rr_ms))) for strap, rr_ms in hearts.items()]
    people = {"anna": [home.straps[0], home.straps[1]], "bert": [home.straps[2], shy]}
    addresses = {person: [strap.address for strap in straps] for person, straps in people.items()}
    async with living(tmp_path, clock, people) as daemon:
        await until_all_stream(daemon, clock)
        await clock.sleep(30.0)
        home.bluez.resolves[ROTATED] = lasting
        await shy.rotate(ROTATED)
        rotated_at = clock.wall()
        while daemon.pipelines[1].wearables[lasting].link.value == "streaming":
            await clock.sleep(1.0)
        await until_all_stream(daemon, clock)
        await clock.sleep(30.0)
    for task in playing:
        task.cancel()
    with Store(tmp_path / "state" / status.STORE_NAME) as store:
        for person, straps in people.items():
            assert store.signals.devices(person, Channel.RR_INTERVAL, 0.0) == sorted(addresses[person])
            for strap, address in zip(straps, addresses[person], strict=True):
                series = store.signals.series(person, Channel.RR_INTERVAL, 0.0, 1e11, address)
                assert len(series.values) > 20
                assert max(abs(series.values - hearts[strap])) < 1.0, "no beat of anybody else"
        assert store.signals.series("bert", Channel.RR_INTERVAL, rotated_at + 5.0, 1e11, lasting).values.size
