"""What is told outside beside alerts: minutes, hours, days and health for the broker, and Home Assistant's view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edge.attending import Attending
from edge.clock import Clock
from edge.household.household import Household
from edge.recorder import Recorder
from edge.running.supervision import Progress
from edge.settings.home import Settings
from edge.store.store import Store
from edge.telling.health import HealthSight, HealthTelling
from edge.telling.home_assistant import HomeAssistant
from edge.telling.telling import Telling, home_of
from edge.watches.faults import FaultsWatch

# How long a part may be without progress before the watchdog stops being fed, s: a day's acceleration takes seconds.
LIMIT_S: Final = 120.0


class Outward:
    """The parts that tell, as far as the settings ask for them; to be made in the daemon's event loop.

    `models` has by risk what is wrong with its model, None where nothing is; `committed` is called when something was
    put into the outbox.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        household: Household,
        *,
        attending: Attending,
        faults: FaultsWatch,
        models: Mapping[str, str | None],
        committed: Callable[[], None],
        progress: Progress,
    ) -> None:
        self._household = household
        self._faults = faults
        self._models = models
        self._shown: list[Telling | HomeAssistant] = []
        self.parts: dict[str, Telling | HealthTelling | HomeAssistant] = {}
        home, kept = home_of(settings, store), (store, recorder, clock)
        if home is not None:
            report = progress.register("telling", LIMIT_S)
            telling = Telling(settings, *kept, home, household.order, committed, report)
            self._shown.append(telling)
            self.parts["telling"] = telling
            report = progress.register("health", LIMIT_S)
            self.parts["health"] = HealthTelling(home, *kept, self._health_sight, committed, report)
        if settings.home_assistant is not None:
            assistant = HomeAssistant(
                settings,
                settings.home_assistant,
                clock,
                household,
                store.pseudonyms,
                alerts=lambda: attending.open_alerts,
                answer=attending.answer,
                progress=progress.register("home assistant", LIMIT_S),
            )
            self._shown.append(assistant)
            self.parts["home assistant"] = assistant

    @property
    def fault(self) -> str | None:
        """Why somebody is told nothing now, None where everybody is who is to be."""
        return next((part.fault for part in self._shown if part.fault is not None), None)

    def _health_sight(self) -> HealthSight:
        pipelines = self._household.pipelines
        models: dict[str, str | None] = {
            watch.risk.value: watch.model.version for pipeline in pipelines for watch in pipeline.watches
        }
        models |= {risk: None for risk, trouble in self._models.items() if trouble is not None}
        return HealthSight(self._household.wearables(), models, self._faults.open_alerts)
