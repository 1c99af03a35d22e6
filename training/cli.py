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
from training.recipes import recipe_of
from training.work import DEFAULT_WORK, WorkFolder

Command = Callable[[argparse.Namespace], object]
ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 a fault of the run, 2 wrong use or bad input."""
    try:
        options = _parser().parse_args(arguments)
        if options.command != "prepare" and not options.data.is_dir():
            raise WrongUseError("no such folder", where=f"--data {options.data}", mend="name the folder of the corpora")
        result = COMMANDS[options.command](options)
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
def _prepare(options: argparse.Namespace) -> object:
    from training.prepare import prepare

    risks = [risk.value for risk in Risk] if options.risk == ALL else [options.risk]
    return prepare([recipe_of(risk) for risk in risks], options.data, download=options.download)


def _search(options: argparse.Namespace) -> object:
    from training.search import search

    found = search(recipe_of(options.risk), options.data, _work(options), trials=options.trials, seed=options.seed)
    return {f"trial {one.number}": one.model_dump(mode="json") for one in found.trials}


def _fit(options: argparse.Namespace) -> object:
    from training.fit import Wanted, fit

    wanted = Wanted(
        seed=options.seed,
        folds=options.folds,
        only=None if options.only_fold is None else f"fold-{options.only_fold}",
        epochs=options.epochs,
        examples=options.examples,
    )
    records = fit(recipe_of(options.risk), options.data, _work(options), wanted)
    return {
        name: {"loss": record.losses[-1], "auroc": record.auroc, "seconds": record.seconds}
        for name, record in records.items()
    }


def _quantise(options: argparse.Namespace) -> object:
    _work(options).read_plan()  # without one nobody waits for TensorFlow
    from training.quantise import quantise

    return quantise(_work(options))


def _evaluate(options: argparse.Namespace) -> object:
    from training.deliver import slim
    from training.evaluate import evaluate

    evaluation = evaluate(
        recipe_of(options.risk), options.data, _work(options), options.models, maximum_windows=options.windows
    )
    return {
        "version": evaluation.version,
        "policy": evaluation.policy.model_dump(mode="json"),
        "windows": slim(evaluation),
        "peers": {one.name: one.auroc.value for one in evaluation.peers.rows},
        "alerts": {name: one.alerts | one.other for name, one in evaluation.sets.items() if one.alerts or one.other},
    }


def _card(options: argparse.Namespace) -> object:
    from training.card import write_card

    return {"card": str(write_card(recipe_of(options.risk), _work(options), options.models / options.risk))}


COMMANDS: dict[str, Command] = {
    "prepare": _prepare,
    "search": _search,
    "fit": _fit,
    "quantise": _quantise,
    "evaluate": _evaluate,
    "card": _card,
}


def _work(options: argparse.Namespace) -> WorkFolder:
    return WorkFolder(options.work / options.risk)


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="hearthbeat-train", description="Rebuild a model from public recordings.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("prepare", "check the recordings against what their publishers describe, and convert what needs it"),
        ("search", "try sizes of the network on two folds, and keep their table"),
        ("fit", "fit a network for each fold of people, and one on all; goes on where it was stopped"),
        ("quantise", "convert the fitted networks to float and full-int8 TFLite"),
        ("evaluate", "measure them on people they never saw, choose the alert policy, write the model's folder"),
        ("card", "write the model's card and its figures"),
    ):
        command = commands.add_parser(name, help=help_text, description=help_text)
        risks = [risk.value for risk in Risk]
        command.add_argument(
            "risk", choices=[*risks, ALL] if name == "prepare" else risks, help="the risk whose model is made"
        )
        command.add_argument("--data", type=Path, required=True, help="folder of the corpora")
        command.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for what is kept between commands")
        command.add_argument("--models", type=Path, default=MODELS, help="folder that the model's folder is put into")
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        if name in {"fit", "search"}:
            command.add_argument("--seed", type=int, default=2024, help="seed of every random choice")
        _own_options(name, command)
    return parser


def _own_options(name: str, command: argparse.ArgumentParser) -> None:
    """The options that one command has and the others have not."""
    if name == "prepare":
        command.add_argument("--download", action="store_true", help="fetch PhysioNet's sets where they are missing")
    elif name == "search":
        command.add_argument("--trials", type=_count, default=20, help="networks that are tried")
    elif name == "fit":
        command.add_argument("--folds", type=int, default=5, choices=range(11), help="0 fits the final network alone")
        command.add_argument("--only-fold", type=_count, help="fit this fold alone, for a quick look")
        command.add_argument("--epochs", type=_count, help="rounds of learning, instead of the recipe's")
        command.add_argument("--examples", type=_count, help="examples drawn in each round, instead of the recipe's")
    elif name == "evaluate":
        command.add_argument("--windows", type=_count, help="at most so many windows of a recording, for a quick look")


def _count(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


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
