"""`hearthbeat notify daily`: the daily word as it would be told now, sent to nobody."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from edge.commands.options import add_config, add_json
from edge.errors import WrongUseError
from edge.notify.languages import languages
from edge.settings.contacts import ContactSettings
from edge.settings.home import PersonSettings, Settings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands


def add_daily(verbs: Commands) -> None:
    """The verb."""
    daily = verbs.add_parser("daily", help="show the daily word of a person, and send it to nobody")
    daily.add_argument("person", metavar="PERSON", help="id of a person in the settings")
    daily.add_argument("--contact", metavar="CONTACT", help="as this contact is told; default: the person's own")
    daily.add_argument("--weekly", action="store_true", help="that of the last seven days")
    daily.add_argument("--language", choices=languages(), help="in another language than the contact's")
    add_config(daily)
    add_json(daily)
    daily.set_defaults(command=_daily)


def _daily(given: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from edge.clock import SystemClock
    from edge.daily.round import Due, word_of
    from edge.running.status import store_path
    from edge.store.store import Store

    settings = load_settings(given.config)
    person = _person(settings, given.person)
    contact = _contact(settings, given.contact or (person.cared_for.own or (person.contacts[0],))[0])
    if given.language is not None:
        contact = contact.model_copy(update={"language": given.language})
    path = store_path(settings)
    if path is None:
        folder = str(settings.home.state_directory)
        raise WrongUseError("nothing is stored yet", where=folder, mend="start the daemon first")
    now = SystemClock().wall()
    day = datetime.fromtimestamp(now, UTC).astimezone().date()
    with Store(path) as store:
        found = word_of(store, settings, Due(person, contact, day, 7 if given.weekly else 1), now)
    if given.json:
        fields: dict[str, object] = {
            "person": person.id,
            "contact": contact.id,
            "language": contact.language,
            "title": None,
            "body": None,
        }
        if found is not None:
            facts, text = found
            fields |= {"start": facts.start, "end": facts.end, "title": text.title, "body": text.body}
        print(json.dumps(fields, ensure_ascii=False))
    elif found is None:
        print(f"nothing was measured of {person.id} lately, so that nobody is told a word")
    else:
        print(f"{found[1].title}\n\n{found[1].body}")
    return 0


def _person(settings: Settings, wanted: str) -> PersonSettings:
    for person in settings.people:
        if person.id == wanted:
            return person
    known = " or ".join(person.id for person in settings.people)
    raise WrongUseError(f"nobody here is called {wanted!r}", where="PERSON", mend=f"use {known}")


def _contact(settings: Settings, wanted: str) -> ContactSettings:
    for contact in settings.contacts:
        if contact.id == wanted:
            return contact
    known = " or ".join(contact.id for contact in settings.contacts)
    raise WrongUseError(f"no contact is called {wanted!r}", where="--contact", mend=f"use {known}")
