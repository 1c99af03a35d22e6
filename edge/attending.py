"""Every turn of every alert on its way: what people have answered, then the store, the phones and the broker.

An alert in its new state, its notifications and its message are one transaction, so that a restart finds all or none.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from cloud_sync import messages
from edge.alerts.attention import Attention, Turn
from edge.alerts.faults import Transition, is_fault
from edge.clock import Clock
from edge.errors import WrongUseError
from edge.notify.texts import alert_text
from edge.pipeline import Pipeline, alert_fields
from edge.readings import Alert, AlertState, Button, Explanation, Notification, OutboxMessage
from edge.recorder import Recorder
from edge.settings import PersonSettings
from edge.store.store import Store

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:notification")
# What a turn is called that begins or ends a state: its message needs no further name.
_STATES: Final = frozenset({"raised", "cleared"})

_log = structlog.get_logger("attending")


class Attending:
    """The one way by which alerts reach the store.

    `home` is the home's name for the broker, None where there is none. `people` are those who live here, as of now;
    `fault_notifications` says who is told what of a fault; `is_fresh` whether an open alert rests on what is known now.
    """

    def __init__(
        self,
        home: str | None,
        recorder: Recorder,
        clock: Clock,
        *,
        people: Callable[[], Sequence[PersonSettings]],
        fault_notifications: Callable[[Turn], list[Notification]],
        is_fresh: Callable[[Alert], bool],
    ) -> None:
        self._home = home
        self._recorder = recorder
        self._clock = clock
        self._people = people
        self._fault_notifications = fault_notifications
        self._is_fresh = is_fresh
        self._attention = Attention()

    @property
    def open_alerts(self) -> list[Alert]:
        """What is not over, oldest first, with what people have answered."""
        return self._attention.open_alerts

    async def restore(self, store: Store) -> None:
        """Go on where the daemon stopped before. Raises StoreError."""
        opened = await self._recorder.call(store.alerts.open_alerts)
        self._attention = Attention(opened, await self._recorder.call(store.alerts.snoozes, self._clock.wall()))

    async def say(self, person: PersonSettings, alert: Alert) -> None:
        """Commit what a risk's engine says, with all that tells of it."""
        await self._commit(self._attention.take(alert, self._clock.wall()), person)

    async def say_fault(self, transition: Transition) -> None:
        """Commit what the look for faults says, with all that tells of it."""
        await self._commit(self._attention.take(transition.alert, self._clock.wall(), is_news=transition.is_news))

    async def remind(self) -> None:
        """Tell again what is still so after its snooze, and let go who has moved out; for every half minute or so."""
        await self._let_go()
        for turn in self._attention.over(self._clock.wall(), self._is_fresh):
            await self._commit(turn)

    async def _let_go(self) -> None:
        """End, untold, the episodes of people who live here no more: nobody watches them."""
        people, now = {person.id for person in self._people()}, self._clock.wall()
        for alert in self.open_alerts:
            if not is_fault(alert) and alert.person not in people:
                why = Explanation("The person is no longer in the settings.")
                ended = replace(alert, state=AlertState.CLEARED, cleared_at=now, explanation=why)
                await self._commit(self._attention.take(ended, now, is_news=False))

    async def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Acknowledge or snooze an alert, as the command line or a button asks. Raises WrongUseError.

        {"do": "acknowledge", "alert": ID, "by": WHO} or {"do": "snooze", "alert": ID, "seconds": N, "by": WHO}; an id
        may be shortened. Answers the alert, whether somebody `already` had acknowledged it, and whether it is `stored`.
        """
        identifier, by = request.get("alert"), request.get("by", "person")
        if not isinstance(identifier, str) or not isinstance(by, str):
            raise WrongUseError("that names no alert", where=str(request.get("do")), mend="give its id")
        now = self._clock.wall()
        if request["do"] == "acknowledge":
            turn = self._attention.acknowledge(identifier, by, now)
        else:
            turn = self._attention.snooze(identifier, _seconds(request), now)
        if turn.name != "changed":
            await self._commit(turn)
        already = turn.name == "changed"
        return {"alert": alert_fields(turn.alert), "already": already, "stored": self._recorder.fault is None}

    async def _commit(self, turn: Turn, person: PersonSettings | None = None) -> None:
        alert = turn.alert
        _log.info("turn", alert=alert.id, kind=alert.kind, turn=turn.name, is_news=turn.is_news)
        notifications: list[Notification] = []
        if turn.is_news:
            fault = is_fault(alert)
            notifications = self._fault_notifications(turn) if fault else self._notifications(turn, person)
        await self._recorder.say(alert, notifications, self._messages(turn))

    def _messages(self, turn: Turn) -> list[OutboxMessage]:
        if self._home is None or turn.name == "changed":
            return []
        tell = messages.fault if is_fault(turn.alert) else messages.alert
        name = "" if turn.name in _STATES else turn.name
        return [tell(self._home, turn.alert, name, turn.at)]

    def _notifications(self, turn: Turn, person: PersonSettings | None) -> list[Notification]:
        """What the person's contacts are told; nobody where the person lives here no more."""
        alert = turn.alert
        found = person or next((one for one in self._people() if one.id == alert.person), None)
        if found is None:
            return []
        text = alert_text(alert, found.name or found.id)
        return notifications_of(turn, found.contacts, text.title, text.body)


def notifications_of(turn: Turn, contacts: Iterable[str], title: str, body: str) -> list[Notification]:
    """What each contact is told of a turn, once however often this is asked."""
    return [
        Notification(
            id=str(uuid.uuid5(_NAMESPACE, f"{turn.alert.id}/{turn.name}/{contact}")),
            alert_id=turn.alert.id,
            contact=contact,
            title=f"Still so: {title}" if turn.is_again else title,
            body=body,
            severity=turn.alert.severity,
            created=turn.at,
            buttons=() if turn.alert.state is AlertState.CLEARED else (Button.ACKNOWLEDGE, Button.SNOOZE),
            turn=turn.name.partition("/")[0],
        )
        for contact in contacts
    ]


def rests_on_fresh_data(alert: Alert, pipelines: Iterable[Pipeline], now: float) -> bool:
    """Whether a person's alert is of a risk or a vital sign that was judged lately, at `now` in s since 1970 UTC."""
    for pipeline in pipelines:
        if pipeline.person.id == alert.person and pipeline.vitals.is_fresh(alert.kind, now):
            return True
        for watch in pipeline.watches:
            if (watch.person, watch.risk) == (alert.person, alert.kind):
                last = watch.last
                return last is not None and last.score is not None and abs(now - last.end) <= watch.silence_s
    return False


def _seconds(request: Mapping[str, Any]) -> float:
    seconds = request.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise WrongUseError("that is no time", where="snooze", mend="give its seconds")
    return float(seconds)
