"""The alert when a person's vital signs together score high on NEWS2, as far as the wearables know them.

What is not measured scores nothing, so that the score is a lower bound: it is told as what is known at least, and its
end only when all that has scored was measured again. Single vital signs have rules of their own (see vital_rules).
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from edge.clock import Clock
from edge.errors import StoreError
from edge.notices import Alert, AlertState, Severity
from edge.phrases import phrase
from edge.readings import Explanation
from edge.recorder import Recorder
from edge.settings.home import PersonSettings
from edge.signals.news2 import EMERGENCY_SCORE, URGENT_SCORE, News2, news2
from edge.store.store import Store
from edge.watches.vitals import stored_vitals

NEWS2: Final = "news2"
# The pulse counts by the mean of five minutes, the rest for an hour (see vitals): looking more often shows no more.
LOOK_EVERY_S: Final = 300.0
# It is over at this score or below, so that nothing flaps about the threshold; and after one episode was raised no
# other is for so long: nobody can do more than was said. Our choice.
OVER_AT: Final = 2
COOL_DOWN_S: Final = 4 * 3600.0
# A look that is older tells nothing of now. Our choice: two looks.
_FRESH_S: Final = 2.0 * LOOK_EVERY_S
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:news2")

_log = structlog.get_logger("news2")


def news2_alert(person: str, scored: News2, now: float, newest: Alert | None) -> Alert | None:
    """What a score changes: a raised, a graver or a cleared Alert, None where all stays as it is.

    A score of URGENT_SCORE or more asks for an urgent response, of EMERGENCY_SCORE or more for an emergency one (Royal
    College of Physicians, NEWS2, 2017, chart 2). `newest` is the person's newest Alert of this kind, open or over.
    """
    score = scored.score or 0
    severity = Severity.CRITICAL if score >= EMERGENCY_SCORE else Severity.WARNING
    numbers = {"score": float(score), **{vital.value: float(points) for vital, points in scored.parts.items()}}
    if newest is not None and newest.state is AlertState.RAISED:
        if severity is Severity.CRITICAL and newest.severity is not Severity.CRITICAL:
            return replace(newest, severity=severity, explanation=Explanation(scored.sentence, numbers))
        had_scored = {name for name, points in newest.explanation.numbers.items() if name != "score" and points > 0}
        if score > OVER_AT or not had_scored <= {vital.value for vital in scored.parts}:
            return None
        return replace(
            newest, state=AlertState.CLEARED, cleared_at=now, explanation=Explanation(scored.sentence, numbers)
        )
    rests = newest is not None and 0.0 <= now - newest.opened_at < COOL_DOWN_S
    if score < URGENT_SCORE or rests:
        return None
    return Alert(
        id=str(uuid.uuid5(_NAMESPACE, f"{person}/{now!r}")),
        person=person,
        kind=NEWS2,
        severity=severity,
        state=AlertState.RAISED,
        since=now,
        opened_at=now,
        cleared_at=None,
        explanation=Explanation(scored.sentence, numbers),
    )


class News2Watch:
    """Looks at everybody's score whenever `look` is called, but no more often than LOOK_EVERY_S."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        say: Callable[[PersonSettings, Alert], Awaitable[None]],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._say = say
        self._looked_at = float("-inf")
        self._scored: dict[str, float] = {}
        self._newest: dict[str, Alert | None] = {}

    def is_fresh(self, alert: Alert) -> bool:
        """Whether a person's score was high in the last look."""
        return abs(self._clock.wall() - self._scored.get(alert.person, float("-inf"))) <= _FRESH_S

    async def look(self, people: Sequence[PersonSettings]) -> None:
        """Score everybody and say what has changed; what the disk refuses waits for the next look."""
        if self._clock.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = self._clock.monotonic()
        for person in people:
            try:
                await self._look(person)
            except StoreError as error:
                _log.warning("the vital signs are not scored", person=person.id, error=str(error))

    async def _look(self, person: PersonSettings) -> None:
        now, call = self._clock.wall(), self._recorder.call
        if person.id not in self._newest:
            self._newest[person.id] = await call(self._store.alerts.newest_alert, person.id, NEWS2)
        newest = self._newest[person.id]
        if not person.news2:
            if newest is not None and newest.state is AlertState.RAISED:
                off = Explanation(phrase("The score is not watched any more."))
                await self._tell(person, replace(newest, state=AlertState.CLEARED, cleared_at=now, explanation=off))
            return
        scored = news2(await call(stored_vitals, self._store, person.id, now))
        if (scored.score or 0) > OVER_AT:
            self._scored[person.id] = now
        alert = news2_alert(person.id, scored, now, newest)
        if alert is not None:
            await self._tell(person, alert)

    async def _tell(self, person: PersonSettings, alert: Alert) -> None:
        self._newest[person.id] = alert
        await self._say(person, alert)
