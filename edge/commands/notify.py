"""`hearthbeat notify`: whether the phones can be told, and what the daily word says."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from edge.commands.daily import add_daily
from edge.commands.options import add_config, add_json
from edge.settings.home import Settings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands


def add_notify(commands: Commands) -> None:
    """The command and its verb."""
    notify = commands.add_parser("notify", help="whether the phones can be told")
    verbs = notify.add_subparsers(required=True, metavar="VERB")
    test = verbs.add_parser("test", help="send everybody a test message, over each channel, and say what happened")
    add_config(test)
    add_json(test)
    test.set_defaults(command=_test)
    add_daily(verbs)


def _test(given: argparse.Namespace) -> int:
    outcomes = asyncio.run(_outcomes(load_settings(given.config), is_told=not given.json))
    if given.json:
        print(json.dumps(outcomes))
    return 0 if all(outcome["accepted"] for outcome in outcomes) else 1


async def _outcomes(settings: Settings, *, is_told: bool) -> list[Mapping[str, Any]]:
    """What came of each attempt; each is printed when it is known, where `is_told`."""
    outcomes = []
    async with aclosing(_tried_out(settings)) as trying:
        async for outcome in trying:
            outcomes.append(outcome)
            if is_told:
                print(_line(outcome), flush=True)
    return outcomes


async def _tried_out(settings: Settings) -> AsyncGenerator[Mapping[str, Any], None]:
    """By the daemon, which has the secrets and shows that it can; by this process where none runs."""
    from edge.running import control

    try:
        async with aclosing(control.ask(settings.home.state_directory, {"do": "notify test"})) as answers:
            async for outcome in answers:
                yield outcome
    except control.NoDaemonError:
        async with aclosing(_without_daemon(settings)) as trying:
            async for outcome in trying:
                yield outcome


async def _without_daemon(settings: Settings) -> AsyncGenerator[Mapping[str, Any], None]:
    from edge.clock import SystemClock
    from edge.errors import SettingsError
    from edge.notify.phone import SendingProcess
    from edge.notify.trial import tried_out
    from edge.settings.contacts import contact_of

    contacts = []
    for contact in settings.contacts:
        try:
            contacts.append(contact_of(contact))
        except SettingsError as error:
            yield {
                "contact": contact.id,
                "channel": None,
                "accepted": False,
                "reason": str(error),
                "seconds": 0.0,
            }
    async with SendingProcess() as phones, aclosing(tried_out(contacts, phones.send, SystemClock().wall())) as trying:
        async for outcome in trying:
            yield outcome


def _line(outcome: Mapping[str, Any]) -> str:
    whom = outcome["contact"] if outcome["channel"] is None else f"{outcome['contact']}, {outcome['channel']}"
    if outcome["accepted"]:
        return f"{whom}: taken after {outcome['seconds']:.1f} s; look whether the phone shows it"
    return f"{whom}: not taken: {outcome['reason']}"
