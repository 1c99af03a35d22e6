"""The command line: `hearthbeat-collector run|migrate|simulate`; exit codes as for `hearthbeat`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from cloud_sync.collector.settings import DEFAULT_SETTINGS_FILE, LogSection, load_settings
from edge.arguments import Arguments
from edge.errors import HearthbeatError, WrongUseError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        given = _parser().parse_args(arguments)
        return int(given.command(given))
    except HearthbeatError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except ImportError as error:
        missing = WrongUseError(
            f"{error.name} is not installed", where="hearthbeat-collector", mend="pip install 'hearthbeat[collector]'"
        )
        print(missing, file=sys.stderr)
        return missing.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="hearthbeat-collector", description="From the MQTT broker into PostgreSQL.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    config = f"the settings ({DEFAULT_SETTINGS_FILE})"
    for name, command, told in (
        ("run", _run, "take messages and store them"),
        ("migrate", _migrate, "make and change the tables, as their owner"),
    ):
        verb = commands.add_parser(name, help=told)
        verb.add_argument("--config", type=Path, default=DEFAULT_SETTINGS_FILE, metavar="FILE", help=config)
        verb.set_defaults(command=command)
    return parser


def _run(given: argparse.Namespace) -> int:
    from cloud_sync.collector.service import run_collector

    settings = load_settings(given.config)
    set_up_logs(settings.log)
    run_collector(settings)
    return 0


def _migrate(given: argparse.Namespace) -> int:
    from cloud_sync.collector.database import Database

    settings = load_settings(given.config)

    async def migrate() -> list[str]:
        database = Database(settings.database.conninfo, settings.database.password_file)
        await database.open()
        try:
            return await database.migrate()
        finally:
            await database.close()

    applied = asyncio.run(migrate())
    print("\n".join(applied) or "nothing to do")
    return 0


def set_up_logs(settings: LogSection) -> None:
    """Write structlog's lines in the form and from the level that the settings ask for."""
    as_json = settings.format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=as_json),
            structlog.processors.dict_tracebacks if as_json else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
