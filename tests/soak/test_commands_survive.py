"""Commands and a model on their way to a home whose daemon is killed again and again: each is done, and told once."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from cloud_sync.broker import Broker
from cloud_sync.commands import Verb, command_topic, make_command, result_topic
from cloud_sync.packages import Package, make_package, part_of, read_label
from cloud_sync.sending import Words, send
from cloud_sync.signing import write_public_key
from edge.clock import AcceleratedClock
from edge.readings import Risk
from edge.risks.catalogue import MODELS
from edge.store.store import Store
from tests.fakes.broker import Mosquitto, Subscriber
from tests.fakes.daemon_process import DaemonProcess
from tests.fakes.home_text import ANNA, HOME, broker_table, key_table

KILLS = 20
EVERY_S = 0.4
KEY = SigningKey(bytes(range(32)))


@pytest.mark.timeout(600)
async def test_each_command_is_done_and_told_though_the_daemon_is_killed(tmp_path: Path) -> None:
    chance = random.Random(4)
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    mosquitto.start()
    listening = Subscriber(mosquitto, "hearthbeat/v1/#")
    broker = Broker(mosquitto.host, mosquitto.port, tls=False)
    config = tmp_path / "hearthbeat.toml"
    maker = key_table("maker", write_public_key(KEY.verify_key), ["data", "model", "package"])
    config.write_text(HOME + ANNA + broker_table(mosquitto) + maker + '[log]\nformat = "json"\n')
    sent: set[str] = set()
    killing = asyncio.Event()
    daemon = DaemonProcess(config, AcceleratedClock(1.0), {}, tmp_path / "daemon.log")
    await daemon.start()

    def say(do: Verb, arguments: dict[str, object]) -> None:
        identifier, payload = make_command("home", do, arguments, "maker", KEY)
        send(broker, [Words(command_topic("home"), payload)])
        sent.add(str(identifier))

    async def keep_saying() -> None:
        while not killing.is_set():
            now = time.time()
            await asyncio.to_thread(say, "data", {"person": "anna", "since": now - 60.0, "until": now})
            await asyncio.sleep(EVERY_S)

    await _subscribed(mosquitto)
    package = _package(tmp_path)
    label = read_label(package.label, {"maker": KEY.verify_key})
    parts = [part_of(package.content, label, number) for number in range(len(label.parts))]
    send(broker, [Words(t, part, retained=True) for t, part in zip(label.topics(), parts, strict=True)])
    saying = asyncio.create_task(keep_saying())
    say("model", {"package": package.label.decode()})
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 4.0))
        await daemon.kill()
        await daemon.start()
    killing.set()
    await saying
    arrived = await asyncio.to_thread(
        listening.wait_for,
        lambda all_: (
            {one.fields["command"] for one in all_ if one.topic == result_topic("home")} == sent
            and any(one.topic == "hearthbeat/v1/home/model" for one in all_)
        ),
        120.0,
    )
    assert await daemon.stop() == 0
    results = [one.fields for one in arrived if one.topic == result_topic("home")]
    assert {one["outcome"] for one in results} == {"obeyed"}
    assert len({one["id"] for one in results}) == len(sent), "what came twice came alike, under one id"
    with Store(tmp_path / "state" / "hearthbeat.db") as store:
        entries = Counter(entry.command for entry in store.commands.entries(10_000) if entry.outcome == "obeyed")
        assert entries == Counter(sent)
        assert store.commands.waiting() == []
        assert [str(row.state) for row in store.model_updates.all()] == ["shadow"]
    print(f"{KILLS} kills, {len(sent)} commands, each obeyed and told once; the model is in the shadow")  # noqa: T201
    listening.close()
    mosquitto.stop()


async def _subscribed(mosquitto: Mosquitto) -> None:
    while not any("hearthbeat/v1/home/command (QoS 1)" in line for line in mosquitto.log):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _package(folder: Path) -> Package:
    new = folder / "new"
    shutil.copytree(MODELS / "fall", new)
    (new / "manifest.json").write_text(json.dumps(json.loads((new / "manifest.json").read_text()) | {"version": "9.0"}))
    return make_package(new, "maker", KEY, Risk.FALL, "9.0")
