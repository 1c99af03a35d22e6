"""The doctor: what is well, what is wrong, and how to mend it."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.bluetooth.radio import Radio
from edge.cli import main
from edge.doctor import Check, Doctor, Verdict
from edge.running.status import STORE_NAME
from edge.settings.home import WebSettings
from edge.store.store import Store
from edge.virtual.radio import VirtualRadio
from tests.fakes.broker import Mosquitto
from tests.fakes.clock import ManualClock

SETTINGS = """
[home]
state_directory = "state"

[[people]]
id = "anna"
contacts = ["phone"]
[[people.wearables]]
address = "C0:DE:00:00:00:01"

[[contacts]]
id = "phone"
url = "json://127.0.0.1:9"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hearthbeat.toml"
    path.write_text(SETTINGS)
    (tmp_path / "state").mkdir()
    return path


@pytest.fixture
async def radio() -> AsyncIterator[Radio]:
    async with VirtualRadio() as virtual:
        yield Radio(scanner_backend=virtual.scanner_backend, client_backend=virtual.client_backend)


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def examined(config: Path, radio: Radio, clock: ManualClock | None = None) -> dict[str, Check]:
    return {check.name: check async for check in Doctor(config, clock=clock, radio=radio).examine()}


async def test_a_home_whose_daemon_is_stopped_has_that_one_fault(config: Path, radio: Radio) -> None:
    with Store(config.parent / "state" / STORE_NAME):
        pass
    checks = await examined(config, radio)
    wrong = [name for name, check in checks.items() if check.verdict is Verdict.WRONG and name != "clock"]
    assert wrong == ["daemon"]
    assert checks["daemon"].mend is not None
    assert "systemctl start hearthbeat" in checks["daemon"].mend
    assert {"settings", "bluetooth", "disk", "store", "contact phone", "broker", "model fall"} <= set(checks)
    assert [path.name for path in (config.parent / "state").iterdir()] == [STORE_NAME], "a doctor leaves nothing behind"


async def test_wrong_settings_are_told_in_their_place(config: Path, radio: Radio) -> None:
    write(config, SETTINGS.replace('id = "anna"', 'id = "anna"\nnmae = "Anna"'))
    checks = await examined(config, radio)
    assert set(checks) == {"clock", "settings"}
    assert checks["settings"].found.endswith("people.1.nmae: unknown field")


async def test_pain_23_a_clock_that_was_never_set_is_told(config: Path, radio: Radio) -> None:
    checks = await examined(config, radio, ManualClock(wall=0.0))
    assert checks["clock"].verdict is Verdict.WRONG


async def test_a_damaged_store_is_told_and_left_as_it_is(config: Path, radio: Radio) -> None:
    path = config.parent / "state" / STORE_NAME
    path.write_bytes(b"no database" * 1000)
    check = (await examined(config, radio))["store"]
    assert check.verdict is Verdict.WRONG
    assert "backup" in (check.mend or "")
    assert path.read_bytes() == b"no database" * 1000


async def test_a_url_that_no_channel_understands_is_told_without_showing_it(config: Path, radio: Radio) -> None:
    write(config, SETTINGS.replace("json://127.0.0.1:9", "nonsense://SECRET"))
    check = (await examined(config, radio))["contact phone"]
    assert check.verdict is Verdict.WRONG
    assert "SECRET" not in f"{check.found} {check.mend}"


async def test_missing_models_and_a_missing_folder_are_told(config: Path, radio: Radio) -> None:
    write(config, SETTINGS.replace('"state"', '"nowhere"\nmodels_directory = "none"'))
    checks = await examined(config, radio)
    assert checks["models"].verdict is Verdict.WRONG
    assert checks["disk"].verdict is Verdict.WRONG


async def test_a_broker_that_takes_us_is_well_and_one_that_does_not_says_why(
    config: Path, radio: Radio, tmp_path: Path
) -> None:
    broker = Mosquitto(tmp_path / "mosquitto", users={"home": "right"})
    broker.start()
    (tmp_path / "password").write_text("right\n")
    table = f'\n[broker]\nhost = "{broker.host}"\nport = {broker.port}\ntls = false\nusername = "home"\n'
    table += 'password_file = "password"\n'
    write(config, SETTINGS + table + table.replace("[broker]", "[home_assistant]"))
    well = await examined(config, radio)
    assert (well["broker"].verdict, well["home assistant"].verdict) == (Verdict.OK, Verdict.OK)
    (tmp_path / "password").write_text("wrong\n")
    checks = await examined(config, radio)
    for name, table_name in (("broker", "[broker]"), ("home assistant", "[home_assistant]")):
        assert checks[name].verdict is Verdict.WRONG
        assert f"password_file under {table_name}" in (checks[name].mend or "")
    broker.stop()
    gone = (await examined(config, radio))["broker"]
    assert gone.verdict is Verdict.WRONG
    assert "cannot be reached" in gone.found


async def test_buttons_that_nobody_answers_are_told(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        web = WebSettings(url="http://home.local", port=listening.getsockname()[1])
        assert (await Doctor(config)._buttons(web)).verdict is Verdict.OK
    found = await Doctor(config)._buttons(web)
    assert found.verdict is Verdict.WRONG
    assert found.mend is not None
    assert "systemctl enable --now hearthbeat-web" in found.mend


def test_the_command_ends_with_one_where_something_is_wrong(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(config, "nonsense")
    assert main(["doctor", "--json", "--config", str(config)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert [check["name"] for check in answer["checks"]] == ["clock", "settings"]
    assert answer["checks"][1]["verdict"] == "wrong"
    assert main(["doctor", "--config", str(config)]) == 1
    assert "to mend it: mend that line" in capsys.readouterr().out
