"""Commands through a real broker to a daemon, and back."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from nacl.signing import SigningKey
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud_sync.collector.cli import main
from cloud_sync.commands import Verb, command_topic, make_command, result_topic
from cloud_sync.signing import COMMAND, sign, write_public_key
from edge.daemon import Daemon
from edge.risks.catalogue import MODELS
from edge.settings.home import load_settings
from tests.fakes.broker import Mosquitto, Subscriber, mosquitto, subscriber
from tests.fakes.home_text import ANNA, HOME, broker_table, key_table

__all__ = ["mosquitto", "subscriber"]

DAUGHTER = SigningKey(bytes(range(32)))
STRANGER = SigningKey(bytes(32))


class Sender:
    """Somebody with a client at the broker."""

    def __init__(self, broker: Mosquitto) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "sender", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def send(self, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(command_topic("home"), payload, qos=1, retain=retain).wait_for_publish(20.0)

    def command(self, do: Verb, arguments: dict[str, Any]) -> str:
        identifier, payload = make_command("home", do, arguments, "daughter", DAUGHTER)
        self.send(payload)
        return str(identifier)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(load_settings(path), read_settings=lambda: load_settings(path), settings_file=path)
    task = asyncio.create_task(daemon.run())
    try:
        await daemon.started.wait()
        yield daemon
    finally:
        daemon.stop()
        await task


def results(listening: Subscriber, number: int) -> list[dict[str, Any]]:
    """What the home has said of commands, as soon as it has said so much."""
    arrived = listening.wait_for(lambda all_: sum(one.topic == result_topic("home") for one in all_) >= number)
    return [json.loads(one.payload) for one in arrived if one.topic == result_topic("home")]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def subscribed(broker: Mosquitto) -> None:
    await until(lambda: any("hearthbeat/v1/home/command (QoS 1)" in line for line in broker.log))


@pytest.fixture
def path(tmp_path: Path, mosquitto: Mosquitto) -> Path:
    written = tmp_path / "hearthbeat.toml"
    daughter = key_table("daughter", write_public_key(DAUGHTER.verify_key), ["acknowledge", "settings"], "phone")
    written.write_text(HOME + ANNA + broker_table(mosquitto) + daughter)
    return written


async def test_a_home_obeys_who_is_trusted_and_nobody_else(
    path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    sender = Sender(mosquitto)
    old = make_command("home", "settings", {"set": {"models.shadow_days": 80}}, "daughter", DAUGHTER)[1]
    sender.send(old, retain=True)
    async with running(path) as daemon:
        await subscribed(mosquitto)
        sender.send(sign(COMMAND, "daughter", b"{}", STRANGER))
        sender.send(b"\xff" * 100)
        changed = sender.command("settings", {"set": {"models.shadow_days": 3}})
        lacking = sender.command("acknowledge", {"alert": "0123"})
        told = await asyncio.to_thread(results, subscriber, 2)
        assert [(one["command"], one["outcome"]) for one in told] == [(changed, "obeyed"), (lacking, "refused")]
        assert daemon.settings.models.shadow_days == 3.0
        entries = daemon._store.commands.entries
        await until(lambda: {"forged", "unreadable"} <= {audit.reason for audit in entries(9)})
    sender.close()


async def test_a_command_waits_at_the_broker_for_a_home_that_is_away(
    path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    sender = Sender(mosquitto)
    async with running(path):
        await subscribed(mosquitto)
    sender.command("settings", {"set": {"models.shadow_days": 4}})
    async with running(path):
        assert (await asyncio.to_thread(results, subscriber, 1))[0]["outcome"] == "obeyed"
    assert load_settings(path).models.shadow_days == 4.0
    sender.close()


def tool(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What `hearthbeat-collector` shows."""
    assert main([str(one) for one in arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.strip()


async def test_a_model_comes_by_the_broker_and_runs_in_the_shadow(
    path: Path, mosquitto: Mosquitto, subscriber: Subscriber, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, package, new = tmp_path / "maker.key", tmp_path / "model.package", tmp_path / "new"
    key = tool(capsys, "keys", "new", secret)
    assert secret.stat().st_mode & 0o077 == 0
    assert tool(capsys, "keys", "show", secret) == key
    with path.open("a") as file:
        file.write(key_table("maker", key, ["model", "package"]))
    shutil.copytree(MODELS / "atrial_fibrillation", new)
    manifest = json.loads((new / "manifest.json").read_text()) | {"version": "9.0"}
    (new / "manifest.json").write_text(json.dumps(manifest))
    signed = ("--key", secret, "--as", "maker")
    name = tool(capsys, "package", new, "--out", package, *signed)
    assert "4 parts" in await asyncio.to_thread(tool, capsys, "publish", package, "--config", path)
    async with running(path) as daemon:
        await subscribed(mosquitto)
        order = ("command", "home", *signed, "--config", path, "model", "--package", package)
        shown = await asyncio.to_thread(tool, capsys, *order)
        (told,) = await asyncio.to_thread(results, subscriber, 1)
        assert told["command"] in shown
        assert (told["outcome"], told["detail"]) == ("obeyed", "it will be fetched")
        arrived = await asyncio.to_thread(
            subscriber.wait_for, lambda all_: any(one.topic == "hearthbeat/v1/home/model" for one in all_)
        )
        (model,) = [one.fields for one in arrived if one.topic == "hearthbeat/v1/home/model"]
        assert (model["state"], model["package"]) == ("shadow", name)
        (watch,) = [one for one in daemon.pipelines[0].watches if one.risk == "atrial_fibrillation"]
        assert watch.trial is not None
        assert (watch.trial.new.version, watch.trial.leads, watch.model.version != "9.0") == ("9.0", False, True)
        back = ("command", "home", *signed, "--config", path, "model", "--back", "atrial_fibrillation")
        await asyncio.to_thread(tool, capsys, *back)
        assert (await asyncio.to_thread(results, subscriber, 2))[1]["detail"] == "9.0 was taken back"
        assert watch.trial is None
