"""`hearthbeat devices`: who advertises, and what is worn by whom."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.commands.options import add_config, add_json, positive
from edge.errors import WrongUseError
from edge.settings.home import DEFAULT_SETTINGS_FILE, LogSettings, Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from edge.commands.options import Commands
    from edge.settings.file import SettingsFile

Words = Mapping[str, Any]


def add_devices(commands: Commands) -> None:
    """The command and its verbs."""
    devices = commands.add_parser("devices", help="wearables in range, and whose they are")
    verbs = devices.add_subparsers(required=True, metavar="VERB")
    scan = verbs.add_parser("scan", help="list the wearables that advertise a profile we know")
    scan.add_argument("--seconds", type=positive, default=10.0, metavar="S", help="how long to listen (10)")
    scan.add_argument("--all", action="store_true", help="and every other Bluetooth device")
    add_config(scan)
    add_json(scan)
    scan.set_defaults(command=_scan)
    add = verbs.add_parser("add", help="connect to a wearable, and write whose it is into hearthbeat.toml")
    add.add_argument("address", metavar="ADDRESS", help="as `devices scan` shows it")
    add.add_argument("--person", action="append", default=[], metavar="ID", help="who wears it")
    add.add_argument(
        "--shared", action="store_true", help="a cuff or a scale that several use: each --person, or everybody"
    )
    add.add_argument("--name", help="what the family calls it; default: its own name")
    add_config(add)
    add_json(add)
    add.set_defaults(command=_add)
    forget = verbs.add_parser("forget", help="take a wearable out of hearthbeat.toml, and remove its bond")
    forget.add_argument("address", metavar="ADDRESS")
    add_config(forget)
    add_json(forget)
    forget.set_defaults(command=_forget)
    listing = verbs.add_parser("list", help="the wearables of this home and how they are")
    add_config(listing)
    add_json(listing)
    listing.set_defaults(command=_list)


def _scan(given: argparse.Namespace) -> int:
    from rich.console import Console

    settings = _settings_if_any(given.config)
    console = Console(stderr=given.json)
    owners = {} if settings is None else _owners(settings)
    found = asyncio.run(_hear(settings, given.seconds, console))
    rows = []
    for sighting in sorted(found.values(), key=lambda one: -int(one["rssi"])):
        row = {**sighting, "owner": owners.get(str(sighting["address"]).upper())}
        if given.all or row["profiles"] or row["owner"]:
            rows.append(row)
    if given.json:
        print(json.dumps(rows))
    else:
        _show_scan(rows, console)
    return 0


def _settings_if_any(path: Path) -> Settings | None:
    """The settings; None where there is no file yet at the usual place. Raises SettingsError."""
    return None if path == DEFAULT_SETTINGS_FILE and not path.exists() else load_settings(path)


async def _hear(settings: Settings | None, seconds: float, console: Console) -> dict[str, dict[str, Any]]:
    """What advertises, by address; the console shows how many there are so far."""
    found: dict[str, dict[str, Any]] = {}
    with console.status(f"listening for {seconds:g} s") as status:
        async with aclosing(_answers(settings, {"do": "scan", "seconds": seconds})) as answers:
            async for words in answers:
                sighting = words["sighting"]
                found[sighting["address"]] = sighting
                known = sum(bool(one["profiles"]) for one in found.values())
                status.update(f"listening for {seconds:g} s: {known} wearables, {len(found) - known} others")
    return found


def _show_scan(rows: list[dict[str, Any]], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    if not rows:
        console.print("no wearable advertises: put the strap on, with its electrodes wet; a connected one is silent")
        return
    table = Table(Column("address", no_wrap=True), "name", "signal", "measures", "whose")
    for row in rows:
        measures = ", ".join(name.replace("_", " ") for name in row["profiles"]) or "nothing that we know"
        address = f"{row['address']} (changes)" if row["rotates"] else row["address"]
        table.add_row(address, escape(row["name"] or ""), f"{row['rssi']} dBm", measures, row["owner"] or "")
    console.print(table)


def _owners(settings: Settings) -> dict[str, str]:
    """Whose each known address is."""
    owners = {worn.address: person.id for person in settings.people for worn in person.wearables}
    owners.update((device.address, f"shared by {', '.join(device.people) or 'all'}") for device in settings.shared)
    return owners


def _add(given: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markup import escape

    from edge.settings.file import SettingsFile
    from edge.settings.reloading import save_and_reload

    if not given.shared and len(given.person) != 1:
        raise WrongUseError("a wearable has one wearer", where="devices add", mend="give one --person, or --shared")
    settings, trial = load_settings(given.config), SettingsFile(given.config)
    _write(trial, given, given.address.upper(), given.name or "")
    trial.check()
    console = Console(stderr=given.json)
    met = asyncio.run(_meet(settings, given.address.upper(), console))
    file = SettingsFile(given.config)
    _write(file, given, met["address"], met["name"] if given.name is None else given.name)
    outcome = save_and_reload(file)
    if given.json:
        print(json.dumps({**met, "person": given.person, "shared": given.shared, **outcome.fields()}))
        return outcome.exit_code
    whose = f"shared by {', '.join(given.person) or 'all'}" if given.shared else f"{given.person[0]}'s"
    console.print(f"{met['address']} is {whose} now; {escape(outcome.sentence)}", highlight=False)
    return outcome.exit_code


def _write(file: SettingsFile, given: argparse.Namespace, address: str, name: str) -> None:
    if given.shared:
        file.add_shared(address, name, given.person)
    else:
        file.add_wearable(given.person[0], address, name)


async def _meet(settings: Settings, address: str, console: Console) -> dict[str, Any]:
    """Meet a wearable, showing each step; what is known of it then."""
    from rich.markup import escape

    met: dict[str, Any] = {}
    with console.status(f"meeting {address}"):
        async with aclosing(_answers(settings, {"do": "meet", "address": address})) as answers:
            async for words in answers:
                if "step" in words:
                    console.print(f"{address}: {escape(words['step'])}", highlight=False)
                met = words.get("met", met)
    console.print(f"{met['address']}: {escape(_told(met))}", highlight=False)
    return met


def _told(met: Words) -> str:
    """What a wearable that was met has told, in words."""
    told = [f"measures {', '.join(name.replace('_', ' ') for name in met['profiles'])}"]
    value = met["value"]
    told.append(
        "nothing measured yet"
        if value is None
        else f"{value['channel'].replace('_', ' ')} {value['value']:g} {value['unit']}"
    )
    if met["worn"] is False:
        told.append("not worn")
    if met["battery_percent"] is not None:
        told.append(f"battery {met['battery_percent']:.0f} %")
    return "; ".join(told)


def _forget(given: argparse.Namespace) -> int:
    from edge.settings.file import SettingsFile
    from edge.settings.reloading import save_and_reload

    address = given.address.upper()
    file = SettingsFile(given.config)
    file.remove_device(address)
    outcome = save_and_reload(file)
    bond = asyncio.run(_last(load_settings(given.config), {"do": "forget", "address": address}))
    if given.json:
        print(json.dumps({"address": address, "forgotten_by_bluetooth": bond["forgotten"], **outcome.fields()}))
    else:
        print(f"{address} is nobody's now; {_bond_told(bond)}; {outcome.sentence}")
    return outcome.exit_code


def _bond_told(bond: Words) -> str:
    if bond["forgotten"]:
        return "Bluetooth has forgotten it too"
    return f"whether it had a bond is not known ({bond['why']})" if bond["why"] else "Bluetooth did not know it"


def _list(given: argparse.Namespace) -> int:
    from rich.console import Console

    from edge.running import status

    settings = load_settings(given.config)
    answer = status.ask(settings.home.state_directory) or status.stored(settings)
    owners = _owners(settings)
    told = {one["address"]: one for person in answer["people"] for one in person["wearables"]}
    told.update({one["address"]: one for one in answer.get("shared", [])})
    rows = [
        {"owner": owner, **_worn_fields(settings, address), **told.get(address, {})}
        for address, owner in owners.items()
    ]
    if given.json:
        print(json.dumps(rows))
    else:
        _show_list(rows, Console())
    return 0


def _worn_fields(settings: Settings, address: str) -> dict[str, Any]:
    """What is said of a wearable of which the daemon knows nothing."""
    names = {worn.address: worn.name for person in settings.people for worn in person.wearables}
    names.update((device.address, device.name) for device in settings.shared)
    unknown = dict.fromkeys(("reading_age_s", "worn", "battery_percent"))
    return {"address": address, "name": names[address], "link": "unknown", **unknown, "values": {}}


def _show_list(rows: list[dict[str, Any]], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    if not rows:
        console.print("no wearable is known yet: hearthbeat devices scan, then hearthbeat devices add")
        return
    table = Table("whose", "name", Column("address", no_wrap=True), "link", "last reading", "battery", "values")
    for row in rows:
        age, battery = row["reading_age_s"], row["battery_percent"]
        table.add_row(
            row["owner"],
            escape(row["name"]),
            row["address"],
            row["link"],
            "never" if age is None else f"{age:.0f} s ago",
            "unknown" if battery is None else f"{battery:.0f} %",
            ", ".join(f"{channel.replace('_', ' ')} {value:g}" for channel, value in row["values"].items()),
        )
    console.print(table)


async def _last(settings: Settings, request: Words) -> Words:
    told: Words = {}
    async with aclosing(_answers(settings, request)) as answers:
        async for words in answers:
            told = words
    return told


async def _answers(settings: Settings | None, request: Words) -> AsyncGenerator[Words, None]:
    """What the running daemon says to a request; where none runs, this process's own radio answers."""
    from edge.running import control

    if settings is not None:
        try:
            async with aclosing(control.ask(settings.home.state_directory, request)) as answers:
                async for words in answers:
                    yield words
                return
        except control.NoDaemonError:
            pass
    async with aclosing(_own_answers(settings, request)) as own:
        async for words in own:
            yield words


async def _own_answers(settings: Settings | None, request: Words) -> AsyncGenerator[Words, None]:
    import logging
    import random

    from edge.bluetooth.radio import Radio
    from edge.bluetooth.scanner import Scanner
    from edge.clock import SystemClock
    from edge.household.devices import Devices
    from edge.logs import set_up_logs

    set_up_logs(LogSettings(level="error"))
    logging.getLogger("bleak").setLevel(logging.ERROR)
    clock, chance = SystemClock(), random.Random()  # noqa: S311 -- jitter is no secret
    radio = Radio(adapter=None if settings is None else settings.home.adapter, clock=clock)
    scanner = Scanner(radio, clock, chance)
    scanning = asyncio.ensure_future(scanner.run())
    try:
        async with aclosing(Devices(scanner, radio, clock, chance).answer(request)) as answers:
            async for words in answers:
                yield words
    finally:
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)
