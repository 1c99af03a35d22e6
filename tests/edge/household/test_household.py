"""Who lives here and what they wear, as the settings say, whatever they said before."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.bluetooth.packet import Packet
from edge.bluetooth.radio import Radio
from edge.errors import StoreError
from edge.household.household import Household, communal, residents
from edge.notices import Alert
from edge.pipeline import Pipeline
from edge.readings import Channel, Reading, Risk, Window
from edge.recorder import Recorder
from edge.risks.catalogue import load_models
from edge.settings.home import PersonSettings, Settings
from edge.store.store import Batch, Store
from edge.wearables.fields import DateTime
from edge.wearables.glucose_meter import MEASUREMENT as GLUCOSE_MEASUREMENT
from edge.wearables.glucose_meter import GlucoseMeasurement
from edge.wearables.glucose_meter import encode as encode_glucose
from tests.fakes.clock import ManualClock

PEOPLE = ("anna", "bert", "carla")
ADDRESSES = tuple(f"C0:DE:00:00:00:{number:02X}" for number in range(1, 6))


def home_of(wearables: dict[str, list[str]], shared: dict[str, list[str]] | None = None) -> Settings:
    return Settings.model_validate(
        {
            "people": [
                {"id": person, "contacts": ["phone"], "wearables": [{"address": address} for address in worn]}
                for person, worn in wearables.items()
            ],
            "shared": [{"address": address, "people": users} for address, users in (shared or {}).items()],
            "contacts": [{"id": "phone", "url": "json://127.0.0.1:9"}],
        }
    )


async def _say(person: PersonSettings, alert: Alert) -> None:
    raise AssertionError(alert)


@asynccontextmanager
async def household(path: Path, risks: tuple[Risk, ...] = ()) -> AsyncIterator[Household]:
    """One that has not moved in yet; nothing is within reach of its radio."""
    clock = ManualClock()
    with Store(path) as store, ThreadPoolExecutor(max_workers=1) as inference:
        recorder = Recorder(store, clock=clock, interval_s=6.0)
        models = load_models()
        made = Household(
            [models[risk] for risk in risks],
            store,
            recorder,
            clock=clock,
            radio=Radio(clock=clock),
            chance=random.Random(1),
            inference=inference,
            say=_say,
            silence_limit_s=30.0,
        )
        try:
            yield made
        finally:
            await recorder.close()


@st.composite
def homes(draw: st.DrawFn) -> Settings:
    """Any people with any wearables, and devices that any of them share."""
    people = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True))
    wearables: dict[str, list[str]] = {person: [] for person in people}
    shared: dict[str, list[str]] = {}
    for address in draw(st.lists(st.sampled_from(ADDRESSES), unique=True)):
        if draw(st.booleans()):
            wearables[draw(st.sampled_from(people))].append(address)
        else:
            shared[address] = draw(st.lists(st.sampled_from(people), unique=True))
    return home_of(wearables, shared)


def wanted(of: Settings) -> dict[str, str]:
    """By address, who gets what a wearable tells; of a device with several users nobody does."""
    owners = {worn.address: person.id for person in residents(of) for worn in person.wearables}
    return owners | {device.address: "" for device in communal(of)}


@given(st.lists(homes(), min_size=2, max_size=5))
@settings(max_examples=15, deadline=None)
def test_whatever_the_settings_said_before_all_is_as_they_say_now(history: list[Settings]) -> None:
    async def live() -> None:
        with TemporaryDirectory() as folder:
            async with household(Path(folder) / "hearthbeat.db") as home, asyncio.TaskGroup() as group:
                await home.move_in(history[0])
                home.start(group)
                for before, now in pairwise(history):
                    links, wearables = dict(home._links), _wearables(home)
                    await home.take_on(now)
                    owners = {
                        address: owner.person.id if isinstance(owner, Pipeline) else ""
                        for address, owner in home._owners().items()
                    }
                    assert owners == wanted(now)
                    assert [one.person for one in home.pipelines] == residents(now)
                    assert set(home._links) == set(owners)
                    assert set(home._working) == {*home.pipelines, *home.shared}
                    for address, owner in wanted(before).items():
                        if owners.get(address) == owner:
                            assert home._links[address] is links[address], "it has noticed nothing"
                            assert _wearables(home)[address] is wearables[address]
                        else:
                            assert links[address].done()
                await home.stop()
                assert all(task.done() for task in [*home._links.values(), *home._working.values()])

    asyncio.run(live())


async def test_a_disk_that_refuses_lets_all_go_on_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("full", where="disk", mend="make room")

    before = home_of({"anna": [ADDRESSES[0]], "bert": [ADDRESSES[1]]})
    async with household(tmp_path / "hearthbeat.db") as home, asyncio.TaskGroup() as group:
        await home.move_in(before)
        home.start(group)
        with monkeypatch.context() as harm:
            harm.setattr(home._store.memories, "of", refuse)
            with pytest.raises(StoreError):
                await home.take_on(home_of({"anna": [ADDRESSES[2]], "carla": [ADDRESSES[1]]}))
        assert set(home._working) == set(home.pipelines)
        assert set(home._links) == set(home._owners())
        assert not any(task.done() for task in [*home._links.values(), *home._working.values()])
        after = home_of({"carla": [ADDRESSES[1]]})
        await home.take_on(after)
        assert set(home._links) == {ADDRESSES[1]}
        await home.stop()


def _wearables(home: Household) -> dict[str, Any]:
    worn = {address: one for pipeline in home.pipelines for address, one in pipeline.wearables.items()}
    return worn | {device.address: device.wearable for device in home.shared}


def test_a_shared_device_with_one_user_is_one_more_wearable() -> None:
    alone = home_of({"anna": [ADDRESSES[0]]}, {ADDRESSES[1]: []})
    assert [worn.address for worn in residents(alone)[0].wearables] == [ADDRESSES[0], ADDRESSES[1]]
    assert communal(alone) == []
    together = home_of({"anna": [], "bert": []}, {ADDRESSES[1]: [], ADDRESSES[2]: ["bert"]})
    assert [worn.address for worn in residents(together)[1].wearables] == [ADDRESSES[2]]
    assert [(device.address, device.people) for device in communal(together)] == [(ADDRESSES[1], ["anna", "bert"])]


@pytest.mark.parametrize("shared", [{ADDRESSES[0]: []}, {ADDRESSES[1]: ["bert"]}])
def test_a_shared_device_is_nobodys_own_and_its_users_live_here(shared: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError, match=r"is there twice|who is not among"):
        home_of({"anna": [ADDRESSES[0]]}, shared)


async def test_pain_25_after_a_restart_strap_and_watch_are_not_mixed(tmp_path: Path) -> None:
    path, now = tmp_path / "hearthbeat.db", ManualClock().wall()
    strap, watch = ADDRESSES[0], ADDRESSES[1]
    with Store(path) as store:
        for device, rr_ms in ((watch, 625.0), (strap, 1000.0)):
            beats = np.arange(now - 300.0, now - 1.0, rr_ms / 1000.0).tolist()
            store.commit(
                Batch(
                    readings=[
                        Reading("anna", device, Channel.RR_INTERVAL, "ms", at, at + rr_ms / 1000.0, (rr_ms,))
                        for at in beats
                    ]
                )
            )
    async with household(path, (Risk.ATRIAL_FIBRILLATION,)) as home:
        await home.move_in(home_of({"anna": [strap, watch]}))
        (pipeline,) = home.pipelines
        windows: list[Window] = [window for _, window in pipeline._waiting]
        assert windows
        assert all(np.allclose(window.values, 1000.0, atol=1.0) for window in windows)
        assert pipeline.sources.current(Channel.RR_INTERVAL) == strap


async def test_who_gets_a_meter_gets_what_is_known_of_it(tmp_path: Path) -> None:
    """Else the records of the one who had it would be fetched again, as those of the one who has it now."""
    meter, record = ADDRESSES[0], GlucoseMeasurement(7, DateTime(2027, 1, 15, 8, 0, 0))
    async with household(tmp_path / "hearthbeat.db") as home, asyncio.TaskGroup() as group:
        await home.move_in(home_of({"anna": [meter], "bert": []}))
        home.start(group)
        home.pipelines[0].receive(Packet(meter, GLUCOSE_MEASUREMENT, encode_glucose(record), ManualClock().wall()))
        await home.take_on(home_of({"anna": [], "bert": [meter]}))
        assert home.pipelines[1].wearables[meter].memories["glucose_meter"]["last"] == 7.0
        home.pipelines[1].receive(
            Packet(meter, GLUCOSE_MEASUREMENT, encode_glucose(record._replace(sequence=8)), ManualClock().wall())
        )
        await home.take_on(home_of({"anna": [], "bert": []}, {meter: []}))
        assert home.shared[0].wearable.memories["glucose_meter"]["last"] == 8.0
        home.shared[0].receive(
            Packet(meter, GLUCOSE_MEASUREMENT, encode_glucose(record._replace(sequence=9)), ManualClock().wall())
        )
        await home.take_on(home_of({"anna": [meter], "bert": []}))
        assert home.pipelines[0].wearables[meter].memories["glucose_meter"]["last"] == 9.0
        await home.stop()
