"""`hearthbeat web`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import WrongUseError
from edge.settings import DEFAULT_WEB_SOCKET, LogSettings

if TYPE_CHECKING:
    from edge.options import Commands


def add_web(commands: Commands) -> None:
    """The command."""
    web = commands.add_parser("web", help="the pages behind the buttons of a notification, in a process of its own")
    told = f"where the daemon answers it: `socket` of [web] in its settings ({DEFAULT_WEB_SOCKET})"
    web.add_argument("--socket", type=Path, default=DEFAULT_WEB_SOCKET, metavar="PATH", help=told)
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
    asyncio.run(serve(given.socket))
    return 0
