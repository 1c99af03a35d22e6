"""The models of a home: those that came with Hearthbeat, and those that came from afar and have proved themselves."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from edge.afar.model_trial import CrashMark, Figures, Trial
from edge.errors import ModelError
from edge.readings import Risk
from edge.risks.catalogue import MODELS, is_critical, model_folders
from edge.risks.model import RiskModel
from edge.store.model_updates import COUNTING, Update, UpdateState

# Deaths of the daemon while a model ran, after which it is not run any more. Our choice: one may be a power cut.
MOST_CRASHES: Final = 2
# How long a test load may take, s. Our choice: a model of ours takes one.
TRY_S: Final = 120.0

_log = structlog.get_logger("models")


@dataclass(slots=True)
class Arrangement:
    """How one risk is watched: the model that counts, and what is tried beside it or has replaced what came with us.

    `over` are packages that are at their end, each with the reason; `trouble` says why nothing watches.
    """

    model: RiskModel | None = None
    trial: Trial | None = None
    over: list[Update] = field(default_factory=list)
    trouble: str | None = None


class InstalledModels:
    """Models on disk: `shipped` is the folder that came with Hearthbeat and only read, `folder` is the daemon's own."""

    def __init__(self, shipped: Path | None, folder: Path) -> None:
        self.shipped_folder = shipped or MODELS
        self._folder = folder
        self._mark: CrashMark | None = None
        self._loaded: dict[str, RiskModel] = {}

    def shipped(self, risk: str) -> RiskModel:
        """The model that came with Hearthbeat; raises ModelError."""
        return self._cached(risk, self.shipped_folder / risk)

    def folder_of(self, package: str, risk: str) -> Path:
        """Where a package's model lies."""
        return self._folder / "packages" / package / risk

    def keep(self, package: str, risk: str, files: Mapping[str, bytes]) -> None:
        """Write a package's files, all or nothing; raises OSError."""
        whole = self.folder_of(package, risk).parent
        if whole.is_dir():
            return
        whole.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".", dir=whole.parent))
        try:
            (partial / risk).mkdir()
            for name, content in files.items():
                with (partial / risk / name).open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            partial.rename(whole)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def tidy(self, wanted: Iterable[str]) -> None:
        """Take away the files of packages that are not wanted any more."""
        kept = set(wanted)
        for path in (self._folder / "packages").glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
        for name in self._loaded.keys() - kept - {risk.value for risk in Risk}:
            del self._loaded[name]

    def arrange(self, risk: str, updates: Sequence[Update]) -> Arrangement:
        """How a risk is to be watched, with `updates` as they stand."""
        arranged = Arrangement()
        base: tuple[Update | None, RiskModel] | None = None
        for update in self._in_state(updates, risk, {UpdateState.ACTIVE}):
            model = self._take(update, arranged)
            base = (update, model) if model is not None else base
        if base is None:
            try:
                base = (None, self.shipped(risk))
            except ModelError as error:
                arranged.trouble = str(error)
        for update in self._in_state(updates, risk, {UpdateState.SHADOW, UpdateState.PROBATION}):
            model = self._take(update, arranged)
            if model is not None:
                self._try(arranged, update, None if base is None else base[1], model)
        if arranged.trial is None and base is not None:
            arranged.model = base[1]
            if base[0] is not None:
                self._try(arranged, base[0], None, base[1])
        return arranged

    def _try(self, arranged: Arrangement, update: Update, old: RiskModel | None, new: RiskModel) -> None:
        figures = Figures.read(update.figures)
        leads = update.state in COUNTING
        arranged.trial = Trial(update.package, old, new, self.marking(), figures, leads=leads)
        arranged.model = arranged.trial.leader
        arranged.trouble = None

    def _take(self, update: Update, arranged: Arrangement) -> RiskModel | None:
        """The model of a package, None where it is over with it."""
        if update.crashes >= MOST_CRASHES:
            arranged.over.append(ended(update, f"the daemon died {update.crashes} times while it ran"))
            return None
        try:
            with self.marking().running(update.package):
                return self._cached(update.package, self.folder_of(update.package, update.risk))
        except ModelError as error:
            arranged.over.append(ended(update, error.what))
            return None

    def _cached(self, name: str, folder: Path) -> RiskModel:
        if name not in self._loaded:
            self._loaded[name] = RiskModel.load(folder)
        return self._loaded[name]

    def marking(self) -> CrashMark:
        """Where it is noted which package's model runs."""
        if self._mark is None:
            try:
                self._mark = CrashMark(self._folder / "running")
            except OSError as error:
                _log.warning("nothing can be noted of a model that kills", error=error.strerror)
                self._mark = CrashMark(None)
        return self._mark

    @staticmethod
    def _in_state(updates: Sequence[Update], risk: str, states: set[UpdateState]) -> list[Update]:
        return [update for update in updates if update.risk == risk and update.state in states]


def ended(update: Update, reason: str) -> Update:
    """A package that is at its end: rolled back where its model has counted, else refused."""
    state = UpdateState.ROLLED_BACK if update.state in COUNTING else UpdateState.REFUSED
    return replace(update, state=state, reason=reason)


async def try_apart(folder: Path) -> str | None:
    """Load and run a model in a process of its own; why it must not be used, None where it may."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge.risks.trying",
        str(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ},
    )
    try:
        async with asyncio.timeout(TRY_S):
            _, words = await process.communicate()
    except TimeoutError:
        return "it takes too long to load"
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode == 0:
        return None
    if process.returncode is not None and process.returncode < 0:
        return f"a process that loaded it died ({signal.Signals(-process.returncode).name})"
    lines = words.decode(errors="replace").strip().splitlines() or ["it cannot be loaded"]
    return lines[-1][:200]


@dataclass(slots=True)
class Loaded:
    """What a daemon begins with: the models that count, their trials, by risk what is wrong, and what is critical."""

    models: list[RiskModel] = field(default_factory=list)
    trials: dict[Risk, Trial] = field(default_factory=dict)
    troubles: dict[str, str | None] = field(default_factory=dict)
    critical: set[str] = field(default_factory=set)
    over: list[Update] = field(default_factory=list)


def load_installed(installed: InstalledModels, updates: Sequence[Update]) -> Loaded:
    """The models that can be trusted; a damaged one is a fault, not an end."""
    loaded = Loaded()
    try:
        folders = model_folders(installed.shipped_folder)
    except ModelError as error:
        loaded.troubles["every risk"] = str(error)
        _log.error("a risk is not watched", error=str(error))
        return loaded
    for folder in folders:
        arranged = installed.arrange(folder.name, updates)
        loaded.over += arranged.over
        loaded.troubles[folder.name] = arranged.trouble
        if arranged.model is not None:
            loaded.models.append(arranged.model)
        if arranged.trial is not None:
            loaded.trials[Risk(folder.name)] = arranged.trial
        if arranged.trouble is not None:
            _log.error("a risk is not watched", error=arranged.trouble)
            if is_critical(folder):
                loaded.critical.add(folder.name)
    return loaded
