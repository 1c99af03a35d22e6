"""`hearthbeat alerts`: what was said, why, to whom; and taking an alert up, or putting it off."""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.commands.options import add_config, add_json, positive
from edge.errors import HearthbeatError, WrongUseError
from edge.settings.home import DEFAULT_SETTINGS_FILE, Settings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands
    from edge.notices import Alert
    from edge.store.notifications import Told

# Who has answered, where no contact is named: whoever sits at the machine.
PERSON: Final = "person"


def add_alerts(commands: Commands) -> None:
    """The command and its verbs."""
    alerts = commands.add_parser("alerts", help="what was said, and what people have answered")
    verbs = alerts.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="the newest alerts first")
    listing.add_argument("--open", action="store_true", help="only those that are not over")
    listing.add_argument("--person", metavar="ID", help="only those of one person")
    add_config(listing)
    add_json(listing)
    listing.set_defaults(command=_list)
    show = verbs.add_parser("show", help="why, since when, what to do, and who was told when")
    acknowledge = verbs.add_parser("ack", help="take an alert up: nobody else is to be told of it")
    snooze = verbs.add_parser("snooze", help="put an alert off; what becomes graver is told all the same")
    fine = verbs.add_parser("fine", help="after a fall, for the one who may have fallen: all is well")
    wanted = verbs.add_parser("help", help="after a fall, for the one who may have fallen: everybody is told to help")
    answers = (acknowledge, snooze, fine, wanted)
    commands_of = zip(answers, (_acknowledge, _snooze, _fine, _help), strict=True)
    for verb, command in ((show, _show), *commands_of):
        verb.add_argument("alert", metavar="ALERT", help="its id, or the beginning of it")
        verb.set_defaults(command=command)
    snooze.add_argument("--minutes", type=positive, default=60.0, metavar="N", help="for how long (60)")
    for verb in answers:
        verb.add_argument("--by", default=PERSON, metavar="CONTACT", help="who answers, by contact id")
    simulate = verbs.add_parser("simulate", help="what a rule would have done on a recording")
    simulate.add_argument("rule", metavar="RULE", help="a rule of the settings, a default, or a risk")
    columns = "CSV with a header: time_s and what the rule is about, such as percent, rr_ms or mg_dl"
    simulate.add_argument("--input", required=True, type=Path, metavar="FILE", help=columns)
    simulate.add_argument("--person", metavar="ID", help="whose rules; default: the first person's")
    simulate.set_defaults(command=_simulate)
    for verb in (show, *answers, simulate):
        add_config(verb)
        add_json(verb)


def _list(given: argparse.Namespace) -> int:
    from edge.notices import AlertState
    from edge.pipeline import alert_fields
    from edge.running import status

    settings = load_settings(given.config)
    people = [person.id for person in settings.people]
    if given.person is not None and given.person not in people:
        raise WrongUseError(f"{given.person} does not live here", where="--person", mend=f"use {', '.join(people)}")
    alerts = [
        alert
        for alert in status.stored_alerts(settings)
        if (given.person in {None, alert.person}) and (not given.open or alert.state is AlertState.RAISED)
    ]
    if given.json:
        print(json.dumps([alert_fields(alert) for alert in alerts]))
        return 0
    if not alerts:
        print("no alert is open" if given.open else "there was no alert yet")
    now = _now()
    for alert in alerts:
        whose = alert.person or "home"
        print(f"{_local(alert.opened_at)}  {alert.id[:8]}  {whose}  {alert.kind}  {standing(alert, now)}")
        print(f"  {alert.explanation.sentence}")
    return 0


def _show(given: argparse.Namespace) -> int:
    from edge.pipeline import alert_fields

    settings = load_settings(given.config)
    alert, told = stored_alert(settings, given.alert)
    what_to_do = _text(settings, alert)
    if given.json:
        told_fields = [_told_fields(one) for one in told]
        numbers = dict(alert.explanation.numbers)
        print(json.dumps({**alert_fields(alert), "numbers": numbers, "text": what_to_do, "told": told_fields}))
        return 0
    whose = alert.person or "home"
    print(f"{alert.id}  {whose}  {alert.kind}  {alert.severity}")
    print(f"  {standing(alert, _now())}; since {_local(alert.since)}, known since {_local(alert.opened_at)}")
    if alert.help_at is not None:
        print(f"  {alert.person} has asked for help at {_local(alert.help_at)}")
    print(f"  why: {alert.explanation.sentence}")
    for name, number in alert.explanation.numbers.items():
        print(f"    {name.replace('_', ' ')}: {number:g}")
    print(f"  told: {what_to_do}")
    for one in told:
        print(f"  {_local(one.created)}  {one.contact}: {_outcome(one)}")
        for attempt in one.log:
            came_of_it = "taken" if attempt.accepted else attempt.reason
            print(f"    {_local(attempt.at)}  {attempt.channel}: {came_of_it}")
    if not told:
        print("  nobody was told")
    return 0


def stored_alert(settings: Settings, identifier: str) -> tuple[Alert, list[Told]]:
    """An alert by the beginning of its id, and what was told of it, oldest first.

    Raises WrongUseError where no alert or several have such an id, StoreError.
    """
    from edge.running.status import store_path
    from edge.store.store import Store

    path = store_path(settings)
    found: list[Alert] = []
    told: list[Told] = []
    if path is not None and identifier:
        with Store(path) as store:
            found = store.alerts.beginning(identifier)
            told = store.notifications.told_of(found[0].id) if len(found) == 1 else []
    if len(found) != 1:
        what = "several alerts begin so" if found else "no alert has this id"
        raise WrongUseError(what, where=f"alert {identifier}", mend="see `hearthbeat alerts list`")
    return found[0], told


def _acknowledge(given: argparse.Namespace) -> int:
    words = _answer(given, {"do": "acknowledge"})
    return _say(given, words, "was acknowledged before" if words["already"] else "is acknowledged")


def _snooze(given: argparse.Namespace) -> int:
    words = _answer(given, {"do": "snooze", "seconds": given.minutes * 60.0})
    return _say(given, words, f"is snoozed until {_local(words['alert']['snoozed_until'])}")


def _fine(given: argparse.Namespace) -> int:
    words = _answer(given, {"do": "fine"})
    return _say(given, words, "was said to be well before" if words["already"] else "is said to be well")


def _help(given: argparse.Namespace) -> int:
    words = _answer(given, {"do": "help"})
    outcome = "is known as a cry for help already" if words["already"] else "is a cry for help: everybody is told"
    return _say(given, words, outcome)


def _answer(given: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the daemon; what it answers."""
    from edge.running import control

    settings = load_settings(given.config)
    contacts = [contact.id for contact in settings.contacts]
    if given.by not in (PERSON, *contacts):
        raise WrongUseError(f"{given.by} is no contact", where="--by", mend=f"use {', '.join(contacts)}")

    async def ask() -> dict[str, Any]:
        words: dict[str, Any] = {}
        asked = {**request, "alert": given.alert, "by": given.by}
        async with aclosing(control.ask(settings.home.state_directory, asked)) as answers:
            async for answer in answers:
                words.update(answer)
        return words

    return asyncio.run(ask())


def _say(given: argparse.Namespace, words: dict[str, Any], outcome: str) -> int:
    alert = words["alert"]
    if given.json:
        print(json.dumps(words))
    else:
        print(f"{alert['id']} ({alert['kind']}) {outcome}")
    if not words["stored"]:
        raise HearthbeatError(
            "the answer counts, but the disk refuses it, so that a restart forgets it",
            where=f"alert {alert['id']}",
            mend="see `hearthbeat status`",
        )
    return 0


def _simulate(given: argparse.Namespace) -> int:
    from edge.simulating import simulate

    without = given.config == DEFAULT_SETTINGS_FILE and not given.config.exists()
    told = simulate(given.rule, given.input, None if without else load_settings(given.config), given.person)
    if given.json:
        print(json.dumps(told))
        return 0
    for line in told["alerts"]:
        print(f"{line['at']:>12g} s  {line['state']}  {line['severity']}  {line['explanation']}")
    number = told["raised"]
    assumed = "; all of it is taken as measured at rest" if told["rest_assumed"] else ""
    print(f"{told['rule']}: {number} alert{'s' * (number != 1)} in {told['days']:g} days{assumed}")
    return 0


def standing(alert: Alert, now: float) -> str:
    """Where an episode stands at `now` (s since 1970 UTC), in words."""
    from edge.notices import AlertState

    if alert.state is AlertState.CLEARED:
        return f"over since {_local(alert.cleared_at or alert.opened_at)}"
    if alert.snoozed_until is not None:
        if now < alert.snoozed_until:
            return f"open, snoozed until {_local(alert.snoozed_until)}"
        return "open, waits for fresh data after its snooze"
    if alert.asked_until is not None:
        return f"open, the person is asked first, until {_local(alert.asked_until)}"
    if alert.acknowledged_at is not None:
        return f"open, acknowledged by {alert.acknowledged_by} at {_local(alert.acknowledged_at)}"
    return "open"


def _text(settings: Settings, alert: Alert) -> str:
    """What a phone shows of it."""
    from edge.alerts.faults import is_fault
    from edge.notify.texts import alert_text, fault_text
    from edge.watches.fault_fields import fault_names

    if is_fault(alert):
        return fault_text(alert, fault_names(alert, settings)).body
    names = {person.id: person.name for person in settings.people}
    return alert_text(alert, names.get(alert.person) or alert.person).body


def _told_fields(told: Told) -> dict[str, Any]:
    return {
        "contact": told.contact,
        "title": told.title,
        "created": told.created,
        "state": told.state,
        "sent_at": told.sent_at,
        "attempts": told.attempts,
        "reason": told.reason,
        "log": [
            {"at": one.at, "channel": one.channel, "accepted": one.accepted, "reason": one.reason} for one in told.log
        ],
    }


def _outcome(told: Told) -> str:
    if told.sent_at is not None:
        return f"told at {_local(told.sent_at)}: {told.title}"
    why = f" ({told.reason})" if told.reason else ""
    return f"not told yet, after {told.attempts} attempts{why}: {told.title}"


def _local(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC).astimezone():%Y-%m-%d %H:%M}"


def _now() -> float:
    from edge.clock import SystemClock

    return SystemClock().wall()
