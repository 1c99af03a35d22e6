"""Every turn of every alert on its way: what people have answered, then the store, the phones and the broker.

An alert in its new state, its notifications and its message are one transaction, so that a restart finds all or none.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from cloud_sync import messages
from edge.alerts.attention import Attention, Turn
from edge.alerts.care import AT_THE_MACHINE, Care, may
from edge.alerts.escalation import due_steps, next_step_at
from edge.alerts.faults import Transition, is_fault
from edge.audience import Audience
from edge.clock import Clock
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState, Button, Notification, OutboxMessage, Severity
from edge.phrases import phrase
from edge.pipeline import Pipeline, alert_fields
from edge.readings import Explanation, Risk
from edge.recorder import Recorder
from edge.settings.home import PersonSettings, Settings
from edge.store.store import Store

# What a turn is called that begins or ends a state: its message needs no further name.
_STATES: Final = frozenset({"raised", "cleared"})
# How long a wall clock that was set may keep what is due waiting, s: the next look is after that. Our choice.
LOOK_EVERY_S: Final = 30.0

_log = structlog.get_logger("attending")


class Attending:
    """The one way by which alerts reach the store.

    `home` is who tells the broker, None where there is none. `settings` are those that hold now; `fault_audience` says
    who is told of a fault; `is_fresh` whether an open alert rests on what is known now.
    """

    def __init__(
        self,
        home: messages.Home | None,
        recorder: Recorder,
        clock: Clock,
        *,
        settings: Callable[[], Settings],
        fault_audience: Callable[[Alert], Sequence[str]],
        is_fresh: Callable[[Alert], bool],
    ) -> None:
        self._home = home
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._is_fresh = is_fresh
        self._audience = Audience(settings, fault_audience)
        self._attention = Attention()
        self._told: dict[str, dict[str, None]] = {}
        self._said: dict[str, set[tuple[str, str]]] = {}
        self._changed = asyncio.Event()

    @property
    def open_alerts(self) -> list[Alert]:
        """What is not over, oldest first, with what people have answered."""
        return self._attention.open_alerts

    async def restore(self, store: Store) -> None:
        """Go on where the daemon stopped before. Raises StoreError."""
        opened = await self._recorder.call(store.alerts.open_alerts)
        self._attention = Attention(opened, await self._recorder.call(store.alerts.snoozes, self._clock.wall()))
        for alert in opened:
            told = await self._recorder.call(store.notifications.told_of, alert.id)
            self._told[alert.id] = dict.fromkeys(one.contact for one in told)

    async def say(self, person: PersonSettings, alert: Alert) -> None:
        """Commit what a risk's engine says, with all that tells of it."""
        care = person.cared_for
        ask_s = care.countdown_s if care.asks_after(alert) else 0.0
        now = self._clock.wall()
        if self._is_anew(alert, care):
            await self._commit(self._attention.fallen_again(alert, now, ask_s=ask_s))
        else:
            await self._commit(self._attention.take(alert, now, ask_s=ask_s))

    def _is_anew(self, alert: Alert, care: Care) -> bool:
        """Whether a fall that is open has happened once more since the person has answered that all is well.

        An answer of somebody else holds: they see to it until it is over.
        """
        known = next((one for one in self.open_alerts if one.id == alert.id), None)
        if known is None or known.acknowledged_at is None or alert.state is not AlertState.RAISED or is_fault(alert):
            return False
        by_person = known.acknowledged_by in {*care.own, AT_THE_MACHINE}
        return alert.kind == Risk.FALL and by_person and alert.since > known.acknowledged_at

    async def say_fault(self, transition: Transition) -> None:
        """Commit what the look for faults says, with all that tells of it."""
        await self._commit(self._attention.take(transition.alert, self._clock.wall(), is_news=transition.is_news))

    async def run(self) -> None:
        """Tell what comes due while nobody answers, on time, until cancelled."""
        while True:
            self._changed.clear()
            await self._tell_due()
            await self._wait_until(self._next_due())

    async def remind(self) -> None:
        """Tell again what is still so after its snooze, and let go who has moved out; for every half minute or so."""
        turns = [*self._let_go(), *self._attention.over(self._clock.wall(), self._is_fresh)]
        for turn in turns:
            self._put(turn)
        if turns:
            await self._recorder.commit()
        await self._tell_due()

    async def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take what somebody answers to an alert, at the command line, by a button, or from afar.

        {"do": "acknowledge" | "snooze" | "fine" | "help", "alert": ID, "by": WHO, "seconds": N (of a snooze)}; an id
        may be shortened, WHO is a contact, or "person" for whoever sits at the machine. Answers the alert, whether it
        `already` was so, and whether it is `stored`. Raises WrongUseError for what cannot be answered so, or not by
        WHO.
        """
        turn = self._answered(request, self._clock.wall())
        already = turn.name == "changed"
        if not already:
            await self._commit(turn)
        return {"alert": alert_fields(turn.alert), "already": already, "stored": self._recorder.fault is None}

    def _answered(self, request: Mapping[str, Any], now: float) -> Turn:
        identifier, by = request.get("alert"), request.get("by", AT_THE_MACHINE)
        if not isinstance(identifier, str) or not isinstance(by, str):
            raise WrongUseError("that names no alert", where=str(request.get("do")), mend="give its id")
        try:
            button = Button(request["do"])
        except ValueError as error:
            raise WrongUseError("nobody can answer that", where=str(request["do"]), mend="acknowledge it") from error
        alert = self._attention.one(self._id_at_home(identifier))
        self._check(button, alert, by)
        match button:
            case Button.ACKNOWLEDGE:
                return self._attention.acknowledge(alert.id, by, now)
            case Button.SNOOZE:
                return self._attention.snooze(alert.id, _seconds(request), now)
            case Button.FINE:
                return self._attention.fine(alert.id, by, now)
            case Button.HELP:
                care = self._audience.care_of(alert)
                own = () if care is None else care.own
                return self._attention.help(alert.id, {*own, AT_THE_MACHINE}, now)

    def _id_at_home(self, identifier: str) -> str:
        """An open alert's id, where it was named as the broker knows it; else what was given."""
        at_home = any(alert.id.startswith(identifier) for alert in self.open_alerts)
        if self._home is None or at_home or not identifier:
            return identifier
        outside = [alert.id for alert in self.open_alerts if self._home.episode(alert.id).startswith(identifier)]
        return outside[0] if len(outside) == 1 else identifier

    def _check(self, button: Button, alert: Alert, by: str) -> None:
        """Raise WrongUseError where `by` may not answer so, saying why in words for whoever has pressed a button."""
        care = self._audience.care_of(alert)
        where, mend = f"alert {alert.id[:8]}", "see `hearthbeat alerts show`"
        is_question = alert.kind == Risk.FALL and not is_fault(alert) and care is not None and care.can_ask
        if button in {Button.FINE, Button.HELP} and not is_question:
            raise WrongUseError("nobody was asked how they are", where=where, mend="acknowledge it instead")
        if alert.asked_until is not None and button is Button.SNOOZE:
            mend = "answer whether all is well, or acknowledge it once somebody has seen to it"
            raise WrongUseError("a question cannot be put off", where=where, mend=mend)
        if by == AT_THE_MACHINE:
            return
        if care is None or not (care.roles(by) or by in self._audience.engineers):
            raise WrongUseError(f"{by} is not told of this, and cannot answer it", where=where, mend=mend)
        if alert.asked_until is not None and by in care.own and button is Button.ACKNOWLEDGE:
            mend = "say whether you are fine, or need help"
            raise WrongUseError("you are asked how you are", where=where, mend=mend)
        if may(button, alert, by, care, self._audience.engineers):
            return
        if button in {Button.FINE, Button.HELP}:
            raise WrongUseError(
                f"only the person can say so, and {by} is not theirs", where=where, mend="acknowledge it"
            )
        what = "take up" if button is Button.ACKNOWLEDGE else "put off"
        mend = "acknowledge it" if button is Button.SNOOZE else "ask somebody who may"
        raise WrongUseError(f"{by} may not {what} what is {alert.severity}", where=where, mend=mend)

    def _let_go(self) -> list[Turn]:
        """End, untold, the episodes of people who live here no more: nobody watches them."""
        now, turns = self._clock.wall(), []
        for alert in self.open_alerts:
            if not is_fault(alert) and self._audience.person_of(alert) is None:
                why = Explanation(phrase("The person is no longer in the settings."))
                ended = replace(alert, state=AlertState.CLEARED, cleared_at=now, explanation=why)
                turns.append(self._attention.take(ended, now, is_news=False))
        return turns

    async def _tell_due(self) -> None:
        """Tell everybody where a question has had no answer, and the next ones where nobody has taken an alert up."""
        now = self._clock.wall()
        turns = self._attention.unanswered(now)
        for turn in turns:
            self._put(turn)
        stepped = [self._put_steps(alert, now) for alert in self.open_alerts]
        if turns or any(stepped):
            await self._recorder.commit()

    def _put_steps(self, alert: Alert, now: float) -> bool:
        """Have those steps of an alert committed that are due and were not told; whether there are any."""
        care = self._audience.care_of(alert)
        if care is None:
            return False
        said = self._said.setdefault(alert.id, set())
        due = due_steps(alert, care.told_first(alert), care, now, self._audience.answering_since(alert, care))
        steps = [step for step in due if (step.contact, step.name) not in said]
        is_fresh = bool(steps) and self._is_fresh(alert)
        if not steps or not (is_fresh or _tells_of_the_past(alert)):
            return False
        said.update((step.contact, step.name) for step in steps)
        _log.info("nobody has answered", alert=alert.id, kind=alert.kind, told=[step.contact for step in steps])
        notifications = self._audience.again(alert, steps, now, is_fresh=is_fresh)
        self._note(alert, notifications)
        newest = max(steps, key=lambda step: step.number)
        turn = Turn(alert, f"escalated/{newest.told_at!r}/{newest.number}", now, is_news=False)
        self._recorder.put(alert, notifications, self._messages(turn))
        return True

    def _next_due(self) -> float | None:
        """When something comes due because nobody answers, s since 1970 UTC; None where nothing does."""
        now, due = self._clock.wall(), []
        for alert in self.open_alerts:
            care = self._audience.care_of(alert)
            due.append(alert.asked_until)
            if care is not None:
                since = self._audience.answering_since(alert, care)
                due.append(next_step_at(alert, care.told_first(alert), care, now, since))
        return min((at for at in due if at is not None), default=None)

    async def _wait_until(self, moment: float | None) -> None:
        """Wait until the wall clock reads `moment`, or until something has changed; half a minute at most."""
        left = LOOK_EVERY_S if moment is None else min(LOOK_EVERY_S, max(0.0, moment - self._clock.wall()))
        waiting = {
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._clock.sleep(left)),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _commit(self, turn: Turn) -> None:
        self._put(turn)
        await self._recorder.commit()

    def _put(self, turn: Turn) -> None:
        """Have a turn committed, before anything else can happen to its alert."""
        alert = turn.alert
        _log.info("turn", alert=alert.id, kind=alert.kind, turn=turn.name, is_news=turn.is_news)
        notifications = self._audience.of(turn, list(self._told.get(alert.id, ()))) if turn.is_news else []
        self._note(alert, notifications)
        self._recorder.put(alert, notifications, self._messages(turn))
        self._changed.set()

    def _note(self, alert: Alert, notifications: Sequence[Notification]) -> None:
        """Who was told of what is open."""
        if alert.state is AlertState.CLEARED:
            self._told.pop(alert.id, None)
            self._said.pop(alert.id, None)
        else:
            self._told.setdefault(alert.id, {}).update(dict.fromkeys(one.contact for one in notifications))

    def _messages(self, turn: Turn) -> list[OutboxMessage]:
        if self._home is None or turn.name == "changed":
            return []
        tell = messages.fault if is_fault(turn.alert) else messages.alert
        name = "" if turn.name in _STATES else turn.name
        return [tell(self._home, turn.alert, name, turn.at)]


def _tells_of_the_past(alert: Alert) -> bool:
    """Whether what an alert tells must be answered even while nothing new is measured.

    What is critical was never answered, and a sensor that fell silent proves nothing; the words say so. A fault can be
    looked at at any time.
    """
    return alert.severity is Severity.CRITICAL and not is_fault(alert)


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
