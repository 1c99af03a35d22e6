"""`hearthbeat export` and `hearthbeat erase`: a person's data are the person's."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from edge.commands.options import add_config, add_json
from edge.errors import WrongUseError
from edge.settings.home import Settings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands


def add_data(commands: Commands) -> None:
    """Both commands."""
    export = commands.add_parser("export", help="all that is kept of a person, as files")
    export.add_argument("person", metavar="PERSON")
    export.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the files go")
    add_config(export)
    add_json(export)
    export.set_defaults(command=_export)
    erase = commands.add_parser("erase", help="take out all that is kept of a person, for good")
    erase.add_argument("person", metavar="PERSON")
    erase.add_argument("--yes", action="store_true", help="this cannot be undone, and that is understood")
    add_config(erase)
    add_json(erase)
    erase.set_defaults(command=_erase)


def _store_path(settings: Settings) -> Path:
    from edge.running.status import store_path

    path = store_path(settings)
    if path is None:
        folder = str(settings.home.state_directory)
        raise WrongUseError("nothing is stored yet", where=folder, mend="start the daemon first")
    return path


def _export(given: argparse.Namespace) -> int:
    from edge.export import export_person
    from edge.store.store import Store

    with Store(_store_path(load_settings(given.config))) as store:
        written = export_person(store, given.person, given.out)
    if given.json:
        print(json.dumps([{"path": str(one.path), "lines": one.lines} for one in written]))
    else:
        for one in written:
            print(f"{one.lines:>10,}  {one.path}")
    return 0


def _erase(given: argparse.Namespace) -> int:
    from edge.running.maintenance import BACKUP_NAME
    from edge.running.status import ask
    from edge.store.store import Store

    settings = load_settings(given.config)
    path = _store_path(settings)
    lives_here = given.person in [person.id for person in settings.people]
    with Store(path) as store:
        known = store.people()
        if given.person not in known and not lives_here:
            mend = f"use {' or '.join(known)}" if known else "nobody's data are kept"
            raise WrongUseError(f"nothing is kept of {given.person!r}", where="PERSON", mend=mend)
        if lives_here and ask(settings.home.state_directory) is not None:
            mend = "take them out of hearthbeat.toml and reload the daemon, or stop it, and erase again"
            raise WrongUseError(f"the daemon still records {given.person}", where=str(given.config), mend=mend)
        if not given.yes:
            mend = "say --yes; `hearthbeat export` keeps a copy"
            raise WrongUseError(f"all data of {given.person} would be gone for good", where="erase", mend=mend)
        erased = store.erase(given.person)
        backup = path.with_name(BACKUP_NAME)
        if backup.exists():
            store.backup(backup)
    if given.json:
        print(json.dumps(erased))
    else:
        print(f"all that was kept of {given.person} is gone, from the store and from its backup")
    return 0
