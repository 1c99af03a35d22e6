"""The command line, `hearthbeat run|demo|assess|status|devices|models|alerts|notify|people|...`.

Exit codes: 0 done, 1 the run found a fault, 2 wrong use or bad input, with one line on stderr that says what, where and
how to mend it. Every command imports only what it needs: `run` must have its first sample within two seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.arguments import Arguments
from edge.commands.afar import add_audit, add_updates
from edge.commands.alerts import add_alerts
from edge.commands.data import add_data
from edge.commands.devices import add_devices
from edge.commands.doctor import add_doctor
from edge.commands.keys import add_keys
from edge.commands.notify import add_notify
from edge.commands.options import add_config, add_json, positive
from edge.commands.outbox import add_outbox
from edge.commands.people import add_people
from edge.commands.web import add_web
from edge.errors import HearthbeatError, WrongUseError
from edge.settings.home import load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands

# A virtual strap sends a packet a second, and the virtual radio carries some thousands. Our choice, with room to spare.
MOST_SPEED: Final = 1000.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        given = _parser().parse_args(arguments)
        return int(given.command(given))
    except HearthbeatError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="hearthbeat", description="A health companion that lives at home. Not a medical device.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_demo(commands)
    _add_assess(commands)
    _add_status(commands)
    add_devices(commands)
    _add_models(commands)
    add_alerts(commands)
    add_audit(commands)
    add_notify(commands)
    add_people(commands)
    add_data(commands)
    add_outbox(commands)
    add_keys(commands)
    add_doctor(commands)
    add_web(commands)
    return parser


def _add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="the daemon")
    add_config(run)
    run.set_defaults(command=_run)


def _add_demo(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="a virtual strap, the daemon, a phone and a broker, on this machine")
    demo.add_argument("--record", type=Path, metavar="PATH", help="a WFDB record with beats, without its ending")
    demo.add_argument("--speed", type=_speed, default=60.0, metavar="N", help="how many times as fast as life (60)")
    demo.add_argument("--minutes", type=positive, metavar="N", help="play only the first N minutes")
    demo.add_argument("--until-alert", action="store_true", help="end at the first alert")
    demo.set_defaults(command=_demo)


def _add_assess(commands: Commands) -> None:
    assess = commands.add_parser("assess", help="a recording through the production path")
    assess.add_argument(
        "--kind", required=True, choices=["rr_intervals", "accelerometer", "glucose", "spo2"], help="what it holds"
    )
    assess.add_argument("--input", required=True, type=Path, metavar="FILE", help="CSV with a header")
    assess.add_argument("--out", type=Path, metavar="FILE", help="JSON lines (standard output)")
    assess.set_defaults(command=_assess)


def _add_status(commands: Commands) -> None:
    status = commands.add_parser("status", help="how every person, wearable and queue is doing")
    add_config(status)
    add_json(status)
    status.set_defaults(command=_status)


def _add_models(commands: Commands) -> None:
    models = commands.add_parser("models", help="the risk models")
    verbs = models.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="every model that came with Hearthbeat, checked against its manifest")
    add_json(listing)
    listing.set_defaults(command=_models_list)
    add_updates(verbs)
    show = verbs.add_parser("show", help="a model's card")
    show.add_argument("risk")
    add_json(show)
    show.set_defaults(command=_models_show)


def _speed(text: str) -> float:
    value = positive(text)
    if value > MOST_SPEED:
        message = f"at most {MOST_SPEED:g} times as fast as life"
        raise argparse.ArgumentTypeError(message)
    return value


def _run(given: argparse.Namespace) -> int:
    from edge.logs import set_up_logs
    from edge.running.service import run_daemon

    settings = load_settings(given.config)
    set_up_logs(settings.log)
    run_daemon(settings, given.config)
    return 0


def _demo(given: argparse.Namespace) -> int:
    try:
        from edge.demo import Demo, play
    except ImportError as error:
        raise WrongUseError(
            f"{error.name} is not installed", where="hearthbeat demo", mend="pip install 'hearthbeat[demo]'"
        ) from error
    minutes = None if given.minutes is None else float(given.minutes)
    return play(Demo(given.record, speed=given.speed, minutes=minutes, until_alert=given.until_alert))


def _assess(given: argparse.Namespace) -> int:
    from edge.assess import assess_recording

    assess_recording(given.kind, given.input, given.out)
    return 0


def _status(given: argparse.Namespace) -> int:
    from rich.console import Console

    from edge.commands import status_view
    from edge.running import status

    settings = load_settings(given.config)
    answer = status.ask(settings.home.state_directory) or status.stored(settings)
    if given.json:
        print(json.dumps(answer))
    else:
        status_view.show(answer, Console())
    return 0 if answer["daemon"] == "running" and not answer["faults"] else 1


def _models_list(given: argparse.Namespace) -> int:
    from edge.risks.catalogue import load_models

    listed = [
        {
            "risk": risk.value,
            "version": model.version,
            "sha256": model.manifest.sha256,
            "input": model.manifest.input.model_dump(),
            "policy": model.policy.model_dump(),
            "metrics": model.manifest.metrics,
        }
        for risk, model in load_models().items()
    ]
    if given.json:
        print(json.dumps(listed))
    else:
        for model in listed:
            print(f"{model['risk']} {model['version']} (sha256 {str(model['sha256'])[:12]}…) is whole and opens")
    return 0


def _models_show(given: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markdown import Markdown

    from edge.risks.catalogue import card_of
    from edge.risks.manifest import read_manifest

    card = card_of(given.risk)
    if given.json:
        print(read_manifest(card.parent).model_dump_json())
    else:
        Console().print(Markdown(card.read_text(encoding="utf-8")))
    return 0
