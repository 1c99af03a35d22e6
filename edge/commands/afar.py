"""`hearthbeat audit` and `hearthbeat models updates`: what came from afar, and what became of it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from edge.commands.options import add_config, add_json
from edge.settings.home import Settings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands
    from edge.store.store import Store

# Entries that are listed. Our choice: what a terminal scrolls back; the store keeps a year.
_LISTED: Final = 1000


def add_audit(commands: Commands) -> None:
    """The command `audit`."""
    audit = commands.add_parser("audit", help="commands that came from afar, and what became of each")
    add_config(audit)
    add_json(audit)
    audit.set_defaults(command=_audit)


def add_updates(verbs: Commands) -> None:
    """The verb `updates` of `models`."""
    updates = verbs.add_parser("updates", help="models that came from afar, and how they do beside the old ones")
    add_config(updates)
    add_json(updates)
    updates.set_defaults(command=_updates)


def _audit(given: argparse.Namespace) -> int:
    store = _open(load_settings(given.config))
    entries = []
    if store is not None:
        with store:
            entries = store.commands.entries(_LISTED)
    if given.json:
        print(json.dumps([asdict(entry) for entry in entries]))
        return 0
    if not entries:
        print("no command has come from afar")
    for entry in entries:
        times = "" if entry.count == 1 else f" ({entry.count} times)"
        who = entry.key or "nobody known"
        what = f"{entry.verb or 'a command'} of {who}: {entry.outcome}"
        why = ", ".join(word for word in (entry.reason, entry.detail) if word)
        print(f"{_local(entry.at)}  {what}{times}{f' ({why})' if why else ''}")
    return 0


def _updates(given: argparse.Namespace) -> int:
    from edge.afar.model_updates import told_of

    store = _open(load_settings(given.config))
    updates = []
    if store is not None:
        with store:
            updates = store.model_updates.all()
    if given.json:
        fields = ("package", "risk", "version", "state", "ordered_at", "since", "reason", "crashes")
        print(json.dumps([{**{n: getattr(u, n) for n in fields}, "figures": told_of(u)} for u in updates]))
        return 0
    if not updates:
        print("no model has come from afar")
    for update in updates:
        why = f" ({update.reason})" if update.reason else ""
        print(f"{_local(update.since)}  {update.risk} {update.version}: {update.state.replace('_', ' ')}{why}")
        for name, number in told_of(update).items():
            if number is not None:
                print(f"    {name.replace('_', ' ')}: {number}")
    return 0


def _open(settings: Settings) -> Store | None:
    """The store, None where there is none yet; raises StoreError."""
    from edge.running.status import store_path
    from edge.store.store import Store

    path = store_path(settings)
    return None if path is None else Store(path)


def _local(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC).astimezone():%Y-%m-%d %H:%M}"
