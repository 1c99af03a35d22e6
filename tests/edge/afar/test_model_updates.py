"""A model's way from the order to the day when it counts, with real models, and what may befall it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nacl.signing import SigningKey

from cloud_sync.messages import Home
from cloud_sync.packages import Label, Package, make_package, part_of, read_label
from edge.afar import model_updates
from edge.afar.model_trial import LEAST_WINDOWS, Trial
from edge.afar.model_updates import FETCH_S, ModelUpdates, Surroundings
from edge.errors import RejectedError
from edge.readings import Assessment, Risk, Source, Window
from edge.recorder import Recorder
from edge.risks.catalogue import MODELS
from edge.risks.model import RiskModel
from edge.signals import rr_series
from edge.store.model_updates import COUNTING, UNDER_WAY, UpdateState
from edge.store.store import Store
from edge.virtual.rhythm import sinus
from tests.fakes.clock import ManualClock

MAKER = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(32))
AF = Risk.ATRIAL_FIBRILLATION
DAY_S = 86_400.0
# What becomes of bytes that only begin like a model: tflite-runtime dies of them, LiteRT says what they are.
UNLOADABLE = r"a process that loaded it died \(SIG|not a TFLite model"


def package(
    version: str, folder: Path, change: Callable[[dict[str, Any]], None] | None = None, **named: Any
) -> Package:
    """A package of the real AF model under another version, with its manifest changed."""
    made = folder / f"model-{version}-{random.random()}"
    shutil.copytree(MODELS / AF, made)
    fields = json.loads((made / "manifest.json").read_text())
    fields["version"] = version
    if change is not None:
        change(fields)
    content = named.pop("content", None)
    if content is not None:
        (made / "model.tflite").write_bytes(content)
        fields["sha256"] = hashlib.sha256(content).hexdigest()
    (made / "manifest.json").write_text(json.dumps(fields))
    return make_package(
        made, named.get("key", "maker"), named.get("secret", MAKER), named.get("risk", AF), named.get("label", version)
    )


def windows() -> list[Window]:
    """Windows of a quiet heart, each once."""
    beats = np.array(list(sinus(2400.0, bpm=70.0, chance=random.Random(1))))
    builder = RiskModel.load(MODELS / AF).windows("anna")
    readings = rr_series.readings_of(Source("anna", "C0:DE:00:00:00:01"), 1.8e9 + np.cumsum(beats) / 1000.0, beats)
    return [window for reading in readings for window in builder.push(reading)]


WINDOWS = windows()


class House:
    """A daemon's models without the daemon; `watching` is what counts now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.makers = {"maker": MAKER.verify_key}
        self.topics: frozenset[str] = frozenset()
        self.watching: RiskModel | None = None
        self.trial: Trial | None = None
        self.start()

    def start(self) -> None:
        self.store = Store(self.folder / "hearthbeat.db")
        self.recorder = Recorder(self.store, clock=self.clock, interval_s=6.0)
        around = Surroundings(
            lambda store: Home("home", store.pseudonyms), lambda: self.makers, lambda: 2 * DAY_S, self.listen
        )
        self.updates = ModelUpdates(None, self.folder / "models", self.clock, around)
        loaded = self.updates.load(self.store)
        self.watching = next(model for model in loaded.models if model.manifest.risk is AF)
        self.trial = loaded.trials.get(AF)
        self.updates.begin(self.recorder, self)

    def listen(self, topics: frozenset[str]) -> None:
        self.topics = topics

    async def take_model(self, model: RiskModel, trial: Trial | None) -> None:
        self.watching, self.trial = model, trial

    async def die(self) -> None:
        """What kill -9 leaves: files and rows, and nothing of what was in memory."""
        await asyncio.to_thread(self.recorder._worker.shutdown)
        self.store.close()

    async def restart(self) -> None:
        await self.die()
        self.start()

    def deliver(self, made: Package) -> None:
        label = read_label(made.label, self.makers)
        for topic in list(self.topics):
            number = int(topic.rpartition("/")[2])
            self.updates.parts.take(topic, part_of(made.content, label, number))

    def judge(self, number: int = LEAST_WINDOWS + 10) -> list[Assessment]:
        assert self.trial is not None
        return [self.trial.assess(window) for window in WINDOWS[:number]]

    def state(self, made: Package) -> str:
        name = read_label(made.label, self.makers).sha256
        return next((str(row.state) for row in self.updates.updates() if row.package == name), "unknown")

    def reason(self, made: Package) -> str:
        name = read_label(made.label, self.makers).sha256
        return next(row.reason for row in self.store.model_updates.all() if row.package == name)

    async def bring_to_shadow(self, made: Package) -> None:
        await self.updates.order(made.label, None)
        self.deliver(made)
        await self.updates.look()
        await self.updates.look()
        assert self.state(made) == "shadow", self.reason(made)

    async def bring_to_probation(self, made: Package) -> None:
        await self.bring_to_shadow(made)
        self.judge()
        await self.clock.advance(2 * DAY_S)
        await self.updates.look()
        assert self.state(made) == "probation"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.die()


async def test_a_model_comes_in_the_shadow_then_on_probation_then_counts(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    shipped = house.watching
    assert await house.updates.order(made.label, None) == "it will be fetched"
    assert len(house.topics) == len(read_label(made.label, house.makers).parts)
    house.deliver(made)
    await house.updates.look()
    await house.updates.look()
    assert (house.state(made), house.watching) == ("shadow", shipped)
    before = [shipped.assess(window).score for window in WINDOWS[:60] if shipped is not None]
    assert [one.score for one in house.judge(60)] == before
    assert house.trial is not None
    figures = house.trial.figures
    assert (figures.both, figures.disagree, figures.distance, figures.failures) == (60, 0, 0.0, 0)
    await house.clock.advance(DAY_S)
    await house.updates.look()
    assert house.state(made) == "shadow", "it is not time"
    await house.clock.advance(DAY_S)
    await house.updates.look()
    assert house.state(made) == "probation"
    assert house.watching is not None
    assert house.watching.version == "3.0"
    assert {one.model for one in house.judge(60)} == {"3.0"}
    await house.clock.advance(2 * DAY_S)
    await house.updates.look()
    assert house.state(made) == "active"
    await house.restart()
    assert house.watching.version == "3.0"
    told = [json.loads(m.payload) for m in house.store.outbox.next_messages(9) if m.topic == "hearthbeat/v1/home/model"]
    assert [one["state"] for one in told] == ["shadow", "probation", "active"]
    assert told[1]["figures"]["judged_by_both"] == 60
    assert await house.updates.go_back("atrial_fibrillation") == "3.0 was taken back"
    assert house.watching.version == shipped.version if shipped is not None else False
    with pytest.raises(RejectedError):
        await house.updates.go_back("atrial_fibrillation")


async def test_a_restart_goes_on_with_the_parts_that_are_there(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    await house.updates.order(made.label, None)
    first, *rest = sorted(house.topics)
    house.topics = frozenset({first})
    house.deliver(made)
    await house.restart()
    await house.updates.look()
    assert house.topics == frozenset(rest)


async def test_a_damaged_part_is_passed_over_and_asked_for_again(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    await house.updates.order(made.label, None)
    wanted = house.topics
    for topic in wanted:
        house.updates.parts.take(topic, b"damaged")
    house.updates.parts.take("hearthbeat/models/v1/elsewhere/0", b"x")
    assert house.updates.parts.damaged == len(wanted)
    await house.updates.look()
    assert house.topics == wanted
    await house.clock.advance(601.0)
    asked = []
    for _ in range(2):
        await house.updates.look()
        asked.append(house.topics)
    assert asked == [frozenset(), wanted], "what is retained comes again with a new subscription"
    await house.clock.advance(FETCH_S)
    await house.updates.look()
    assert (house.state(made), house.reason(made)) == ("refused", "it did not come")
    assert "did not come" in str(house.updates.fault())


async def test_a_package_that_is_downloaded_is_tried_for_until_it_comes(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = package("3.0", tmp_path), []

    def download(url: str, label: Label, **_: Any) -> bytes:
        asked.append(url)
        if len(asked) < 3:
            raise RejectedError("the server answers 503", reason="download")
        assert label.version == "3.0"
        return made.content

    monkeypatch.setattr(model_updates, "download", download)
    await house.updates.order(made.label, "https://models.example/fall")
    for _ in range(5):
        await house.updates.look()
    assert (len(asked), house.state(made), house.topics) == (1, "fetching", frozenset())
    for _ in range(2):
        await house.clock.advance(601.0)
        await house.updates.look()
    assert (len(asked), house.state(made)) == (3, "shadow")


async def test_what_is_no_model_for_this_home_is_refused(house: House, tmp_path: Path) -> None:
    for made in (
        package("2.0", tmp_path),
        package("1.9", tmp_path),
        package("3.0", tmp_path, secret=OTHER),
        package("3.0", tmp_path, key="stranger"),
    ):
        with pytest.raises(RejectedError):
            await house.updates.order(made.label, None)
    assert house.updates.updates() == []
    for reason, made in (
        ("another model", package("3.0", tmp_path, risk=Risk.FALL)),
        ("another model", package("3.0", tmp_path, label="4.0")),
        ("its windows are others", package("3.1", tmp_path, lambda fields: fields["input"].update(length=30))),
        ("matter more", package("3.2", tmp_path, lambda fields: fields["policy"].update(severity="info"))),
        ("manifest.json is none", package("3.3", tmp_path, lambda fields: fields.update(policy={}))),
        (UNLOADABLE, package("3.4", tmp_path, content=b"TFL3" * 1000)),
        ("not the file", package("3.5", tmp_path, lambda fields: fields.update(sha256="0" * 64))),
    ):
        await house.updates.order(made.label, None)
        house.deliver(made)
        await house.updates.look()
        await house.updates.look()
        assert (house.state(made), bool(re.search(reason, house.reason(made)))) == ("refused", True), house.reason(made)
    assert house.watching is not None
    assert house.watching.version == RiskModel.load(MODELS / AF).version


def always(score: float | None) -> Callable[[Window], Assessment]:
    model = RiskModel.load(MODELS / AF)

    def assess(window: Window) -> Assessment:
        return replace(model.assess(window), score=score, model="3.0")

    return assess


def breaks(_window: Window) -> Assessment:
    raise RuntimeError("tensor 3 is missing")


class Double:
    """A model that answers as it is told."""

    def __init__(self, model: RiskModel, assess: Callable[[Window], Assessment]) -> None:
        self.model = model
        self.assess = assess

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


@pytest.mark.parametrize(
    ("assess", "reason"),
    [
        (breaks, "it failed: RuntimeError: tensor 3 is missing"),
        (always(float("nan")), "it failed: ValueError: a score that is no number"),
        (always(None), "it could judge 0 windows, the old one 60"),
    ],
)
@pytest.mark.parametrize("stage", ["shadow", "probation"])
async def test_a_worse_model_is_taken_back_by_itself(
    house: House, tmp_path: Path, assess: Callable[[Window], Assessment], reason: str, stage: str
) -> None:
    made = package("3.0", tmp_path)
    await (house.bring_to_shadow(made) if stage == "shadow" else house.bring_to_probation(made))
    assert house.trial is not None
    house.trial.new = Double(house.trial.new, assess)  # type: ignore[assignment]
    scores = [one.score for one in house.judge(60)]
    if "failed" in reason or stage == "shadow":
        assert None not in scores, "the old one's word counts where the new one fails"
    await house.updates.look()
    assert house.state(made) == ("refused" if stage == "shadow" else "rolled_back")
    assert house.reason(made) == reason
    assert house.watching is not None
    assert house.watching.version == RiskModel.load(MODELS / AF).version
    assert reason in str(house.updates.fault())
    await house.restart()
    assert house.watching.version == RiskModel.load(MODELS / AF).version
    assert [row.state in COUNTING for row in house.store.model_updates.all()] == [False]


async def test_pain_of_a_model_that_cries_wolf(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path, lambda fields: fields["policy"].update(k=1, n=1, clear_k=1, minimum_span_s=0.0))
    await house.bring_to_shadow(made)
    assert house.trial is not None
    turns = iter([0.99, 0.0] * 100)
    shipped = RiskModel.load(MODELS / AF)
    assess = lambda window: replace(shipped.assess(window), score=next(turns), model="3.0")  # noqa: E731
    house.trial.new = Double(house.trial.new, assess)  # type: ignore[assignment]
    assert all(one.model == shipped.version for one in house.judge(30)), "nobody hears of the shadow"
    await house.updates.look()
    assert house.state(made) == "refused"
    assert "alerts, the old one 0" in house.reason(made)


async def test_a_model_that_counts_alone_and_fails_gives_way(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    await house.bring_to_probation(made)
    house.judge()
    await house.clock.advance(2 * DAY_S)
    await house.updates.look()
    assert house.state(made) == "active"
    assert house.trial is not None
    house.trial.new = Double(house.trial.new, breaks)  # type: ignore[assignment]
    (nothing,) = house.judge(1)
    assert (nothing.score, nothing.reason) == (None, "the model failed")
    await house.updates.look()
    assert house.state(made) == "rolled_back"


async def test_a_daemon_that_dies_twice_while_a_model_runs_goes_on_without_it(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    await house.bring_to_probation(made)
    name = read_label(made.label, house.makers).sha256
    for deaths in (1, 2):
        house.updates._installed.marking()._memory[:] = name.encode()
        await house.restart()
        assert [row.crashes for row in house.store.model_updates.all()] == [deaths]
    assert house.state(made) == "rolled_back"
    assert "died 2 times" in house.reason(made)
    assert house.watching is not None
    assert house.watching.version == RiskModel.load(MODELS / AF).version


async def test_files_that_rot_let_the_earlier_model_count(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    await house.bring_to_probation(made)
    path = house.updates._installed.folder_of(read_label(made.label, house.makers).sha256, AF) / "model.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    await house.restart()
    assert house.state(made) == "rolled_back"
    assert house.watching is not None
    assert house.watching.version == RiskModel.load(MODELS / AF).version


async def test_too_little_to_compare_on_is_no_proof(house: House, tmp_path: Path) -> None:
    made = package("3.0", tmp_path)
    await house.bring_to_shadow(made)
    house.judge(10)
    await house.clock.advance(3 * DAY_S)
    await house.updates.look()
    assert house.state(made) == "shadow"
    await house.clock.advance(6 * DAY_S)
    await house.updates.look()
    assert (house.state(made), house.reason(made)) == ("refused", "too little was there to compare it on")


class Deaths(RuleBasedStateMachine):
    """A daemon that dies between any two steps of a model's way; orders and ways back come at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.house = self.run(self.make())

    async def make(self) -> House:
        return House(self.folder)

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    @property
    def under_way(self) -> bool:
        return any(row.state in UNDER_WAY for row in self.house.updates.updates())

    def order(self, made: Package) -> None:
        with suppress(RejectedError):  # an older one, or another is on probation
            self.run(self.house.updates.order(made.label, None))

    @initialize(which=st.integers(0, 1))
    def order_first(self, which: int) -> None:
        self.order(PACKAGES[which])

    @precondition(lambda self: not self.under_way)
    @rule(which=st.integers(0, 1))
    def order_one(self, which: int) -> None:
        self.order(PACKAGES[which])

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9))
    def order_another(self, which: int) -> None:
        if which < len(PACKAGES):
            self.order(PACKAGES[which])

    @rule(how_many=st.integers(1, 3))
    def a_few_parts_come(self, how_many: int) -> None:
        self.deliver(how_many)

    def deliver(self, how_many: int) -> None:
        wanted = self.house.topics
        for made in PACKAGES:
            name = read_label(made.label, self.house.makers).sha256
            self.house.topics = frozenset(sorted(topic for topic in wanted if name in topic)[:how_many])
            self.house.deliver(made)
        self.house.topics = wanted

    @rule(days=st.integers(0, 2))
    def life_goes_on(self, days: int) -> None:
        self.deliver(99)
        if self.house.trial is not None and self.house.trial.old is not None:
            self.house.judge()
        self.run(self.house.clock.advance(days * DAY_S))
        self.run(self.house.updates.look())

    @rule()
    def die(self) -> None:
        self.run(self.house.restart())

    @precondition(lambda self: any(row.state in COUNTING for row in self.house.updates.updates()))
    @rule(whim=st.integers(0, 5))
    def go_back(self, whim: int) -> None:
        if whim == 0:
            self.run(self.house.updates.go_back(AF))

    @invariant()
    def what_counts_is_what_the_rows_say(self) -> None:
        rows = self.house.store.model_updates.all()
        assert sum(row.state in UNDER_WAY for row in rows) <= 1
        assert sum(row.state is UpdateState.ACTIVE for row in rows) <= 1
        order = [UpdateState.PROBATION, UpdateState.ACTIVE]
        counting = sorted((row for row in rows if row.state in COUNTING), key=lambda row: order.index(row.state))
        expected = counting[0].version if counting else RiskModel.load(MODELS / AF).version
        assert self.house.watching is not None
        assert self.house.watching.version == expected
        assert {row.package: row.state for row in rows} == {r.package: r.state for r in self.house.updates.updates()}

    def teardown(self) -> None:
        self.run(self.house.die())
        self.loop.close()
        shutil.rmtree(self.folder)


with tempfile.TemporaryDirectory() as _folder:
    PACKAGES = [package("3.0", Path(_folder)), package("3.1", Path(_folder))]


@pytest.fixture(autouse=True)
def _quick_trying(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The process apart takes half a second: two tests have the real one, the others load here."""

    async def here(folder: Path) -> str | None:
        try:
            RiskModel.load(folder)
        except Exception as error:  # noqa: BLE001
            return getattr(error, "what", str(error))
        return None

    if not any(name in request.node.name for name in ("comes_in_the_shadow", "no_model_for_this_home")):
        monkeypatch.setattr(model_updates, "try_apart", here)


TestDeaths = Deaths.TestCase
TestDeaths.settings = hypothesis_settings(max_examples=8, stateful_step_count=20, deadline=None)
