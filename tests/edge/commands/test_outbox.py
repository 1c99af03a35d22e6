"""`hearthbeat outbox`: what the broker refused can be looked at, and sent again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.cli import main
from edge.notices import OutboxMessage, Priority
from edge.settings.home import load_settings
from edge.store.store import Batch, Store
from tests.edge.settings.test_home import GOOD


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hearthbeat.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def fill(config: Path) -> Path:
    folder = load_settings(config).home.state_directory
    folder.mkdir()
    rows = [OutboxMessage(f"id-{n}", "t/minute", b"123", Priority.SUMMARY, 60.0 * n) for n in range(4)]
    with Store(folder / "hearthbeat.db") as store:
        store.commit(Batch(messages=rows))
        for n in (1, 2):
            store.outbox.park_message(f"id-{n}", "Not authorized (0x87)")
    return folder / "hearthbeat.db"


def listed(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["outbox", "list", "--json", "--config", str(config)]) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_what_was_refused_is_listed_and_sent_again(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fill(config)
    assert main(["outbox", "list", "--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 wait for the broker, 2 were refused for good."
    assert lines[1].endswith("id-2  t/minute  3 bytes: Not authorized (0x87)")
    assert main(["outbox", "retry", "id-2", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "1 will be sent again.\n"
    told = listed(config, capsys)
    assert told["waiting"] == 3
    assert told["refused"] == [
        {
            "id": "id-1",
            "topic": "t/minute",
            "priority": "summary",
            "created": 60.0,
            "bytes": 3,
            "reason": "Not authorized (0x87)",
        }
    ]
    assert main(["outbox", "retry", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out) == ["id-1"]
    with Store(path) as store:
        assert [message.id for message in store.outbox.next_messages(9)] == ["id-0", "id-1", "id-2", "id-3"]


def test_nothing_stored_is_nothing_to_list(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(config, capsys) == {"waiting": 0, "refused": [], "lost": []}
    assert main(["outbox", "retry", "--config", str(config)]) == 2
    assert capsys.readouterr().err.endswith("nothing is stored yet; start the daemon first\n")


def test_a_message_that_is_meant_by_nothing_is_wrong_use(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(config)
    for beginning in ("id", "nothing"):
        assert main(["outbox", "retry", beginning, "--config", str(config)]) == 2
        assert capsys.readouterr().err.endswith("see `hearthbeat outbox list`\n")
