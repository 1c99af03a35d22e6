"""`hearthbeat people`: who lives here, how they are over days, and whose a measurement was."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from edge.commands.options import add_config, add_json
from edge.errors import WrongUseError
from edge.settings.home import Settings, load_settings

if TYPE_CHECKING:
    from edge.commands.options import Commands
    from edge.store.claims import StoredClaim


def add_people(commands: Commands) -> None:
    """The command and its verbs."""
    people = commands.add_parser("people", help="who lives here, how they are, and whose a measurement was")
    verbs = people.add_subparsers(required=True, metavar="VERB")
    _add_who(verbs)
    _add_claims(verbs)
    nights = verbs.add_parser("nights", help="each night's resting heart rate beside what is usual for the person")
    nights.add_argument("person", metavar="PERSON")
    add_config(nights)
    add_json(nights)
    nights.set_defaults(command=_people_nights)
    news2 = verbs.add_parser("news2", help="the NEWS2 score of the vital signs that are known; partial ones say so")
    news2.add_argument("person", metavar="PERSON")
    for name, unit in (
        ("respiration-rate", "breaths a minute"),
        ("spo2", "percent"),
        ("systolic", "mmHg"),
        ("pulse", "beats a minute; default: what the wearables tell"),
        ("temperature", "degrees Celsius"),
    ):
        news2.add_argument(f"--{name}", type=float, metavar="N", help=unit)
    breathing = news2.add_mutually_exclusive_group()
    breathing.add_argument("--air", dest="supplemental_oxygen", action="store_const", const=False, help="breathes air")
    breathing.add_argument(
        "--oxygen", dest="supplemental_oxygen", action="store_const", const=True, help="breathes supplemental oxygen"
    )
    news2.add_argument("--consciousness", choices=["alert", "confusion", "voice", "pain", "unresponsive"], help="ACVPU")
    news2.add_argument("--scale-2", action="store_true", help="a doctor has set an SpO2 target of 88 to 92 percent")
    add_config(news2)
    add_json(news2)
    news2.set_defaults(command=_people_news2)


def _add_who(verbs: Commands) -> None:
    add = verbs.add_parser("add", help="write a person into hearthbeat.toml")
    add.add_argument("person", metavar="ID", help="the name in topics and logs: small letters, digits, - and _")
    add.add_argument("--name", default="", help="what the family calls the person; stays at home")
    add.add_argument(
        "--contact", action="append", default=[], metavar="CONTACT", help="who is told; the person's own phone first"
    )
    add.add_argument(
        "--new-contact",
        action="append",
        default=[],
        metavar="CONTACT=FILE",
        help="the same for a new contact, whose Apprise URL is the first line of FILE",
    )
    add_config(add)
    add_json(add)
    add.set_defaults(command=_people_add)
    listing = verbs.add_parser("list", help="everybody, who is told, and what they wear")
    add_config(listing)
    add_json(listing)
    listing.set_defaults(command=_people_list)


def _add_claims(verbs: Commands) -> None:
    claims = verbs.add_parser("claims", help="measurements of shared devices that belong to nobody yet")
    claims.add_argument("--all", action="store_true", help="and those that were claimed, or are nobody's for good")
    add_config(claims)
    add_json(claims)
    claims.set_defaults(command=_people_claims)
    claim = verbs.add_parser("claim", help="say whose a measurement was")
    claim.add_argument("claim", metavar="CLAIM", help="its id, or how it begins")
    whose = claim.add_mutually_exclusive_group(required=True)
    whose.add_argument("--person", metavar="PERSON", help="it was this person's")
    whose.add_argument("--nobody", action="store_true", help="it was nobody's who lives here")
    add_config(claim)
    add_json(claim)
    claim.set_defaults(command=_people_claim)


def _people_add(given: argparse.Namespace) -> int:
    from edge.settings.file import SettingsFile
    from edge.settings.reloading import save_and_reload

    file = SettingsFile(given.config)
    contacts = list(given.contact)
    for named in given.new_contact:
        contact, is_given, url_file = named.partition("=")
        if not is_given or not url_file:
            raise WrongUseError(
                f"{named!r} names no file", where="--new-contact", mend="write CONTACT=FILE, such as bert=bert.url"
            )
        file.add_contact(contact, url_file)
        contacts.append(contact)
    if not contacts:
        raise WrongUseError("nobody would be told", where="people add", mend="give --contact or --new-contact")
    file.add_person(given.person, given.name, contacts)
    _check_secrets(file.check(), contacts)
    outcome = save_and_reload(file)
    if given.json:
        print(json.dumps({"id": given.person, "name": given.name, "contacts": contacts, **outcome.fields()}))
    else:
        print(f"{given.person} lives here now, and {', '.join(contacts)} will be told; {outcome.sentence}")
        print(f"next, put a wearable on and add it: hearthbeat devices add ADDRESS --person {given.person}")
    return outcome.exit_code


def _check_secrets(settings: Settings, contacts: list[str]) -> None:
    """A contact whose URL cannot be read would keep the daemon from starting: SettingsError now."""
    from edge.settings.contacts import contact_of

    for contact in settings.contacts:
        if contact.id in contacts:
            contact_of(contact)


def _people_list(given: argparse.Namespace) -> int:
    settings = load_settings(given.config)
    if given.json:
        print(json.dumps([_person_fields(settings, person.id) for person in settings.people]))
        return 0
    for person in settings.people:
        fields = _person_fields(settings, person.id)
        worn = [wearable.name or wearable.address for wearable in person.wearables]
        print(f"{person.id}  {person.name}".rstrip())
        print(f"  told: {', '.join(person.contacts)}")
        if person.care.carers:
            print(f"  then: {', '.join(person.care.carers)}")
        print(f"  wears: {', '.join(worn) or 'nothing yet'}")
        if fields["shares"]:
            print(f"  shares: {', '.join(fields['shares'])}")
    return 0


def _person_fields(settings: Settings, person: str) -> dict[str, Any]:
    found = next(one for one in settings.people if one.id == person)
    shared = [device for device in settings.shared if not device.people or person in device.people]
    return {
        "id": found.id,
        "name": found.name,
        "contacts": found.contacts,
        "carers": found.care.carers,
        "wearables": [wearable.model_dump() for wearable in found.wearables],
        "shares": [device.name or device.address for device in shared],
    }


def _people_claims(given: argparse.Namespace) -> int:
    from edge.household.claiming import claims_of_home, show_claims

    settings = load_settings(given.config)
    claims = claims_of_home(settings, everything=given.all)
    if given.json:
        print(json.dumps([_claim_fields(claim) for claim in claims]))
    else:
        show_claims(claims, settings)
    return 0


def _people_claim(given: argparse.Namespace) -> int:
    from edge.household.claiming import settle
    from edge.notify.questions import told_values

    claimed = settle(load_settings(given.config), given.claim, None if given.nobody else given.person)
    if given.json:
        print(json.dumps(_claim_fields(claimed)))
    else:
        print(f"{told_values(claimed.claim)} is {'nobody' if given.nobody else given.person}'s now")
    return 0


def _claim_fields(stored: StoredClaim) -> dict[str, Any]:
    """A claim for JSON; times in seconds since 1970 UTC."""
    from edge.notify.questions import told_values

    claim = stored.claim
    return {
        "id": claim.id,
        "device": claim.device,
        "measured_at": claim.measured_at,
        "told": told_values(claim),
        "values": {one.channel.value: round(one.values[-1], 2) for one in claim.readings},
        "user": claim.user,
        "candidates": [{"person": who, "likelihood": round(share, 3)} for who, share in claim.candidates],
        "state": stored.state.value,
        "person": stored.person,
    }


def _people_nights(given: argparse.Namespace) -> int:
    from rich.console import Console

    from edge.household.people import nights_of, show_nights
    from edge.watches.nights import verdict_fields

    verdicts = nights_of(load_settings(given.config), given.person)
    if given.json:
        print(json.dumps([verdict_fields(verdict) for verdict in verdicts]))
    else:
        show_nights(verdicts, Console())
    return 0


def _people_news2(given: argparse.Namespace) -> int:
    from dataclasses import fields

    from rich.console import Console

    from edge.household.people import news2_of, show_news2
    from edge.signals.news2 import Consciousness, Spo2Scale, Vitals
    from edge.watches.vitals import news2_fields

    measured = {field.name: getattr(given, field.name) for field in fields(Vitals)}
    if given.consciousness is not None:
        measured["consciousness"] = Consciousness(given.consciousness)
    scale = Spo2Scale.TWO if given.scale_2 else Spo2Scale.ONE
    scored = news2_of(load_settings(given.config), given.person, measured, scale)
    if given.json:
        print(json.dumps(news2_fields(scored)))
    else:
        show_news2(scored, Console())
    return 0
