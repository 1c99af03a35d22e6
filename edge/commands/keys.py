"""`hearthbeat keys`: the key to which a home seals what it tells, and who is behind a pseudonym."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.commands.options import add_config, add_json
from edge.errors import SettingsError, WrongUseError

if TYPE_CHECKING:
    from edge.commands.options import Commands
    from edge.telling.household_key import SecretKey

_ONLY_OWNER: Final = 0o600


def add_keys(commands: Commands) -> None:
    """The command and its verbs."""
    keys = commands.add_parser("keys", help="the household's key, and who is behind a pseudonym")
    verbs = keys.add_subparsers(required=True, metavar="VERB")
    new = verbs.add_parser("new", help="draw a key; its file opens all that is sealed to it, and nothing else does")
    new.add_argument("file", type=Path, metavar="FILE", help="where the secret half goes; it must not exist yet")
    new.set_defaults(command=_new)
    public = verbs.add_parser("public", help="the half that hearthbeat.toml needs")
    public.add_argument("file", type=Path, metavar="FILE")
    public.set_defaults(command=_public)
    opening = verbs.add_parser("open", help="a payload from the broker (standard input) as JSON")
    opening.add_argument("file", type=Path, metavar="FILE")
    opening.add_argument("topic", metavar="TOPIC", help="the topic under which it came")
    opening.set_defaults(command=_open)
    names = verbs.add_parser("names", help="the pseudonyms of the people and wearables of this home")
    add_config(names)
    add_json(names)
    names.set_defaults(command=_names)


def _new(given: argparse.Namespace) -> int:
    from cloud_sync.messages import sealing

    key = sealing.new_key()
    try:
        descriptor = os.open(given.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_OWNER)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key.text}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WrongUseError(
            f"cannot be written: {error.strerror or error}",
            where=str(given.file),
            mend="name a file that is not there yet",
        ) from error
    print(f'encrypt_to = "{sealing.public_half(key).text}"')
    print("put that line under [broker], and keep the file: without it nobody can read what is told", file=sys.stderr)
    return 0


def _public(given: argparse.Namespace) -> int:
    from cloud_sync.messages import sealing

    print(sealing.public_half(read_secret_key(given.file)).text)
    return 0


def _open(given: argparse.Namespace) -> int:
    from cloud_sync.messages import parse
    from cloud_sync.messages.making import payload_of
    from cloud_sync.messages.parsing import LARGEST_PAYLOAD

    key = read_secret_key(given.file)
    received = parse(given.topic, sys.stdin.buffer.read(LARGEST_PAYLOAD + 1), key)
    assert received.message is not None  # noqa: S101 -- with a key it is opened or refused
    print(payload_of(received.message).decode())
    return 0


def _names(given: argparse.Namespace) -> int:
    from edge.running.status import store_path
    from edge.settings.home import load_settings
    from edge.store.store import Store
    from edge.telling.telling import home_of

    settings = load_settings(given.config)
    path = store_path(settings)
    if path is None or settings.broker is None:
        folder = str(settings.home.state_directory)
        raise WrongUseError("nobody is told of anybody", where=folder, mend="set [broker] and start the daemon first")
    with Store(path) as store:
        home = home_of(settings, store)
        assert home is not None  # noqa: S101 -- there is a broker
        names = {home.person(person.id): person.name or person.id for person in settings.people}
        worn = {one.address: one.name for person in settings.people for one in person.wearables}
        worn |= {one.address: one.name for one in settings.shared}
        names |= {store.pseudonyms.device(address): name or address for address, name in worn.items()}
    if given.json:
        print(json.dumps(names))
    else:
        for pseudonym, name in names.items():
            print(f"{pseudonym}  {name}")
    return 0


def read_secret_key(path: Path) -> SecretKey:
    """The secret half in a file; raises SettingsError, and what is in the file is in no message."""
    from edge.settings.contacts import read_secret
    from edge.telling.household_key import SecretKey

    try:
        return SecretKey.parse(read_secret(path))
    except ValueError as error:
        raise SettingsError(
            f"no secret key: {error}", where=str(path), mend="give the file that `hearthbeat keys new` has written"
        ) from error
