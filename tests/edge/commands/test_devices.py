"""`hearthbeat devices` and `hearthbeat people` beside a daemon that runs, and what it takes up without a restart."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.bluetooth.link import SILENCE_LIMIT_S
from edge.bluetooth.radio import Radio
from edge.cli import main
from edge.daemon import Daemon
from edge.readings import Channel, Reading
from edge.settings.home import load_settings
from edge.store.store import Batch, Store
from edge.virtual.cuff import VirtualCuff
from edge.virtual.radio import VirtualRadio
from edge.virtual.strap import VirtualStrap
from edge.virtual.time import VirtualClock

ANNAS, BERTS, CUFF = "C0:DE:00:00:00:01", "C0:DE:00:00:00:02", "C0:DE:00:00:00:09"
SETTINGS = """
[home]
state_directory = "state"
models_directory = "models" # none: this is about wearables

# Anna came first.
[[people]]
id = "anna"
contacts = ["phone"]
[[people.wearables]]
address = "C0:DE:00:00:00:01" # her strap

# One phone for everybody.
[[contacts]]
id = "phone"
url = "json://127.0.0.1:9"
"""


@dataclass
class Home:
    """A daemon that runs, its radio, and the command line beside it."""

    daemon: Daemon
    radio: VirtualRadio
    clock: VirtualClock
    config: Path

    async def command(self, *arguments: str) -> int:
        """What `hearthbeat …` returns, in a thread as it would be a process of its own."""
        return await asyncio.to_thread(main, [*arguments, "--config", str(self.config)])

    async def worn(self, address: str, **options: Any) -> VirtualStrap:
        strap = VirtualStrap(self.radio, self.clock, address=address, name=f"Strap {address[-1]}", **options)
        await strap.start()
        self.playing.append(asyncio.create_task(strap.play(itertools.repeat(800.0))))
        return strap

    async def until_link(self, address: str, state: str) -> None:
        while self.links().get(address) != state:
            await self.clock.sleep(0.2)

    def links(self) -> dict[str, str]:
        wearables = [w for pipeline in self.daemon.pipelines for w in pipeline.wearables.values()]
        wearables += [device.wearable for device in self.daemon._household.shared]
        return {wearable.source.device: wearable.link.value for wearable in wearables}

    def __post_init__(self) -> None:
        self.playing: list[asyncio.Task[None]] = []


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with living(tmp_path, SETTINGS) as found:
        yield found


@asynccontextmanager
async def living(folder: Path, settings: str) -> AsyncIterator[Home]:
    config = folder / "hearthbeat.toml"
    config.write_text(settings)
    (folder / "models").mkdir()
    clock = VirtualClock(60.0)
    async with VirtualRadio() as radio:
        bleak = Radio(scanner_backend=radio.scanner_backend, client_backend=radio.client_backend, clock=clock)
        daemon = Daemon(
            load_settings(config),
            clock=clock,
            radio=bleak,
            chance=random.Random(1),
            silence_limit_s=4 * SILENCE_LIMIT_S,
            read_settings=lambda: load_settings(config),
        )
        passing = asyncio.create_task(clock.run())
        running = asyncio.create_task(daemon.run())
        await daemon.started.wait()
        found = Home(daemon, radio, clock, config)
        try:
            yield found
        finally:
            daemon.stop()
            await running
            for task in (passing, *found.playing):
                task.cancel()
            await asyncio.gather(passing, *found.playing, return_exceptions=True)


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON that a command has printed, behind what the daemon logs in this very process."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


async def test_pain_04_a_scan_beside_the_daemon_uses_the_daemons_scanner(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    await home.worn(ANNAS)
    await home.until_link(ANNAS, "streaming")
    strap = await home.worn(BERTS)
    # A strap advertises some six times in a second of the machine, which is a minute of this home.
    assert await home.command("devices", "scan", "--seconds", "60", "--json") == 0
    (found,) = printed(capsys)
    assert (found["address"], found["name"], found["profiles"]) == (BERTS, strap.name, ["heart_rate"])
    assert found["owner"] is None
    assert home.links()[ANNAS] == "streaming", "nobody was disturbed"


async def test_adding_a_strap_takes_one_command_and_no_restart(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    annas = await home.worn(ANNAS)
    await home.until_link(ANNAS, "streaming")
    await home.worn(BERTS)
    assert await home.command("people", "add", "bert", "--name", "Bert", "--contact", "phone", "--json") == 0
    assert printed(capsys)["daemon"] == "reloaded"
    assert await home.command("devices", "add", BERTS.lower(), "--person", "bert", "--name", "Bert's", "--json") == 0
    told = capsys.readouterr()
    met = json.loads(told.out.splitlines()[-1])
    assert met["value"] == {"channel": "heart_rate", "value": 75.0, "unit": "bpm"}
    assert met["daemon"] == "reloaded"
    for step in ("looking for it", "connecting", "waiting for the first value", "heart rate 75 bpm"):
        assert step in told.err
    await home.until_link(BERTS, "streaming")
    await home.clock.sleep(5.0)
    assert annas.connections == 1, "Anna's link has noticed nothing"
    assert "# her strap" in home.config.read_text()
    assert "# One phone for everybody." in home.config.read_text()
    assert await home.command("devices", "list", "--json") == 0
    assert {(row["address"], row["owner"], row["link"]) for row in printed(capsys)} == {
        (ANNAS, "anna", "streaming"),
        (BERTS, "bert", "streaming"),
    }
    with Store(home.daemon._store.path) as store:
        while not store.signals.devices("bert", Channel.HEART_RATE, 0.0):
            await home.clock.sleep(1.0)  # until the next commit
        for person, device in (("anna", ANNAS), ("bert", BERTS)):
            assert store.signals.devices(person, Channel.HEART_RATE, 0.0) == [device], "pain 25"


async def test_a_strap_that_is_forgotten_is_left_alone(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    strap = await home.worn(ANNAS, pairing=True)
    await home.until_link(ANNAS, "streaming")
    assert await home.command("devices", "forget", ANNAS, "--json") == 0
    told = printed(capsys)
    assert (told["forgotten_by_bluetooth"], told["daemon"]) == (True, "reloaded")
    assert home.links() == {}
    assert not strap._device.connections
    assert ANNAS not in home.config.read_text()
    assert await home.command("people", "list", "--json") == 0
    (anna,) = printed(capsys)
    assert (anna["id"], anna["wearables"]) == ("anna", [])


async def test_pain_25_a_wearable_that_goes_from_one_person_to_another(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    await home.worn(ANNAS)
    await home.until_link(ANNAS, "streaming")
    await home.clock.sleep(10.0)
    await home.command("people", "add", "bert", "--contact", "phone")
    await home.command("devices", "forget", ANNAS)
    await home.clock.sleep(2.0)
    changed_at = home.clock.wall()
    assert await home.command("devices", "add", ANNAS, "--person", "bert") == 0
    await home.until_link(ANNAS, "streaming")
    await home.clock.sleep(10.0)
    home.daemon.stop()
    await home.daemon._household.settled()
    await home.daemon._recorder.commit()
    with Store(home.daemon._store.path) as store:
        annas = store.signals.series("anna", Channel.HEART_RATE, 0.0, 1e11).times
        berts = store.signals.series("bert", Channel.HEART_RATE, 0.0, 1e11).times
    assert annas.size
    assert annas.max() < changed_at < berts.min()


async def test_a_shared_cuff_is_asked_about_and_claimed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    cuff = VirtualCuff(home.radio, home.clock, address=CUFF)
    await cuff.start()
    await home.command("people", "add", "bert", "--name", "Bert", "--contact", "phone")
    assert await home.command("devices", "add", CUFF, "--shared", "--name", "cuff") == 0
    await home.until_link(CUFF, "streaming")
    capsys.readouterr()
    await cuff.measure(128, 82, pulse=70, stamped=False)
    measured_at = home.clock.wall()
    claims: list[Any] = []
    while not claims:
        await home.clock.sleep(1.0)
        assert await home.command("people", "claims", "--json") == 0
        claims = printed(capsys)
    (claim,) = claims
    assert (claim["told"], claim["state"], claim["person"]) == ("128/82 mmHg, pulse 70", "waiting", None)
    assert {one["person"] for one in claim["candidates"]} == {"anna", "bert"}
    with Store(home.daemon._store.path) as store:
        due = [one.notification.title for one in store.notifications.due_notifications(home.clock.wall() + 1e6)]
        assert [title for title in due if title.startswith("Was that anna or Bert? 128/82 mmHg")]
        assert store.signals.devices("anna", Channel.SYSTOLIC, 0.0) == []
    assert await home.command("people", "claim", claim["id"][:4], "--person", "bert") == 0
    assert "128/82 mmHg, pulse 70 is bert's now" in capsys.readouterr().out
    with Store(home.daemon._store.path) as store:
        series = store.signals.series("bert", Channel.SYSTOLIC, 0.0, 1e11)
        assert series.values.tolist() == [128.0]
        assert abs(series.times[0] - measured_at) < 5.0
    assert await home.command("people", "claim", claim["id"], "--nobody") == 2
    assert "is bert's already" in capsys.readouterr().err
    assert await home.command("people", "claims", "--all", "--json") == 0
    assert [one["state"] for one in printed(capsys)] == ["claimed"]


async def test_a_shared_cuff_with_one_user_asks_nobody(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    cuff = VirtualCuff(home.radio, home.clock, address=CUFF)
    await cuff.start()
    assert await home.command("devices", "add", CUFF, "--shared") == 0
    await home.until_link(CUFF, "streaming")
    await cuff.measure(128, 82, stamped=False)
    await home.clock.sleep(10.0)
    await home.daemon._recorder.commit()
    with Store(home.daemon._store.path) as store:
        assert store.signals.series("anna", Channel.SYSTOLIC, 0.0, 1e11).values.tolist() == [128.0]
        assert store.claims.recent(9) == []


async def test_settings_that_are_wrong_are_not_taken_up_and_the_daemon_goes_on(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    await home.worn(ANNAS)
    await home.until_link(ANNAS, "streaming")
    file = SETTINGS.replace("json://127.0.0.1:9", "json://127.0.0.1:9") + '\n[home2]\nid = "x"\n'
    home.config.write_text(file)
    assert await home.command("devices", "forget", ANNAS) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "home2" in line
    assert home.links() == {ANNAS: "streaming"}


async def test_a_change_that_needs_a_restart_says_so(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.config.write_text(SETTINGS + "\n[store]\nkeep_days = 7\n")
    assert await home.command("people", "add", "bert", "--contact", "phone") == 0
    assert "[store] need systemctl restart hearthbeat" in capsys.readouterr().out
    assert [pipeline.person.id for pipeline in home.daemon.pipelines] == ["anna", "bert"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["devices", "add", ANNAS, "--person", "anna"], "is there twice"),
        (["devices", "add", "strap", "--person", "anna"], "no Bluetooth address"),
        (["devices", "add", BERTS, "--person", "bert"], "people add"),
        (["devices", "add", BERTS], "--person"),
        (["devices", "add", BERTS, "--person", "anna", "--person", "anna"], "--shared"),
        (["devices", "forget", BERTS], "devices list"),
        (["devices", "scan", "--seconds", "0"], "not above zero"),
        (["devices", "scan", "--seconds", "1e6"], "give up to 600"),
        (["people", "add", "anna", "--contact", "phone"], "person anna is there twice"),
        (["people", "add", "bert"], "--contact"),
        (["people", "add", "bert", "--contact", "mail"], "mail"),
        (["people", "add", "Bert B", "--contact", "phone"], "no id"),
        (["people", "add", "bert", "--new-contact", "berts"], "CONTACT=FILE"),
        (["people", "add", "bert", "--new-contact", "berts=berts.url"], "berts.url"),
        (["people", "claim", "abc", "--person", "anna"], "no measurement has the id 'abc'"),
        (["people", "claim", "abc", "--person", "carla"], "use anna"),
        (["people", "claim", "abc"], "--person"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_and_changes_nothing(
    tmp_path: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(SETTINGS)
    assert main([*arguments, "--config", str(config)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert config.read_text() == SETTINGS
    assert list(tmp_path.iterdir()) == [config]


async def test_an_alert_is_answered_by_the_running_daemon_and_a_claimed_measurement_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = '\n[[people]]\nid = "bert"\ncontacts = ["phone"]\n[[shared]]\naddress = "C0:DE:00:00:00:09"\n'
    shared = SETTINGS + two
    async with living(tmp_path, shared) as home:
        now, attending = home.clock.wall(), home.daemon._attending
        warm = Reading("anna", CUFF, Channel.TEMPERATURE, "°C", now - 5.0, now - 5.0, (39.5,))
        await home.daemon._recorder.call(home.daemon._store.commit, Batch(readings=[warm]))
        while not (opened := {alert.kind: alert for alert in attending.open_alerts}).get("temperature_high"):
            await home.clock.sleep(1.0)
        alert = opened["temperature_high"]
        assert await home.command("alerts", "snooze", alert.id[:6], "--minutes", "30", "--by", "phone") == 0
        assert await home.command("alerts", "show", alert.id[:6], "--json") == 0
        shown = printed(capsys)
        assert shown["snoozed_until"] is not None
        assert [told["contact"] for told in shown["told"]] == ["phone"]
        assert await home.command("alerts", "ack", alert.id[:6], "--by", "phone") == 0
        answered = {one.id: one.acknowledged_by for one in attending.open_alerts}
        assert answered[alert.id] == "phone"


def test_where_bluetooth_does_not_answer_no_bond_is_said_to_be_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    config = tmp_path / "hearthbeat.toml"
    config.write_text(SETTINGS)
    assert main(["devices", "forget", ANNAS, "--config", str(config)]) == 0
    assert "whether it had a bond is not known" in capsys.readouterr().out
