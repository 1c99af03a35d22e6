"""What people are told of an alert, turn by turn, and what they have answered: acknowledged, snoozed; pure.

The engines say that an episode is raised, has become graver or is over; here is decided whether that is news. Every
turn is one Alert in its new state, to be stored in one transaction with all that tells of it.

raised ──▶ told ──acknowledge──▶ acknowledged ──┐
   │          │                                  ├──▶ cleared
   │          └──snooze──▶ snoozed ──over──▶ told again (on fresh data only)
   └──▶ asked (who may have fallen) ──fine──▶ acknowledged
          └──help, or no answer──▶ told to everybody
A graver turn is told whatever was answered before. A snooze counts for one kind of alert of one person (of faults: of
the same things) up to the severity that it was wished for, and so for episodes that are raised meanwhile, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from edge.alerts.escalation import LONGEST_COUNTDOWN_S
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState, Severity, Snooze

# Our choice: a snooze is for a nap or a night, and no way to switch a rule off (that is a line of hearthbeat.toml).
SHORTEST_SNOOZE_S: Final = 60.0
LONGEST_SNOOZE_S: Final = 24 * 3600.0
_GRAVITY: Final = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Turn:
    """An alert in its new state, as of `at` (s since 1970 UTC).

    `name` says what has happened ("changed": nothing that anybody must know), and is the same whenever the same turn of
    the same alert is told. Somebody is to be told where `is_news`; `is_again` says that they were told before and it is
    still so.
    """

    alert: Alert
    name: str
    at: float
    is_news: bool
    is_again: bool = False


class Attention:
    """The open alerts of a home and what people have answered.

    `open_alerts` and `snoozes` are those that are stored: with them a new process goes on where the old one stopped.
    """

    def __init__(self, open_alerts: Iterable[Alert] = (), snoozes: Iterable[Snooze] = ()) -> None:
        self._open = {alert.id: alert for alert in open_alerts}
        self._snoozes = {_key(snooze): snooze for snooze in snoozes}

    @property
    def open_alerts(self) -> list[Alert]:
        """What is not over, oldest first."""
        return sorted(self._open.values(), key=lambda alert: (alert.opened_at, alert.id))

    def take(self, alert: Alert, now: float, *, is_news: bool = True, ask_s: float = 0.0) -> Turn:
        """An alert as its engine sees it, which knows of no answers; `is_news` False where it is only to be kept.

        Of an episode that begins only the person is told for `ask_s`, and asked; the time runs from now, whether or not
        the question reaches them.
        """
        known = self._open.get(alert.id)
        if alert.state is AlertState.CLEARED:
            return self._clear(alert, known, now, is_news=is_news)
        if known is None:
            at, name = alert.opened_at, "raised"
        elif _GRAVITY[alert.severity] > _GRAVITY[known.severity]:
            at, name = now, f"graver/{alert.severity}"
        else:
            self._open[alert.id] = _with_answers(alert, known)
            return Turn(self._open[alert.id], "changed", now, is_news=False)
        snooze = self._snooze_of(alert, now)
        told_at = None if known is None else known.told_at
        if is_news and snooze is None:
            told_at = now
        until = None if snooze is None else snooze.until
        is_told = is_news and snooze is None
        taken = replace(
            alert,
            told_at=told_at,
            acknowledged_at=None,
            acknowledged_by=None,
            snoozed_until=until,
            asked_until=now + ask_s if known is None and is_told and ask_s else None,
        )
        self._open[alert.id] = taken
        return Turn(taken, name, at, is_news=is_told)

    def fallen_again(self, alert: Alert, now: float, *, ask_s: float) -> Turn:
        """An open episode in which it has happened anew, after the person had answered that all is well."""
        snooze = self._snooze_of(alert, now)
        taken = replace(
            alert,
            told_at=now if snooze is None else self._open[alert.id].told_at,
            acknowledged_at=None,
            acknowledged_by=None,
            snoozed_until=None if snooze is None else snooze.until,
            asked_until=now + ask_s if ask_s and snooze is None else None,
            help_at=None,
        )
        self._open[alert.id] = taken
        return Turn(taken, f"fallen/{now!r}", now, is_news=snooze is None)

    def acknowledge(self, identifier: str, by: str, now: float) -> Turn:
        """Somebody has taken an alert up; nothing changes where somebody had before.

        The others who were told are to know, so that two need not go. `identifier` is an alert's id or its beginning.
        Raises WrongUseError where no such alert is open.
        """
        alert = self.one(identifier)
        if alert.acknowledged_at is not None and alert.snoozed_until is None:
            return Turn(alert, "changed", now, is_news=False)
        return self._answered(alert, f"acknowledged/{now!r}", by, now)

    def fine(self, identifier: str, by: str, now: float) -> Turn:
        """The person has answered that all is well, whoever has taken the alert up; as `acknowledge`."""
        alert = self.one(identifier)
        if alert.acknowledged_at is not None and alert.acknowledged_by == by:
            return Turn(alert, "changed", now, is_news=False)
        return self._answered(alert, f"fine/{now!r}", by, now)

    def _answered(self, alert: Alert, name: str, by: str, now: float) -> Turn:
        taken = replace(alert, acknowledged_at=now, acknowledged_by=by, snoozed_until=None, asked_until=None)
        self._open[alert.id] = taken
        return Turn(taken, name, now, is_news=alert.told_at is not None)

    def help(self, identifier: str, own: Collection[str], now: float) -> Turn:
        """The person asks for help: everybody is to be told, whatever was answered before, and once.

        `own` are those who answer for the person: after an answer of theirs that all is well it is news again. Raises
        as `acknowledge`.
        """
        alert = self.one(identifier)
        if alert.help_at is not None and alert.acknowledged_by not in own:
            return Turn(alert, "changed", now, is_news=False)
        return self._tell_all(alert, f"help/{now!r}", now, help_at=now)

    def unanswered(self, now: float) -> list[Turn]:
        """The questions whose time is over: everybody is to be told that there was no answer."""
        return [
            self._tell_all(alert, f"unanswered/{alert.asked_until!r}", now, help_at=alert.help_at)
            for alert in self.open_alerts
            # One that ends too far ahead was asked before the clock was set back.
            if alert.asked_until is not None and not now < alert.asked_until <= now + LONGEST_COUNTDOWN_S
        ]

    def _tell_all(self, alert: Alert, name: str, now: float, *, help_at: float | None) -> Turn:
        taken = replace(
            alert,
            told_at=now,
            acknowledged_at=None,
            acknowledged_by=None,
            snoozed_until=None,
            asked_until=None,
            help_at=help_at,
        )
        self._open[alert.id] = taken
        return Turn(taken, name, now, is_news=True)

    def snooze(self, identifier: str, seconds: float, now: float) -> Turn:
        """Nobody wants to hear of this for some time; as `acknowledge`, and raises WrongUseError for another time."""
        alert = self.one(identifier)
        if not SHORTEST_SNOOZE_S <= seconds <= LONGEST_SNOOZE_S:
            raise WrongUseError(
                f"nobody can snooze for {seconds / 60.0:g} minutes",
                where=f"alert {identifier}",
                mend=f"give {SHORTEST_SNOOZE_S / 60.0:g} to {LONGEST_SNOOZE_S / 60.0:g} minutes",
            )
        taken = replace(alert, snoozed_until=now + seconds)
        self._open[alert.id] = taken
        snooze = Snooze(alert.person, alert.kind, alert.subject, alert.severity, now + seconds)
        self._snoozes[_key(snooze)] = snooze
        return Turn(taken, f"snoozed/{now + seconds!r}", now, is_news=False)

    def over(self, now: float, is_fresh: Callable[[Alert], bool]) -> list[Turn]:
        """The alerts whose snooze is over and that are still so, as far as fresh data tell; the others go on waiting.

        `is_fresh` says whether an open alert rests on what is known now: old data are no reason to wake anybody.
        """
        turns = []
        for alert in self.open_alerts:
            if alert.snoozed_until is None or _lasts(alert.snoozed_until, now) or not is_fresh(alert):
                continue
            other = self._snooze_of(alert, now)
            if other is not None:  # wished for in a graver episode of the kind
                self._open[alert.id] = replace(alert, snoozed_until=other.until)
                turns.append(Turn(self._open[alert.id], f"snoozed/{other.until!r}", now, is_news=False))
                continue
            taken = replace(alert, told_at=now, acknowledged_at=None, acknowledged_by=None, snoozed_until=None)
            self._open[alert.id] = taken
            if alert.told_at is None:
                turns.append(Turn(taken, "raised", now, is_news=True))
            else:
                turns.append(Turn(taken, f"again/{alert.snoozed_until!r}", now, is_news=True, is_again=True))
        return turns

    def _clear(self, alert: Alert, known: Alert | None, now: float, *, is_news: bool) -> Turn:
        """Good news is for those who had the bad; an episode that came and went in a snooze is none."""
        self._open.pop(alert.id, None)
        cleared = alert if known is None else _with_answers(alert, known)
        at = now if alert.cleared_at is None else alert.cleared_at
        return Turn(cleared, "cleared", at, is_news=is_news and (known is None or known.told_at is not None))

    def _snooze_of(self, alert: Alert, now: float) -> Snooze | None:
        """The longest snooze that counts for an alert."""
        subjects = set(alert.subject.split(","))
        self._snoozes = {key: snooze for key, snooze in self._snoozes.items() if _lasts(snooze.until, now)}
        counting = [
            snooze
            for snooze in self._snoozes.values()
            if (snooze.person, snooze.kind) == (alert.person, alert.kind)
            and _GRAVITY[alert.severity] <= _GRAVITY[snooze.severity]
            and subjects <= set(snooze.subject.split(","))
        ]
        return max(counting, key=lambda snooze: snooze.until, default=None)

    def one(self, identifier: str) -> Alert:
        """The open alert whose id this is, or begins so. Raises WrongUseError."""
        found = [alert for alert in self._open.values() if identifier and alert.id.startswith(identifier)]
        if len(found) != 1:
            what = "several open alerts begin so" if found else "no open alert has this id"
            raise WrongUseError(what, where=f"alert {identifier}", mend="see `hearthbeat alerts list`")
        return found[0]


def _key(snooze: Snooze) -> tuple[str, str, str, Severity]:
    return snooze.person, snooze.kind, snooze.subject, snooze.severity


def _lasts(until: float, now: float) -> bool:
    """Whether a snooze is not over; one that ends too far ahead was wished for before the clock was set back."""
    return now < until <= now + LONGEST_SNOOZE_S


def _with_answers(alert: Alert, known: Alert) -> Alert:
    return replace(
        alert,
        since=known.since,
        told_at=known.told_at,
        acknowledged_at=known.acknowledged_at,
        acknowledged_by=known.acknowledged_by,
        snoozed_until=known.snoozed_until,
        asked_until=known.asked_until,
        help_at=known.help_at,
    )
