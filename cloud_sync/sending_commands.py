"""`hearthbeat-collector keys|package|publish|command`: keys, model packages and commands, on the sender's side.

A secret key is read from a file and written into one that only its owner can read; it is never an argument.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.arguments import Arguments
from edge.errors import RejectedError, SettingsError, WrongUseError

if TYPE_CHECKING:
    from cloud_sync.broker import Broker
    from cloud_sync.commands import Verb

    Parsers = argparse._SubParsersAction[Arguments]  # noqa: SLF001 -- argparse has no public name for it

_MINUTE_S: Final = 60.0


def add_sending(commands: Parsers, config: Path) -> None:
    """The commands of whoever sends; `config` is where the broker is named by default."""
    keys = commands.add_parser("keys", help="keys that sign commands and model packages")
    verbs = keys.add_subparsers(required=True, metavar="VERB")
    for name, command, told in (
        ("new", _new_key, "make a key; shows the public half, which homes are to trust"),
        ("show", _show_key, "the public half of a key"),
    ):
        verb = verbs.add_parser(name, help=told)
        verb.add_argument("file", type=Path, metavar="FILE", help="where the secret half is")
        verb.set_defaults(command=command)
    package = commands.add_parser("package", help="sign a model: manifest.json, model.tflite and card.md of a folder")
    package.add_argument("folder", type=Path, metavar="FOLDER", help="the model, such as models/fall")
    package.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the package is written")
    _add_key(package)
    package.set_defaults(command=_package)
    publish = commands.add_parser("publish", help="lay a package's parts at the broker, for every home to fetch")
    publish.add_argument("package", type=Path, metavar="FILE", help="a package")
    publish.add_argument("--remove", action="store_true", help="take them away again")
    _add_config(publish, config)
    publish.set_defaults(command=_publish)
    order = commands.add_parser("command", help="sign a command for a home, and send it")
    order.add_argument("home", metavar="HOME", help="the home's id")
    _add_key(order)
    _add_config(order, config)
    order.add_argument("--valid", type=float, default=60.0, metavar="MINUTES", help="how long it counts (60)")
    order.add_argument("--out", type=Path, metavar="FILE", help="write it there, and send nothing")
    _add_verbs(order.add_subparsers(required=True, metavar="VERB", dest="verb"))


def _add_verbs(verbs: Parsers) -> None:
    acknowledge = verbs.add_parser("acknowledge", help="take an alert up")
    fine = verbs.add_parser("fine", help="say that all is well, when a home has asked after a fall")
    need = verbs.add_parser("help", help="say that help is needed, when a home has asked after a fall")
    snooze = verbs.add_parser("snooze", help="put an alert off")
    for verb in (acknowledge, fine, need, snooze):
        verb.add_argument("alert", metavar="ALERT", help="its id, or the beginning of it")
    snooze.add_argument("--minutes", type=float, default=60.0, metavar="N", help="for how long (60)")
    settings = verbs.add_parser("settings", help="change fields that may be changed from afar")
    settings.add_argument("fields", nargs="+", metavar="FIELD=VALUE", help="such as people.anna.faults.not_worn_h=6")
    model = verbs.add_parser("model", help="have a model package tried, or taken back")
    model.add_argument("--package", type=Path, metavar="FILE", help="the package")
    model.add_argument("--url", metavar="URL", help="where its content can be downloaded; default: the broker")
    model.add_argument("--back", metavar="RISK", help="let this risk's earlier model count again")
    data = verbs.add_parser("data", help="have minutes of a person told again")
    data.add_argument("person", metavar="PERSON", help="the person's name in topics")
    data.add_argument("--since", required=True, type=float, metavar="S", help="from when, seconds since 1970 UTC")
    data.add_argument("--until", type=float, metavar="S", help="until when; default: now")
    for verb, arguments in (
        (acknowledge, _of_answer),
        (fine, _of_answer),
        (need, _of_answer),
        (snooze, _of_snooze),
        (settings, _of_settings),
        (model, _of_model),
        (data, _of_data),
    ):
        verb.set_defaults(command=_send, arguments=arguments)


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", required=True, type=Path, metavar="FILE", help="the secret key that signs")
    parser.add_argument("--as", required=True, dest="name", metavar="NAME", help="the name by which homes know the key")


def _add_config(parser: argparse.ArgumentParser, config: Path) -> None:
    told = f"a TOML file whose [broker] says where to send ({config})"
    parser.add_argument("--config", type=Path, default=config, metavar="FILE", help=told)


def _new_key(given: argparse.Namespace) -> int:
    from nacl.signing import SigningKey

    from cloud_sync.signing import write_public_key, write_secret_key

    key = SigningKey.generate()
    try:
        handle = os.open(given.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise WrongUseError(
            error.strerror or str(error), where=str(given.file), mend="name a file that is not there yet"
        ) from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(write_secret_key(key))
    print(write_public_key(key.verify_key))
    return 0


def _show_key(given: argparse.Namespace) -> int:
    from cloud_sync.signing import read_secret_key, write_public_key

    print(write_public_key(read_secret_key(given.file).verify_key))
    return 0


def _package(given: argparse.Namespace) -> int:
    from cloud_sync.packages import make_package, read_label
    from cloud_sync.signing import read_secret_key
    from edge.readings import Risk

    manifest = given.folder / "manifest.json"
    try:
        fields = json.loads(manifest.read_bytes())
        risk, version = Risk(fields["risk"]), str(fields["version"])
        secret = read_secret_key(given.key)
        package = make_package(given.folder, given.name, secret, risk, version)
        given.out.write_bytes(package.file())
    except (OSError, ValueError, LookupError, TypeError) as error:
        why = getattr(error, "strerror", None) or "not a model's"
        raise WrongUseError(f"cannot be packed: {why}", where=str(manifest), mend="name a model's folder") from error
    print(read_label(package.label, {given.name: secret.verify_key}).sha256)
    return 0


def _publish(given: argparse.Namespace) -> int:
    from cloud_sync.packages import Label, part_of
    from cloud_sync.sending import Words, send

    package, label = _read_package(given.package)
    assert isinstance(label, Label)  # noqa: S101 -- it was read
    parts = [b"" if given.remove else part_of(package.content, label, n) for n in range(len(label.parts))]
    words = [Words(topic, part, retained=True) for topic, part in zip(label.topics(), parts, strict=True)]
    send(_broker(given.config), words)
    print(f"{len(words)} parts {'taken away' if given.remove else 'published'}")
    return 0


def _send(given: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from cloud_sync.commands import command_topic, make_command
    from cloud_sync.sending import Words, send
    from cloud_sync.signing import read_secret_key

    arguments: Callable[[argparse.Namespace], Mapping[str, Any]] = given.arguments
    verb: Verb = given.verb
    valid_s = given.valid * _MINUTE_S
    try:
        secret = read_secret_key(given.key)
        identifier, payload = make_command(given.home, verb, arguments(given), given.name, secret, valid_s=valid_s)
    except ValidationError as error:
        raise WrongUseError(error.errors()[0]["msg"], where=verb, mend="see docs/commands.md") from error
    if given.out is not None:
        given.out.write_bytes(payload)
    else:
        send(_broker(given.config), [Words(command_topic(given.home), payload, expiry_s=max(1, int(valid_s)))])
    print(identifier)
    return 0


def _of_answer(given: argparse.Namespace) -> Mapping[str, Any]:
    return {"alert": given.alert}


def _of_snooze(given: argparse.Namespace) -> Mapping[str, Any]:
    return {"alert": given.alert, "seconds": given.minutes * _MINUTE_S}


def _of_settings(given: argparse.Namespace) -> Mapping[str, Any]:
    fields = {}
    for field in given.fields:
        name, equals, text = field.partition("=")
        if not equals:
            raise WrongUseError("that is no change", where=field, mend="write FIELD=VALUE")
        try:
            fields[name] = json.loads(text)
        except ValueError:
            fields[name] = text
    return {"set": fields}


def _of_model(given: argparse.Namespace) -> Mapping[str, Any]:
    if (given.package is None) == (given.back is None):
        raise WrongUseError("it needs one of both", where="model", mend="give --package or --back")
    if given.back is not None:
        return {"back": given.back}
    label = _read_package(given.package)[0].label.decode("ascii", "replace")
    return {"package": label, **({} if given.url is None else {"url": given.url})}


def _of_data(given: argparse.Namespace) -> Mapping[str, Any]:
    until = time.time() if given.until is None else given.until
    return {"person": given.person, "since": given.since, "until": until}


def _read_package(path: Path) -> tuple[Any, Any]:
    """A package of ours, and its label, whose maker is not asked for."""
    import base64

    from pydantic import ValidationError

    from cloud_sync.packages import Label, read_package, unpacked

    try:
        package = read_package(path.read_bytes())
        label = Label.model_validate_json(base64.b64decode(json.loads(package.label)["signed"]))
        unpacked(package.content, label)
    except OSError as error:
        raise WrongUseError(error.strerror or str(error), where=str(path), mend="name a package") from error
    except (ValueError, LookupError, TypeError, ValidationError, RejectedError) as error:
        raise WrongUseError(
            "that is no package", where=str(path), mend="make one: hearthbeat-collector package"
        ) from error
    return package, label


def _broker(path: Path) -> Broker:
    """The broker that a file names; raises SettingsError."""
    from pydantic import ValidationError

    from cloud_sync.collector.settings import BrokerSection

    try:
        section = BrokerSection.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))["broker"])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, LookupError, ValidationError) as error:
        why = getattr(error, "strerror", None) or "names no [broker] that can be used"
        raise SettingsError(why, where=str(path), mend="see docs/commands.md") from error
    return section.broker()
