"""The models that are installed, found by the names of their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge.errors import ModelError
from edge.notices import Severity
from edge.readings import Risk
from edge.risks.interpreter import Runtime
from edge.risks.manifest import read_manifest
from edge.risks.model import RiskModel

# Beside the package, in a checkout and in an installed wheel alike.
MODELS: Final = Path(__file__).resolve().parents[2] / "models"
CARD_FILE: Final = "card.md"


def model_folders(folder: Path | None = None) -> list[Path]:
    """The folder of every model, by name; ModelError when there is none, or one is not named after a risk."""
    folder = folder or MODELS
    known = {risk.value for risk in Risk}
    found = sorted(path for path in folder.glob("*/") if not path.name.startswith(".")) if folder.is_dir() else []
    if not found:
        raise ModelError("no models", where=str(folder), mend="install Hearthbeat again")
    for path in found:
        if path.name not in known:
            raise ModelError("not the name of a risk", where=str(path), mend=f"use one of {', '.join(sorted(known))}")
    return found


def load_models(folder: Path | None = None, *, runtime: Runtime | None = None) -> dict[Risk, RiskModel]:
    """Open every model of the folder; ModelError when there is none, or one cannot be used."""
    return {Risk(path.name): RiskModel.load(path, runtime=runtime) for path in model_folders(folder)}


def is_critical(folder: Path) -> bool:
    """Whether a model, which may be damaged, watches for a risk whose alerts are critical; False where nobody knows."""
    try:
        return read_manifest(folder).policy.severity is Severity.CRITICAL
    except ModelError:
        return False


def card_of(risk: str, folder: Path | None = None) -> Path:
    """The model card of a risk; ModelError when there is none of that name."""
    folders = model_folders(folder)
    for path in folders:
        if path.name == risk and (path / CARD_FILE).is_file():
            return path / CARD_FILE
    known = ", ".join(path.name for path in folders)
    raise ModelError(f"no model card of {risk!r}", where=str(folder or MODELS), mend=f"use one of {known}")
