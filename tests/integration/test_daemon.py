"""The whole way in real parts: strap, bleak on BlueZ, daemon process, phone, mosquitto; and what may not hurt it."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.publish
import pytest

from cloud_sync.messages import Kind, parse
from cloud_sync.messages.bodies import MinutesMessage
from edge.clock import AcceleratedClock
from edge.notices import AlertState
from edge.readings import Channel
from edge.risks.catalogue import MODELS
from edge.running import status
from edge.store.store import Store
from edge.telling.telling import GRACE_S
from edge.virtual.phone import VirtualPhone
from edge.virtual.rhythm import atrial_fibrillation, sinus
from tests.fakes import home_assistant_schema, schema
from tests.fakes.broker import Arrival, Mosquitto, Subscriber
from tests.fakes.daemon_process import DaemonProcess
from tests.fakes.home import VirtualHome, virtual_home

SPEED = 20.0
LOSS_BOUND_S = 10.0
SETTINGS = """
[home]
id = "home"
state_directory = "state"

[[people]]
id = "anna"
contacts = ["phone"]
[[people.wearables]]
address = "{address}"

[[contacts]]
id = "phone"
url = "{url}"

[broker]
host = "{host}"
port = {port}
tls = false
summary_every_min = 3

[store]
# At twenty times life every delay of this machine counts twenty times; a commit that comes sooner makes up for it.
commit_interval_s = 4.0

[log]
format = "json"
"""


@dataclass(slots=True)
class Household:
    """Everything around a daemon, and the daemon."""

    folder: Path
    clock: AcceleratedClock
    home: VirtualHome
    phone: VirtualPhone
    daemon: DaemonProcess
    kills: list[float] = field(default_factory=list)

    async def status(self) -> dict[str, Any]:
        """The running daemon's status; waits for a daemon that is starting."""
        while True:
            answer = await asyncio.to_thread(status.ask, self.folder / "state")
            if answer is not None:
                return answer
            assert self.daemon.runs, (self.folder / "daemon.log").read_text()
            await asyncio.sleep(0.02)

    async def until(self, condition: str, wanted: object = True) -> dict[str, Any]:
        """Wait until a part of the status, such as "outbox.waiting", is `wanted`."""
        while True:
            answer = await self.status()
            found: Any = answer
            for name in condition.split("."):
                found = found[int(name)] if isinstance(found, list) else found[name]
            if found == wanted:
                return answer
            await asyncio.sleep(0.05)

    async def kill(self) -> None:
        await self.daemon.kill()
        self.kills.append(self.clock.wall())

    def store(self) -> Store:
        return Store(self.folder / "state" / status.STORE_NAME)


@asynccontextmanager
async def household(folder: Path, broker: Mosquitto, settings: str = SETTINGS) -> AsyncIterator[Household]:
    clock = AcceleratedClock(SPEED)
    async with virtual_home(clock) as home, VirtualPhone() as phone:
        config = folder / "hearthbeat.toml"
        config.write_text(
            settings.format(address=home.straps[0].address, url=phone.url, host=broker.host, port=broker.port)
        )
        daemon = DaemonProcess(config, clock, home.environment, folder / "daemon.log")
        await daemon.start()
        try:
            yield Household(folder, clock, home, phone, daemon)
        finally:
            await daemon.stop()


def heart(seed: int) -> Iterator[float]:
    """Sinus rhythm and atrial fibrillation in turn, without end."""
    chance = random.Random(seed)
    for _ in itertools.count():
        yield from sinus(400.0, bpm=66.0, chance=chance)
        yield from atrial_fibrillation(1000.0, bpm=95.0, chance=chance)


def told(arrivals: list[Arrival], kind: str) -> dict[str, dict[str, Any]]:
    """Messages of one kind by id; whatever came twice must have come alike."""
    found: dict[str, dict[str, Any]] = {}
    for arrival in arrivals:
        if arrival.topic.endswith(kind):
            assert found.setdefault(arrival.fields["id"], arrival.fields) == arrival.fields
    return found


def minutes_told(arrivals: list[Arrival]) -> list[tuple[int, int]]:
    """Minutes and their revisions, as often as they are in messages with different ids."""
    batches = {}
    for arrival in arrivals:
        received = parse(arrival.topic, arrival.payload)
        if isinstance(received.message, MinutesMessage):
            batches[received.id] = received.message
    return [
        pair
        for batch in batches.values()
        for pair in zip(batch.minutes, batch.revisions or [1] * len(batch.minutes), strict=True)
    ]


def press(broker: Mosquitto, topic: str) -> None:
    """What Home Assistant does when somebody presses a button."""
    paho.mqtt.publish.single(topic, "PRESS", qos=1, hostname=broker.host, port=broker.port)


@pytest.mark.timeout(120)
async def test_a_person_in_af_is_told_why_and_the_broker_has_it(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    at_home = Subscriber(mosquitto, "homeassistant/#", identifier="home-assistant")
    local = f'[home_assistant]\nhost = "{mosquitto.host}"\nport = {mosquitto.port}\n[store]\n'
    async with household(tmp_path, mosquitto, SETTINGS.replace("[store]\n", local)) as house:
        await house.until("people.0.wearables.0.link", "streaming")
        playing = asyncio.create_task(house.home.straps[0].play(itertools.islice(heart(1), 2000)))
        message = await house.phone.next_message()
        assert "irregular" in message.title
        assert "%" in message.body
        answer = await house.until("outbox.waiting", 0)
        (person,) = answer["people"]
        assert [alert["kind"] for alert in person["open_alerts"]] == ["atrial_fibrillation"]
        newest = {assessment["risk"]: assessment for assessment in person["assessments"]}
        assert newest["atrial_fibrillation"]["score"] > 0.5
        (wearable,) = person["wearables"]
        assert wearable["link"] == "streaming"
        assert wearable["battery_percent"] == 87
        assert wearable["reading_age_s"] < 30.0
        assert answer["broker"]["state"] == "connected"
        announced = await asyncio.to_thread(at_home.wait_for, lambda arrivals: len(arrivals) >= 2)
        for config in announced:
            home_assistant_schema.validate(config.topic, config.fields)
        (person_config,) = [one.fields for one in announced if "acknowledge" in one.fields["components"]]
        press(mosquitto, person_config["components"]["acknowledge"]["command_topic"])
        await asyncio.to_thread(
            subscriber.wait_for, lambda arrivals: any(one.get("turn") for one in told(arrivals, "/alert").values())
        )
        at_home.close()
        playing.cancel()
        assert await house.daemon.stop() == 0
    arrived = await asyncio.to_thread(
        subscriber.wait_for, lambda arrivals: any(a.fields.get("online") is False for a in arrivals)
    )
    raised, taken_up = told(arrived, "/alert").values()
    assert raised["kind"] == "atrial_fibrillation"
    assert (taken_up["alert"], taken_up["turn"]) == (raised["alert"], "acknowledged")
    kinds = set()
    for arrival in arrived:
        received = parse(arrival.topic, arrival.payload)
        assert received.text is not None
        schema.validate(received.kind, json.loads(received.text))
        kinds.add(received.kind)
        assert not [word for word in (b"anna", b"C0:DE") if word in received.text]
    assert kinds >= {Kind.MINUTES, Kind.ALERT, Kind.DEVICES, Kind.HEALTH, Kind.STATUS}
    assert not [arrival.topic for arrival in arrived if "anna" in arrival.topic]
    assert len(minutes_told(arrived)) >= 5
    assert "anna" not in (tmp_path / "daemon.log").read_text().replace('"person": "anna"', "")


@pytest.mark.timeout(400)
async def test_kill_9_twenty_times_and_a_broker_that_comes_and_goes(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    chance = random.Random(7)
    async with household(tmp_path, mosquitto) as house:
        await house.until("people.0.wearables.0.link", "streaming")
        playing = asyncio.create_task(house.home.straps[0].play(heart(2)))
        coming_and_going = asyncio.create_task(_restart_broker(mosquitto, chance, times=5))
        for pause in _pauses(chance, short=16, long=4):
            await asyncio.sleep(pause)
            await house.kill()
            await house.daemon.start()
        await house.until("people.0.wearables.0.link", "streaming")
        await asyncio.sleep(20.0)
        playing.cancel()
        await coming_and_going
        await house.clock.sleep(180.0 + 2 * GRACE_S)
        await house.until("outbox.waiting", 0)
        await house.until("notifications.waiting", 0)
        assert await house.daemon.stop() == 0
        with house.store() as store:
            _nothing_was_lost_or_said_twice(store, house, subscriber)
            _signals_are_lost_only_just_before_a_kill(store, house)


def _pauses(chance: random.Random, *, short: int, long: int) -> list[float]:
    """Real seconds between kills; the long ones leave time for an alert to be raised, or cleared."""
    pauses = [chance.uniform(0.8, 4.0) for _ in range(short)] + [chance.uniform(18.0, 26.0) for _ in range(long)]
    chance.shuffle(pauses)
    return pauses


async def _restart_broker(broker: Mosquitto, chance: random.Random, *, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(chance.uniform(8.0, 16.0))
        await asyncio.to_thread(broker.stop)
        await asyncio.sleep(chance.uniform(1.0, 4.0))
        await asyncio.to_thread(broker.start)


def _nothing_was_lost_or_said_twice(store: Store, house: Household, subscriber: Subscriber) -> None:
    said = {
        (str(store.pseudonyms.message("episode", alert.id)), state)
        for alert in store.alerts.alerts(1000)
        for state in (AlertState.RAISED, AlertState.CLEARED)[: 1 if alert.cleared_at is None else 2]
    }
    assert said, "the story holds AF that must have been said"
    minutes = _stored_minutes(store)
    arrived = subscriber.wait_for(
        lambda arrivals: (
            len(told(arrivals, "/alert")) >= len(said) and {minute for minute, _ in minutes_told(arrivals)} >= minutes
        )
    )
    alerts, summaries = told(arrived, "/alert").values(), minutes_told(arrived)
    assert Counter((a["alert"], a["state"]) for a in alerts) == Counter(said)
    assert {minute for minute, _ in summaries} == minutes
    assert max(Counter(summaries).values()) == 1
    assert store.minutes.dirty_minutes(house.clock.wall()) == []
    titles = Counter(shown.title for shown in house.phone.shown if not shown.title.startswith("Perhaps a repeat"))
    repeats = [shown for shown in house.phone.shown if shown.title.startswith("Perhaps a repeat")]
    assert titles.total() + len(repeats) >= len(said)
    assert titles.total() <= len(said)


def _stored_minutes(store: Store) -> set[int]:
    """The minutes that have samples; a minute holds those with 60 s x minute < time <= that + 60 s."""
    series = [store.signals.series("anna", channel, 0.0, 1e11) for channel in Channel]
    return {math.ceil(time / 60.0) - 1 for one in series for time in one.times}


def _signals_are_lost_only_just_before_a_kill(store: Store, house: Household) -> None:
    series = store.signals.series("anna", Channel.RR_INTERVAL, 0.0, house.clock.wall() + 60.0)
    ticks = np.round(series.values * 1.024).astype(int)
    lost = [at for packet in house.home.straps[0].sent for at in _lost(packet, series.times, ticks)]
    stored = sum(len(packet.beats) for packet in house.home.straps[0].sent) - len(lost)
    assert stored > 0.5 * len(series.times)
    for at in lost:
        after = [kill for kill in house.kills if kill + _downtime(series.times, kill) >= at]
        assert after, f"a beat at {at} was lost after the last kill"
        assert at > after[0] - LOSS_BOUND_S - 1.0, f"{after[0] - at:.1f} s before a kill"


def _lost(packet: Any, times: Any, ticks: Any) -> list[float]:
    lost = []
    for at, tick in zip(packet.beats, packet.measurement.rr_ticks, strict=True):
        near = np.abs(times - at) < 2.5
        if not np.any(ticks[near] == tick):
            lost.append(at)
    return lost


def _downtime(times: Any, kill: float) -> float:
    """Seconds from a kill to the next stored beat."""
    later = times[times > kill]
    return float(later[0] - kill) + 2.5 if later.size else 120.0


@pytest.mark.timeout(120)
async def test_a_damaged_model_and_a_wrong_password_are_told_and_the_daemon_lives_on(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    models = tmp_path / "models"
    shutil.copytree(MODELS, models)
    model = models / "atrial_fibrillation" / "model.tflite"
    model.write_bytes(model.read_bytes()[:-100])
    mosquitto.stop()
    mosquitto.set_users({"home": "right"})
    mosquitto.start()
    (tmp_path / "password").write_text("not-the-password\n")
    credentials = 'tls = false\nusername = "home"\npassword_file = "password"\n'
    with_models = '[home]\nmodels_directory = "models"\n'
    altered = SETTINGS.replace("tls = false\n", credentials).replace("[home]\n", with_models)
    async with household(tmp_path, mosquitto, altered) as house:
        await house.until("people.0.wearables.0.link", "streaming")
        playing = asyncio.create_task(house.home.straps[0].play(heart(3)))
        await house.clock.sleep(30.0)
        answer = await house.until("broker.state", "not connected")
        playing.cancel()
        (fault,) = answer["faults"]
        assert str(model) in fault
        assert "not the file that manifest.json describes" in fault
        assert "check username and password_file" in answer["broker"]["error"]
        assert await house.daemon.stop() == 0
        with house.store() as store:
            assert len(store.signals.series("anna", Channel.RR_INTERVAL, 0.0, 1e11).values) > 10
    log = (tmp_path / "daemon.log").read_text()
    assert "not-the-password" not in log
    assert "Traceback" not in log
