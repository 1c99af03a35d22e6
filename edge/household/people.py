"""`hearthbeat people`: how a person's nights were, and the NEWS2 score of what is known now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from edge.clock import SystemClock
from edge.errors import WrongUseError
from edge.running.status import store_path
from edge.settings.home import Settings
from edge.signals.news2 import News2, Spo2Scale, Vitals, news2
from edge.signals.night_baseline import Verdict, judge_nights
from edge.store.store import Store
from edge.watches.nights import stored_nights
from edge.watches.vitals import stored_vitals

Found = TypeVar("Found")


def nights_of(settings: Settings, person: str) -> list[Verdict]:
    """The verdict of every night of a person, oldest first.

    Raises WrongUseError for a person who is not in the settings, StoreError when the disk refuses.
    """
    return judge_nights(_stored(settings, person, stored_nights, nothing=[]))


def news2_of(settings: Settings, person: str, measured: Mapping[str, Any], scale: Spo2Scale) -> News2:
    """The NEWS2 score of what the wearables know, and of the vital signs `measured` by hand, which come first.

    `measured` holds fields of Vitals; None is not measured. Raises as `nights_of`.
    """
    known = {name: value for name, value in measured.items() if value is not None}
    return news2(replace(_stored(settings, person, stored_vitals, nothing=Vitals()), **known), scale)


def _stored(settings: Settings, person: str, read: Callable[[Store, str, float], Found], *, nothing: Found) -> Found:
    """What `read` finds of a person in the store now; `nothing` where there is no store yet."""
    people = [known.id for known in settings.people]
    if person not in people:
        raise WrongUseError(f"nobody here has the id {person!r}", where="PERSON", mend=f"use {' or '.join(people)}")
    path = store_path(settings)
    if path is None:
        return nothing
    with Store(path) as store:
        return read(store, person, SystemClock().wall())


def show_nights(verdicts: Sequence[Verdict], console: Console, zone: tzinfo | None = None) -> None:
    """Print nights for people; a night that is not known says why."""
    if not verdicts:
        console.print("no night is known yet: wear the strap or the watch at night")
        return
    table = Table("morning", "resting heart rate", "usual", "last nights", "")
    for verdict in verdicts:
        table.add_row(
            f"{datetime.fromtimestamp(verdict.night.end, UTC).astimezone(zone):%Y-%m-%d}",
            "not known" if verdict.night.resting_bpm is None else f"{verdict.night.resting_bpm:.0f}",
            *_usual(verdict),
            _remark(verdict),
        )
    console.print(table)
    console.print(verdicts[-1].sentence, highlight=False)


def _usual(verdict: Verdict) -> tuple[str, str]:
    usual = verdict.baseline
    if usual is None:
        return "not known", ""
    nights = f"{usual.lowest_bpm:.0f} to {usual.highest_bpm:.0f} in {usual.used} nights"
    return f"{usual.usual_bpm:.0f}", f"{nights}, {usual.missing} missing" if usual.missing else nights


def _remark(verdict: Verdict) -> str:
    if verdict.reason is not None:
        return verdict.reason
    high = "high" if verdict.elevated else ""
    return "high, as in the nights before" if verdict.raised and verdict.elevated else high


def show_news2(scored: News2, console: Console) -> None:
    """Print a score for people, with the reason of each vital sign that is missing."""
    console.print(scored.sentence, highlight=False)
    for vital, points in scored.parts.items():
        console.print(f"  {vital.replace('_', ' ')}: {points}", highlight=False)
    for vital, reason in scored.missing.items():
        console.print(f"  {vital.replace('_', ' ')}: missing, {reason}", highlight=False)
