"""What came from afar, listed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge.cli import main
from edge.readings import Risk
from edge.running.status import STORE_NAME
from edge.store.commands import Audit
from edge.store.model_updates import Update, UpdateState
from edge.store.store import Store
from tests.fakes.home_text import ANNA, HOME


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hearthbeat.toml"
    path.write_text(HOME + ANNA)
    (tmp_path / "state").mkdir()
    return path


@pytest.mark.parametrize("command", ["audit", "models updates", "alerts list", "alerts list --open"])
def test_nothing_is_said_in_words_and_never_by_silence(
    command: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--config", str(config)]) == 0
    assert re.search(r"\bno\b", capsys.readouterr().out)


def test_what_came_is_listed_newest_first(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    with Store(config.parent / "state" / STORE_NAME) as store:
        store.commands.settle(Audit(1.8e9, "obeyed", "id-1", "daughter", "snooze", "", "done", 1.9e9), [])
        store.commands.count([Audit(1.8e9 + 1, "refused", reason="forged", count=7)])
        store.commands.count([Audit(1.8e9 + 2, "refused", reason="forged", count=3)])
        figures = {"windows": 9, "both": 8, "disagree": 2, "distance": 0.8}
        store.model_updates.put(
            [Update("a" * 64, Risk.FALL, "3.0", b"", None, UpdateState.SHADOW, 1.8e9, 1.8e9, figures=figures)]
        )
    assert main(["audit", "--config", str(config)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("a command of nobody known: refused (10 times) (forged)")
    assert second.endswith("snooze of daughter: obeyed (done)")
    assert main(["models", "updates", "--config", str(config)]) == 0
    shown = capsys.readouterr().out
    assert "fall 3.0: shadow" in shown
    assert "disagreement: 0.25" in shown
    assert main(["models", "updates", "--config", str(config), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["state"], told["figures"]["mean_distance"]) == ("shadow", 0.1)
