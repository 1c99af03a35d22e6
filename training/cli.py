"""hearthbeat-train: rebuilds the models from public recordings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.arguments import Arguments
from edge.errors import HearthbeatError, WrongUseError
from edge.readings import Risk
from edge.risks.catalogue import MODELS
from training.work import DEFAULT_WORK, WorkFolder

Command = Callable[[argparse.Namespace, WorkFolder], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 a fault of the run, 2 wrong use or bad input."""
    try:
        options = _parser().parse_args(arguments)
        work = WorkFolder(options.work / options.risk)
        if not options.data.is_dir():
            raise WrongUseError("no such folder", where=f"--data {options.data}", mend="name the folder of the corpora")
        result = COMMANDS[options.command](options, work)
    except HearthbeatError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(result))
    else:
        _show(result)
    return 0


# TensorFlow takes seconds to import, and in one process with it tflite-runtime cannot read a model: only the commands
# that need it import it.
def _fit(options: argparse.Namespace, work: WorkFolder) -> object:
    from training.fit import FitSettings, fit

    settings = FitSettings(seed=options.seed, epochs=options.epochs, examples_per_epoch=options.examples)
    return {"losses": fit(options.data, work, settings).losses}


def _quantise(_: argparse.Namespace, work: WorkFolder) -> object:
    from training.quantise import quantise

    return quantise(work)


def _evaluate(options: argparse.Namespace, work: WorkFolder) -> object:
    from training.evaluate import evaluate

    manifest = evaluate(options.data, work, options.models)
    return {"policy": manifest.policy.model_dump(), "metrics": manifest.metrics, "alerts": manifest.alerts}


def _card(options: argparse.Namespace, work: WorkFolder) -> object:
    from training.card import write_card

    return {"card": str(write_card(work, options.models / options.risk))}


COMMANDS: dict[str, Command] = {"fit": _fit, "quantise": _quantise, "evaluate": _evaluate, "card": _card}


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="hearthbeat-train", description="Rebuild a model from public recordings.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("fit", "fit the float network on the training people"),
        ("quantise", "convert the fitted network to float and full-int8 TFLite"),
        ("evaluate", "measure both on held-out people, choose the alert policy, write the model's folder"),
        ("card", "write the model's card and its figures"),
    ):
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("risk", choices=[risk.value for risk in Risk], help="the risk whose model is made")
        command.add_argument("--data", type=Path, required=True, help="folder with ltafdb, nsr2db and mitdb")
        command.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for what is kept between commands")
        command.add_argument("--models", type=Path, default=MODELS, help="folder that the model's folder is put into")
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        if name == "fit":
            command.add_argument("--seed", type=int, default=2024, help="seed of every random choice")
            command.add_argument("--epochs", type=int, default=20, help="rounds of learning")
            command.add_argument("--examples", type=int, default=100_000, help="windows drawn in each round")
    return parser


def _show(result: object, indent: str = "") -> None:
    """Print nested figures, one a line."""
    if not isinstance(result, dict):
        print(f"{indent}{result}")
        return
    for name, value in result.items():
        if isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            print(f"{indent}{name}")
            _show(value, indent + "  ")
        elif isinstance(value, dict):
            print(f"{indent}{name}: " + ", ".join(f"{key} {figure}" for key, figure in value.items()))
        else:
            print(f"{indent}{name}: {value}")


if __name__ == "__main__":
    sys.exit(main())
