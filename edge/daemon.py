"""The daemon: where the rooms are put together, started, watched and stopped.

scanner ─▶ link per wearable ─▶ pipeline per person ─▶ recorder ─▶ store
                                      │                    ├─▶ courier ─▶ phones
                                      └─ alert ────────────┴─▶ publisher ─▶ broker
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Final

import structlog

from cloud_sync import messages
from edge.afar.hearing import hearing
from edge.afar.installed_models import Loaded
from edge.alerts.faults import is_fault
from edge.alerts.house_faults import BrokerSight
from edge.attending import Attending, rests_on_fresh_data
from edge.bluetooth.link import SILENCE_LIMIT_S
from edge.bluetooth.radio import Radio
from edge.buttons.desk import LinkDesk
from edge.charting import Charting
from edge.clock import Clock, SystemClock, is_set
from edge.daily.round import DailyRound
from edge.errors import HearthbeatError, StoreError
from edge.household.devices import Devices
from edge.household.household import Household
from edge.notices import Alert, Button
from edge.notify.courier import Courier
from edge.notify.phone import SendingProcess
from edge.pipeline import Pipeline
from edge.recorder import Recorder
from edge.running import control, status
from edge.running.heap import few_arenas
from edge.running.maintenance import Maintenance, nightly
from edge.running.opening import Opening
from edge.running.precedence import UrgentExecutor
from edge.running.scheduling import replan
from edge.running.supervision import Progress, ServiceManager, watch, watchdog_period
from edge.settings.contacts import contact_of
from edge.settings.home import Settings
from edge.store.store import Store
from edge.telling.outward import Outward
from edge.telling.publishing import broker_fields, keep_publishing
from edge.telling.telling import home_of
from edge.watches.faults import FaultsWatch, Parts
from edge.watches.news2 import NEWS2, News2Watch
from edge.watches.nights import RESTING_HEART_RATE, TELL_HOUR, TELL_MINUTE, NightWatch

# Bounds on how long the parts may be without progress before the watchdog stops being fed, in seconds; each is several
# times what the part needs when all is well. Our choice.
RECORDER_LIMIT_S: Final = 60.0
COURIER_LIMIT_S: Final = 60.0
PIPELINE_LIMIT_S: Final = 120.0
# How often the people's silence is looked at, and the publisher's health.
ROUND_S: Final = 30.0

_log = structlog.get_logger("daemon")


class Daemon:
    """One home. `run` lasts until `stop` is called; nothing but wrong settings keeps it from starting.

    `clock`, `radio`, `manager` and `chance` are the outer world: the machine's own unless something else is given;
    `silence_limit_s` is each Link's. `read_settings` reads the settings again, for `reload`; commands from afar may
    change `settings_file`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        radio: Radio | None = None,
        manager: ServiceManager | None = None,
        chance: random.Random | None = None,
        silence_limit_s: float = SILENCE_LIMIT_S,
        read_settings: Callable[[], Settings] | None = None,
        settings_file: Path | None = None,
    ) -> None:
        self.settings = settings
        self._read_settings = read_settings or (lambda: settings)
        self._settings_file = settings_file
        self._reloading = asyncio.Lock()
        self.clock = clock or SystemClock()
        self._radio = radio or Radio(adapter=settings.home.adapter, clock=self.clock)
        self._manager = manager or ServiceManager()
        self._chance = chance or random.Random()  # noqa: S311 -- jitter is no secret
        self._contacts = [contact_of(contact) for contact in settings.contacts]
        self._inference = UrgentExecutor("inference")
        self._silence_limit_s = silence_limit_s
        self._stopping = asyncio.Event()
        self.progress = Progress(self.clock)
        self._models: dict[str, str | None] = {}
        self._critical_models: set[str] = set()
        self.started = asyncio.Event()

    @property
    def pipelines(self) -> list[Pipeline]:
        """Everybody's, as of now."""
        return self._household.pipelines

    def stop(self) -> None:
        """Ask `run` to end: links are closed, what waits is committed and sent."""
        self._stopping.set()

    async def run(self) -> None:
        """Run the home until `stop`."""
        few_arenas()
        async with asyncio.TaskGroup() as group:
            period = watchdog_period()
            supervising = [] if period is None else [group.create_task(self._feed_watchdog(period), name="watchdog")]
            if await self._clock_is_set():
                opening = Opening(self.settings, self.clock, self._contacts, wait=self._wait_openly)
                store = await opening.open(self._stopping)
                if store is not None:
                    await self._live_with(store)
            await _end(supervising)
        _log.info("stopped")

    async def _live_with(self, store: Store) -> None:
        self._afar = hearing(self.settings, self.clock, self._settings_file, store)
        loaded = self._afar.load(store)
        self._models, self._critical_models = loaded.troubles, loaded.critical
        async with AsyncExitStack() as stack:
            stack.callback(store.close)
            stack.callback(self._inference.shutdown)
            self._publisher = keep_publishing(
                self.settings, store.path, self.clock, self._chance, self._afar.inbox, self._inference.give_way
            )
            self._recorder = self._make_recorder(store)
            self._store = store
            self._phones = await stack.enter_async_context(SendingProcess())
            await self._prepare_telling(store)
            await self._prepare_watching(store, loaded)
            self._afar.begin(store, self._recorder, self._attending, self._household, self.reload, self._committed)
            await self._live(stack)

    async def _prepare_telling(self, store: Store) -> None:
        self._links = LinkDesk(
            self.settings,
            store,
            self._recorder,
            self.clock,
            contacts=lambda: self.settings.contacts,
            attending=lambda: self._attending,
            snapshot=self.snapshot,
        )
        self._courier = Courier(
            self._recorder,
            self._contacts,
            self.clock,
            send=self._phones.send,
            reach=self._phones.reaches,
            chance=self._chance,
            progress=self.progress.register("courier", COURIER_LIMIT_S),
            actions=self._links.actions,
            picture=Charting(store.path, lambda: self.settings.people).chart,
        )
        self._attending = Attending(
            home_of(self.settings, store),
            self._recorder,
            self.clock,
            settings=lambda: self.settings,
            fault_audience=lambda alert: self._faults.audience(alert),  # noqa: PLW0108 -- made below
            is_fresh=self._is_fresh,
        )
        await self._attending.restore(store)

    async def _prepare_watching(self, store: Store, loaded: Loaded) -> None:
        self._news2 = News2Watch(store, self._recorder, self.clock, self._attending.say)
        self._household = Household(
            loaded.models,
            store,
            self._recorder,
            clock=self.clock,
            radio=self._radio,
            chance=self._chance,
            inference=self._inference,
            say=self._attending.say,
            silence_limit_s=self._silence_limit_s,
            trials=loaded.trials,
        )
        await self._household.move_in(self.settings)
        self._faults = FaultsWatch(
            self.settings,
            self._household,
            self._recorder,
            store,
            self.clock,
            parts=self._parts,
            outcomes=lambda: self._courier.outcomes,
            say=self._attending.say_fault,
        )
        await self._faults.restore()
        self._outward = Outward(
            self.settings,
            store,
            self._recorder,
            self.clock,
            self._household,
            attending=self._attending,
            faults=self._faults,
            models=self._models,
            committed=self._committed,
            progress=self.progress,
        )

    async def _live(self, stack: AsyncExitStack) -> None:
        kept = self.settings.store
        self._maintenance = Maintenance(self._store, self._recorder, self.clock, kept.keep_days, kept.keep_raw_days)
        scheduler = nightly(self._maintenance.run)
        self._nights = NightWatch(self._store.path, self.settings.people, self.clock, self._attending.say)
        scheduler.add_job(self._nights.run, "cron", hour=TELL_HOUR, minute=TELL_MINUTE, id="nights")
        DailyRound(self._store.path, self._recorder, self.clock, lambda: self.settings).plan(scheduler)
        await stack.enter_async_context(status.serving(self.settings.home.state_directory, self.snapshot))
        async with asyncio.TaskGroup() as group:
            self._household.start(group)
            await stack.enter_async_context(control.serving(self.settings.home.state_directory, self._answer))
            await stack.enter_async_context(self._links.serving())
            working = [
                group.create_task(self._recorder.run(), name="recorder"),
                group.create_task(self._courier.run(), name="courier"),
                group.create_task(self._phones.keep_ready(), name="phones"),
                group.create_task(self._attending.run(), name="attending"),
                group.create_task(self._rounds(), name="rounds"),
                group.create_task(replan(scheduler, self.clock), name="plan"),
                group.create_task(self._afar.run(), name="commands"),
                *(group.create_task(part.run(), name=name) for name, part in self._outward.parts.items()),
            ]
            scheduler.start()
            self._manager.ready()
            self.started.set()
            _log.info("started", people=len(self.pipelines), message_version=messages.VERSION)
            await self._stopping.wait()
            self._manager.stopping()
            scheduler.shutdown(wait=False)
            async with self._reloading:  # one that has begun ends first, and none begins any more
                await self._household.stop()
            await _end(working)
        await self._afar.close()
        await self._recorder.close()
        if self._publisher is not None:
            await asyncio.to_thread(self._publisher.stop)

    async def reload(self) -> list[str]:
        """Read the settings again, and take up who lives here and what they wear while all goes on.

        Returns the tables whose changes need a restart. Raises HearthbeatError, and goes on as before then.
        """
        async with self._reloading:
            if self._stopping.is_set():
                raise HearthbeatError("stops", where="the daemon", mend="start it again")
            settings = await asyncio.to_thread(self._read_settings)
            contacts = [contact_of(contact) for contact in settings.contacts]
            fixed = {
                name: getattr(self.settings, name)
                for name in ("home", "broker", "home_assistant", "web", "store", "log")
            }
            left = [name for name, table in fixed.items() if getattr(settings, name) != table]
            self.settings = settings.model_copy(update=fixed)
            self._courier.take_on(contacts)
            self._faults.take_on(self.settings)
            left += self._afar.take_on(self.settings)
            self._nights.people = self.settings.people
            await self._household.take_on(self.settings)
            _log.info("reloaded", people=len(self.pipelines), restart_needed_for=left)
            return left

    async def _answer(self, request: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        """What the command line asks of this process."""
        if request == {"do": "reload"}:
            # Whoever asks may go away, but must leave nothing half done.
            yield {"restart_needed_for": await asyncio.shield(self.reload())}
            return
        if request.get("do") in tuple(Button):
            yield await self._attending.answer(request)
            return
        devices = Devices(self._household.scanner, self._radio, self.clock, self._chance)
        is_trial = request == {"do": "notify test"}
        async with aclosing(self._courier.try_out() if is_trial else devices.answer(request)) as answers:
            async for words in answers:
                yield words

    async def settled(self) -> None:
        """Wait until every Window that the links have brought is assessed."""
        await self._household.settled()

    async def _feed_watchdog(self, period_s: float) -> None:
        await watch(self.progress, self._manager, period_s, SystemClock())

    async def _clock_is_set(self) -> bool:
        """Wait until the wall clock can be believed; False when `stop` came first."""
        if not is_set(self.clock):
            _log.warning("the clock is not set; nothing is stamped until it is", mend="check the network, or NTP")
            self._wait_openly("waiting for the clock to be set")
        while not is_set(self.clock) and not self._stopping.is_set():
            await self.clock.sleep(1.0)
        return not self._stopping.is_set()

    def _wait_openly(self, why: str) -> None:
        """Tell the service manager that the process is up and waits: that is no failed start."""
        self._manager.ready()
        self._manager.status(why)

    def _make_recorder(self, store: Store) -> Recorder:
        return Recorder(
            store,
            clock=self.clock,
            interval_s=self.settings.store.commit_interval_s,
            committed=self._committed,
            progress=self.progress.register("recorder", RECORDER_LIMIT_S),
        )

    def _committed(self) -> None:
        self._courier.wake()
        if self._publisher is not None:
            self._publisher.wake()

    def _is_fresh(self, alert: Alert) -> bool:
        """Whether an open alert rests on what is known now, so that people may be told of it again."""
        if is_fault(alert):
            return self._faults.is_fresh(alert)
        if alert.kind == NEWS2:
            return self._news2.is_fresh(alert)
        if alert.kind == RESTING_HEART_RATE:
            return self._nights.is_fresh(alert)
        return rests_on_fresh_data(alert, self.pipelines, self.clock.wall())

    async def _rounds(self) -> None:
        """Look after what nobody else does: faults, and among them people from whom nothing comes."""
        report = self.progress.register("rounds", PIPELINE_LIMIT_S)
        while True:
            await self._faults.look()
            await self._attending.remind()
            await self.clock.sleep(ROUND_S)
            await self._household.catch_up()
            await self._news2.look(self.settings.people)
            for pipeline in self.pipelines:
                pipeline.notice_silence()
            if self._publisher is not None:
                self._publisher.mend()
            report()

    async def snapshot(self) -> status.Snapshot:
        """What `hearthbeat status` tells; ages in seconds. What the disk refuses to tell is a fault."""
        call, now = self._recorder.call, self.clock.wall()
        faults = self._present_faults()
        try:
            stored = await call(status.read_store, self._store, [person.id for person in self.settings.people])
        except StoreError as error:
            stored = status.NOTHING_STORED
            faults.append(str(error))
        return {
            "daemon": "running",
            "people": [pipeline.snapshot(now, *stored.of(pipeline.person.id)) for pipeline in self.pipelines],
            "outbox": stored.outbox,
            "claims": {"waiting": stored.waiting_claims},
            "notifications": {"waiting": stored.unsent_notifications},
            "broker": broker_fields(self._publisher),
            "links": dict(self._links.counts),
            "shared": [device.wearable.snapshot(now) for device in self._household.shared],
            "bluetooth": status.bluetooth_fields(self._household.scanner.status),
            "open_faults": self._faults.snapshot(),
            "faults": faults,
        }

    def _parts(self) -> Parts:
        """What the look for faults must know of the daemon's parts."""
        stores = {"store": self._recorder.fault}
        stores.update({"backup": self._maintenance.fault} if self._maintenance.tried else {})
        stores.update({"nights": self._nights.fault} if self._nights.tried else {})
        broker = None
        if self._publisher is not None:
            state = self._publisher.state()
            broker = BrokerSight(state.connected, state.error, state.refused, state.sent, None, state.complaint)
        critical = frozenset(self._critical_models)
        channels = self._courier.bypassed
        return Parts(self._models, critical, stores, broker, self._afar.faults(), self._links.fault, channels)

    def _present_faults(self) -> list[str]:
        """What is wrong now, and what was lost since the start: one line each."""
        parts = (self._recorder, self._maintenance, self._nights, self._outward)
        troubles = (*self._models.values(), *(part.fault for part in parts))
        faults = [trouble for trouble in troubles if trouble is not None]
        return faults + status.losses(self._recorder, self.pipelines) + self._faults.lines()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
