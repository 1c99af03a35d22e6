"""The command line: `hearthbeat-collector run|migrate|simulate|keys|package|publish|command`.

Exit codes are as for `hearthbeat`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from cloud_sync.collector.settings import DEFAULT_SETTINGS_FILE, LogSection, load_settings
from cloud_sync.sending_commands import add_sending
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
    _add_simulate(commands.add_parser("simulate", help="thousands of homes against a broker of your own"))
    add_sending(commands, DEFAULT_SETTINGS_FILE)
    return parser


def _add_simulate(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument("--broker", required=True, metavar="HOST:PORT", help="the broker, without TLS; your own")
    simulate.add_argument("--homes", type=_count, default=100, metavar="N", help="how many homes (100)")
    simulate.add_argument("--minutes", type=_positive, default=60.0, metavar="N", help="minutes of their life (60)")
    simulate.add_argument("--speed", type=_positive, default=60.0, metavar="N", help="how much faster than life (60)")
    simulate.add_argument(
        "--outage",
        type=_at_least_zero,
        default=15.0,
        metavar="N",
        help="minutes of life without network, at half time (15)",
    )
    simulate.add_argument(
        "--jitter", action="store_true", help="come back as the daemon would, and not all in one moment"
    )
    simulate.add_argument(
        "--no-receipts", action="store_true", help="believe PUBACKs; no receipt of the collector is waited for"
    )
    simulate.add_argument(
        "--database", metavar="CONNINFO", help="the collector's database, to look for what is lost or there twice"
    )
    simulate.add_argument(
        "--patience", type=_positive, default=120.0, metavar="S", help="how long to wait at most (120)"
    )
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="another one gives other homes (0)")
    simulate.add_argument("--json", action="store_true", help="for machines")
    simulate.set_defaults(command=_simulate)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        message = f"{text!r} is no number of homes"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _at_least_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        message = f"{text!r} is no number"
        raise argparse.ArgumentTypeError(message) from error
    if not 0.0 <= value < math.inf:
        message = f"{text} is below zero, or without end"
        raise argparse.ArgumentTypeError(message)
    return value


def _positive(text: str) -> float:
    value = _at_least_zero(text)
    if value == 0.0:
        message = "it must be above zero"
        raise argparse.ArgumentTypeError(message)
    return value


def _simulate(given: argparse.Namespace) -> int:
    from rich.console import Console

    from cloud_sync.fleet import simulating
    from cloud_sync.fleet.fleet import Plan

    plan = Plan(
        homes=given.homes,
        minutes=given.minutes,
        speed=given.speed,
        outage_minutes=given.outage,
        jitter=given.jitter,
        receipts=not given.no_receipts,
        seed=given.seed,
        prefix=simulating.new_prefix(),
    )
    address = simulating.address_of(given.broker)
    found = simulating.simulate(plan, address, given.database, given.patience, Console(stderr=True))
    if given.json:
        print(simulating.as_json(found))
    else:
        simulating.show(found, Console())
    return 0 if found.whole else 1


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
