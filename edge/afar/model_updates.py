"""Models that come from afar, from the order to the day when they count, or are taken back.

    fetching ──▶ trying ──▶ shadow ──▶ probation ──▶ active
        │           │          │           │            │
        └───────────┴──────────┴─ refused  └─ rolled_back

Where a package stands is one row of the store, and every step is one transaction with what is told of it: a daemon
that dies goes on from the row. `trying` is a process of its own that loads and runs the model; in its `shadow` a model
judges what the old one judges, and nobody hears of it; on `probation` it counts, and the old one judges in its shadow,
ready to count again. What came with Hearthbeat is never written to, and counts again whenever a package does not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import structlog
from nacl.signing import VerifyKey
from pydantic import ValidationError

from cloud_sync.messages import Home
from cloud_sync.packages import (
    Label,
    PartsFolder,
    download,
    model_message,
    read_label,
    unpacked,
    version_of,
)
from edge.afar.installed_models import InstalledModels, Loaded, ended, load_installed, try_apart
from edge.afar.model_trial import MOST_TIMES_LONGER, Figures, Trial, is_enough, worse
from edge.clock import Clock
from edge.errors import ModelError, RejectedError
from edge.phrases import phrase
from edge.readings import Risk
from edge.recorder import Recorder
from edge.risks.manifest import Manifest
from edge.risks.model import RiskModel
from edge.store.model_updates import COUNTING, OVER, UNDER_WAY, Update, UpdateState
from edge.store.store import Store

_DAY_S: Final = 86_400.0
# Our choice: how long a package may take to come, how often what is missing is asked for again, how often figures are
# written down, and how long a failure is told as a fault; all s.
FETCH_S: Final = 7 * _DAY_S
ASK_AGAIN_S: Final = 600.0
WRITE_EVERY_S: Final = 600.0
TOLD_S: Final = _DAY_S

_log = structlog.get_logger("models")


class Watching(Protocol):
    """Where the models are at work (edge.household.household)."""

    async def take_model(self, model: RiskModel, trial: Trial | None) -> None:
        """Let a model of its risk count from now on, and be tried or not."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What updates need to know: who tells of them, who may vouch for models, how long they are tried, s.

    `listen` takes the topics of parts that are wanted.
    """

    teller: Callable[[Store], Home]
    makers: Callable[[], Mapping[str, VerifyKey]]
    shadow_s: Callable[[], float]
    listen: Callable[[frozenset[str]], None]


class ModelUpdates:
    """The packages of one home; `load`, then `begin`, then `look` every half minute or so."""

    def __init__(self, shipped: Path | None, folder: Path, clock: Clock, around: Surroundings) -> None:
        self._clock = clock
        self._around = around
        self._installed = InstalledModels(shipped, folder)
        self.parts = PartsFolder(folder / "parts")
        self._rows: dict[str, Update] = {}
        self._trials: dict[Risk, Trial] = {}
        self._written_at: dict[str, float] = {}
        self._asked_at: dict[str, float] = {}
        self._busy = asyncio.Lock()
        self._stopping = threading.Event()
        self._store: Store | None = None

    def load(self, store: Store) -> Loaded:
        """The models that count now, with their trials; what a dying daemon has left is noted. Raises StoreError."""
        self._store = store
        self._rows = {update.package: update for update in store.model_updates.all()}
        self._note_crash(store)
        loaded = load_installed(self._installed, self._of_use())
        self._put(store, loaded.over)
        self._trials = dict(loaded.trials)
        return loaded

    def begin(self, recorder: Recorder, watching: Watching) -> None:
        """Give it what it works with."""
        self._recorder = recorder
        self._watching = watching

    def updates(self) -> list[Update]:
        """Where every package stands."""
        return list(self._rows.values())

    def fault(self) -> str | None:
        """What went wrong with a package within the last day."""
        now = self._clock.wall()
        for update in self._rows.values():
            if update.state in OVER and update.reason and 0.0 <= now - update.since < TOLD_S:
                return phrase(
                    "A new model for {risk} does not count: {reason}. The one before it watches as ever.",
                    risk=update.risk.replace("_", " "),
                    reason=update.reason,
                )
        return None

    async def order(self, package: bytes, url: str | None) -> str:
        """Begin with a package; what is done, in words. Raises RejectedError, StoreError."""
        label = read_label(package, self._around.makers())
        async with self._busy:
            known = self._rows.get(label.sha256)
            if known is not None and known.state not in OVER:
                return f"it is here, and stands at {known.state}"
            self._check_newer(label)
            now = self._clock.wall()
            replaced = []
            for update in self._of_risk(label.risk, UNDER_WAY):
                if update.state is UpdateState.PROBATION:
                    raise RejectedError("another model is on probation", reason="package")
                replaced.append(replace(update, state=UpdateState.REPLACED, since=now))
            fetching = UpdateState.FETCHING
            new = Update(label.sha256, label.risk, label.version, package, url, fetching, ordered_at=now, since=now)
            await self._become([*replaced, new])
            self._listen()
        return "it will be fetched"

    async def go_back(self, risk: str) -> str:
        """Let the earlier model of a risk count again; what is done, in words. Raises RejectedError, StoreError."""
        async with self._busy:
            rows = self._of_risk(risk, UNDER_WAY | COUNTING)
            if not rows:
                raise RejectedError("that risk has no other model", reason="package")
            now = self._clock.wall()
            newest = [row for row in rows if row.state is not UpdateState.ACTIVE] or rows
            await self._become([replace(ended(row, ""), since=now) for row in newest])
        return f"{newest[0].version} was taken back"

    async def look(self) -> None:
        """Take every package as far as it can go now. Raises StoreError."""
        async with self._busy:
            before: dict[str, UpdateState] = {}
            while before != (now := {row.package: row.state for row in self._rows.values()}):
                before = now
                for update in list(self._rows.values()):
                    await self._step(update)
            self._listen()

    async def _step(self, update: Update) -> None:
        match update.state:
            case UpdateState.FETCHING:
                await self._fetch(update)
            case UpdateState.TRYING:
                await self._try(update)
            case UpdateState.SHADOW | UpdateState.PROBATION | UpdateState.ACTIVE:
                await self._judge(update)
            case _:
                pass

    async def close(self) -> None:
        """Write down what the trials have counted, and begin nothing more. Raises StoreError."""
        self._stopping.set()
        async with self._busy:
            for update in list(self._rows.values()):
                trial = self._trial(update)
                if trial is not None and trial.old is not None:
                    await self._write(update, trial)

    # Each step takes a package from one row to the next; `_become` is the only way to the store.

    async def _fetch(self, update: Update) -> None:
        try:
            label = read_label(update.label, self._around.makers())
            content = await self._content(update, label)
            if content is None:
                return
            files = await asyncio.to_thread(unpacked, content, label)
            self._check(files, label)
            await asyncio.to_thread(self._installed.keep, update.package, update.risk, files)
        except RejectedError as error:
            await self._end(update, error.what)
        except OSError as error:
            _log.warning("a package waits", error=error.strerror)
        else:
            await self._become([replace(update, state=UpdateState.TRYING, since=self._clock.wall())])

    async def _content(self, update: Update, label: Label) -> bytes | None:
        """The whole package, None while it is not here."""
        now = self._clock.wall()
        try:
            if update.url is None:
                if not self.parts.missing(label):
                    return await asyncio.to_thread(self.parts.content, label)
            elif now >= self._asked_at.get(update.package, -1.0) + ASK_AGAIN_S:
                self._asked_at[update.package] = now
                return await asyncio.to_thread(download, update.url, label, stopping=self._stopping.is_set)
        except RejectedError as error:
            _log.warning("a package does not come", package=update.package, error=error.what)
        if now - update.ordered_at > FETCH_S:
            raise RejectedError("it did not come", reason="package")
        return None

    async def _try(self, update: Update) -> None:
        why = await try_apart(self._installed.folder_of(update.package, update.risk))
        if why is not None:
            await self._end(update, why)
        else:
            await self._become([replace(update, state=UpdateState.SHADOW, since=self._clock.wall())])

    async def _judge(self, update: Update) -> None:
        trial = self._trial(update)
        if trial is None:
            return
        why = worse(trial.figures)
        if why is not None:
            await self._end(update, why)
        elif update.state is not UpdateState.ACTIVE:
            elapsed, wanted = self._clock.wall() - update.since, self._around.shadow_s()
            if elapsed >= wanted and is_enough(trial.figures):
                await self._advance(update, trial)
            elif elapsed >= MOST_TIMES_LONGER * wanted:
                if update.state is UpdateState.SHADOW:
                    await self._end(update, "too little was there to compare it on")
                else:
                    await self._advance(update, trial)
            elif self._clock.monotonic() - self._written_at.get(update.package, 0.0) >= WRITE_EVERY_S:
                await self._write(update, trial)

    async def _advance(self, update: Update, trial: Trial) -> None:
        now, figures = self._clock.wall(), {**update.figures, update.state.value: trial.stored()}
        rows: list[Update] = []
        if update.state is UpdateState.SHADOW:
            state = UpdateState.PROBATION
        else:
            state = UpdateState.ACTIVE
            rows = [
                replace(one, state=UpdateState.REPLACED, since=now)
                for one in self._of_risk(update.risk, {UpdateState.ACTIVE})
            ]
        kept = {name: value for name, value in figures.items() if name in {"shadow", "probation"}}
        await self._become([*rows, replace(update, state=state, since=now, figures=kept)])

    async def _end(self, update: Update, why: str) -> None:
        trial = self._trial(update)
        figures = update.figures if trial is None else {**update.figures, **trial.stored()}
        _log.warning("a model does not count", risk=update.risk, version=update.version, why=why)
        await self._become([replace(ended(update, why), since=self._clock.wall(), figures=figures)])

    async def _write(self, update: Update, trial: Trial) -> None:
        self._written_at[update.package] = self._clock.monotonic()
        row = replace(update, figures={**update.figures, **trial.stored()})
        assert self._store is not None  # noqa: S101 -- `load` has set it
        await self._recorder.call(self._store.model_updates.put, [row])
        self._rows[row.package] = row

    async def _become(self, rows: Sequence[Update]) -> None:
        """Store where packages stand now, and watch accordingly."""
        assert self._store is not None  # noqa: S101 -- `load` has set it
        await self._recorder.call(self._put, self._store, rows)
        for risk in {row.risk for row in rows}:
            await self._arrange(risk)
        self._installed.tidy(row.package for row in self._rows.values() if row.state not in OVER)
        self.parts.tidy(row.package for row in self._rows.values() if row.state is UpdateState.FETCHING)

    async def _arrange(self, risk: str) -> None:
        arranged = await asyncio.to_thread(self._installed.arrange, risk, self._of_use())
        if arranged.over:
            now = self._clock.wall()
            over = [replace(row, since=now) for row in arranged.over]
            assert self._store is not None  # noqa: S101 -- `load` has set it
            await self._recorder.call(self._put, self._store, over)
        if arranged.trial is None:
            self._trials.pop(Risk(risk), None)
        elif self._is_as_before(arranged.trial):
            return
        else:
            self._trials[Risk(risk)] = arranged.trial
        if arranged.model is not None:
            await self._watching.take_model(arranged.model, arranged.trial)

    def _is_as_before(self, trial: Trial) -> bool:
        """Whether a trial is the one that goes on, which has counted what is not written yet."""
        going = self._trials.get(trial.new.manifest.risk)
        return going is not None and (going.package, going.leads, going.old) == (trial.package, trial.leads, trial.old)

    def _put(self, store: Store, rows: Sequence[Update]) -> None:
        if not rows:
            return
        told = [row for row in rows if row.state not in {UpdateState.FETCHING, UpdateState.TRYING}]
        home = self._around.teller(store)
        messages = [model_message(home, row, told_of(row)) for row in told]
        store.model_updates.put(rows, messages)
        self._rows.update((row.package, row) for row in rows)

    def _note_crash(self, store: Store) -> None:
        """Count a death of the daemon against the model that was running then."""
        if not any(row.state in UNDER_WAY | COUNTING for row in self._rows.values()):
            return
        left = self._rows.get(self._installed.marking().left() or "")
        if left is not None:
            _log.error("the daemon died while a new model ran", risk=left.risk, version=left.version)
            row = replace(left, crashes=left.crashes + 1)
            store.model_updates.put([row])
            self._rows[row.package] = row

    def _check_newer(self, label: Label) -> None:
        """Refuse a package of no use here, or one that is older than what counts; raises RejectedError."""
        counting = [row.version for row in self._of_risk(label.risk, COUNTING)]
        try:
            version = self._installed.shipped(label.risk).version
        except ModelError as error:
            raise RejectedError("this home has no model of that risk", reason="package") from error
        if any(version_of(label.version) <= version_of(one) for one in [*counting, version]):
            raise RejectedError(f"{label.version} is no newer than {[*counting, version][0]}", reason="package")

    def _check(self, files: Mapping[str, bytes], label: Label) -> None:
        """Refuse a model that is not what its label says, or not made for this Hearthbeat; raises RejectedError."""
        try:
            manifest = Manifest.model_validate_json(files["manifest.json"])
        except ValidationError as error:
            raise RejectedError("its manifest.json is none", reason="package") from error
        shipped = self._installed.shipped(label.risk).manifest
        if (manifest.risk, manifest.version) != (label.risk, label.version):
            raise RejectedError("its manifest.json is of another model", reason="package")
        if manifest.input != shipped.input:
            raise RejectedError("its windows are others: it comes with another Hearthbeat", reason="package")
        if manifest.policy.severity is not shipped.policy.severity:
            raise RejectedError("its alerts would matter more, or less", reason="package")

    def _of_use(self) -> list[Update]:
        """Rows but those whose model is no newer than the one that came with Hearthbeat, which has been updated."""
        rows = []
        for row in self._rows.values():
            try:
                newer = version_of(row.version) > version_of(self._installed.shipped(row.risk).version)
            except ModelError:
                newer = True
            if newer:
                rows.append(row)
        return rows

    def _of_risk(self, risk: str, states: Iterable[UpdateState]) -> list[Update]:
        wanted = set(states)
        return [row for row in self._rows.values() if row.risk == risk and row.state in wanted]

    def _trial(self, update: Update) -> Trial | None:
        trial = self._trials.get(Risk(update.risk))
        return trial if trial is not None and trial.package == update.package else None

    def _listen(self) -> None:
        """Ask the broker for parts that are missing; once in a while anew, for one may have come damaged."""
        fetching = [row for row in self._rows.values() if row.state is UpdateState.FETCHING and row.url is None]
        labels = []
        for row in fetching:
            try:
                label = read_label(row.label, self._around.makers())
            except RejectedError:
                continue  # the next look refuses it
            labels.append(label)
        topics = self.parts.want(labels)
        now = self._clock.monotonic()
        if not topics:
            self._asked_at.pop("parts", None)
        elif now >= self._asked_at.setdefault("parts", now) + ASK_AGAIN_S:
            self._asked_at["parts"] = now
            topics = frozenset()  # the next look subscribes anew, and the broker sends again what it has retained
        self._around.listen(topics)


def told_of(update: Update) -> dict[str, float | int | str | None]:
    """What is told of a trial: the figures of the last stage that has any."""
    stages = [update.figures, update.figures.get("probation"), update.figures.get("shadow")]
    for stage in stages:
        if isinstance(stage, Mapping) and "windows" in stage:
            return Figures.read(stage).told()
    return {}
