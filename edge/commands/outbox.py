"""`hearthbeat outbox`: what waits for the broker, what it refused for good, and sending that again."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.commands.options import add_config, add_json
from edge.errors import WrongUseError
from edge.settings.home import load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands
    from edge.store.outbox import Outbox, RefusedMessage


def add_outbox(commands: Commands) -> None:
    """The command and its verbs."""
    outbox = commands.add_parser("outbox", help="messages for the broker: those that wait, and those that it refused")
    verbs = outbox.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="how many wait, and every message that was refused for good")
    listing.set_defaults(command=_list)
    retry = verbs.add_parser("retry", help="send what was refused once more, after the reason is mended")
    retry.add_argument("message", nargs="?", metavar="ID", help="one of them (all), or the beginning of its id")
    retry.set_defaults(command=_retry)
    for verb in (listing, retry):
        add_config(verb)
        add_json(verb)


def _list(given: argparse.Namespace) -> int:
    from edge.running.status import store_path
    from edge.store.store import Store

    path = store_path(load_settings(given.config))
    if path is None:
        print(json.dumps({"waiting": 0, "refused": [], "lost": []}) if given.json else "Nothing is stored yet.")
        return 0
    with Store(path) as store:
        told = _told(store.outbox)
    if given.json:
        print(json.dumps(told))
        return 0
    print(f"{told['waiting']} wait for the broker, {len(told['refused'])} were refused for good.")
    for one in told["refused"]:
        print(f"{_local(one['created'])}  {one['id'][:8]}  {one['topic']}  {one['bytes']} bytes: {one['reason']}")
    for one in told["lost"]:
        print(f"{one['messages']} of kind {one['priority']} were deleted unsent: {one['reason']}.")
    return 0


def _retry(given: argparse.Namespace) -> int:
    from edge.running.status import store_path
    from edge.store.store import Store

    settings = load_settings(given.config)
    path = store_path(settings)
    if path is None:
        raise WrongUseError(
            "nothing is stored yet", where=str(settings.home.state_directory), mend="start the daemon first"
        )
    with Store(path) as store:
        refused = store.outbox.parked()
        if given.message is not None:
            refused = [_one(refused, given.message)]
        store.outbox.send_again([one.message.id for one in refused])
    if given.json:
        print(json.dumps([one.message.id for one in refused]))
    else:
        print(f"{len(refused)} will be sent again.")
    return 0


def _one(refused: list[RefusedMessage], beginning: str) -> RefusedMessage:
    found = [one for one in refused if one.message.id.startswith(beginning)]
    if len(found) != 1:
        what = "more than one message begins" if found else "no refused message begins"
        raise WrongUseError(f"{what} with {beginning!r}", where="ID", mend="see `hearthbeat outbox list`")
    return found[0]


def _told(outbox: Outbox) -> dict[str, Any]:
    return {
        "waiting": outbox.outbox_depth(),
        "refused": [
            {
                "id": one.message.id,
                "topic": one.message.topic,
                "priority": one.message.priority,
                "created": one.message.created,
                "bytes": len(one.message.payload),
                "reason": one.reason,
            }
            for one in outbox.parked()
        ],
        "lost": [
            {
                "priority": loss.priority,
                "reason": loss.reason,
                "messages": loss.messages,
                "oldest": loss.oldest,
                "newest": loss.newest,
            }
            for loss in outbox.losses()
        ],
    }


def _local(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
