"""`hearthbeat web`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import SettingsError, WrongUseError
from edge.settings.home import DEFAULT_WEB_SOCKET, LogSettings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands


def add_web(commands: Commands) -> None:
    """The command."""
    web = commands.add_parser("web", help="the pages behind the buttons of a notification, in a process of its own")
    where = web.add_mutually_exclusive_group()
    told = f"where the daemon answers it ({DEFAULT_WEB_SOCKET})"
    where.add_argument("--socket", type=Path, default=DEFAULT_WEB_SOCKET, metavar="PATH", help=told)
    told = "settings whose [web] says where, for a user who may read them; the service reads none"
    where.add_argument("--config", type=Path, metavar="FILE", help=told)
    web.set_defaults(command=_web)


def _web(given: argparse.Namespace) -> int:
    import asyncio

    from edge.logs import set_up_logs

    try:
        from edge.web.server import serve
    except ImportError as error:
        raise WrongUseError(
            f"{error.name} is not installed", where="hearthbeat web", mend="pip install 'hearthbeat[web]'"
        ) from error
    set_up_logs(LogSettings())
    asyncio.run(serve(given.socket if given.config is None else _socket(given.config)))
    return 0


def _socket(config: Path) -> Path:
    web = load_settings(config).web
    if web is None:
        raise SettingsError("there is no [web]", where=str(config), mend="write it, with its url")
    return web.socket
