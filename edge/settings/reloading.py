"""Changed settings, written and taken up by the daemon that runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from edge.errors import HearthbeatError
from edge.running import control
from edge.settings.file import SettingsFile
from edge.settings.home import Settings

_RESTART: Final = "systemctl restart hearthbeat"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: whether the daemon has taken it up, and a sentence that says so."""

    daemon: str
    sentence: str
    exit_code: int = 0

    def fields(self) -> dict[str, Any]:
        """For JSON."""
        return {"daemon": self.daemon, "outcome": self.sentence}


def save_and_reload(file: SettingsFile) -> Outcome:
    """Write the settings, and let the daemon take them up if it runs. Raises as `SettingsFile.save`."""
    return asyncio.run(_reload(file.save()))


async def _reload(settings: Settings) -> Outcome:
    left: list[str] = []
    try:
        async for words in control.ask(settings.home.state_directory, {"do": "reload"}):
            left = words.get("restart_needed_for", left)
    except control.NoDaemonError:
        return Outcome("not running", "the daemon does not run, and will know when it starts")
    except HearthbeatError as error:
        return Outcome("refused", f"written, but the running daemon has not taken it up ({error}): {_RESTART}", 1)
    if left:
        tables = " and ".join(f"[{name}]" for name in left)
        return Outcome("reloaded", f"the running daemon has taken it up; earlier changes of {tables} need {_RESTART}")
    return Outcome("reloaded", "the running daemon has taken it up")
