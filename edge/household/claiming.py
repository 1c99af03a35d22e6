"""Whose measurements of shared devices were: what waits for an answer, and the answer."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.clock import SystemClock
from edge.errors import WrongUseError
from edge.notify.questions import told_values
from edge.running.status import store_path
from edge.settings.home import Settings
from edge.store.claims import ClaimState, StoredClaim
from edge.store.store import Store

# How many claims are listed at most. Our choice.
MOST_LISTED = 100
_OPEN = (ClaimState.WAITING, ClaimState.UNANSWERED)


def claims_of_home(settings: Settings, *, everything: bool) -> list[StoredClaim]:
    """What waits for an answer, or `everything` that is still known; newest first. Raises StoreError."""
    path = store_path(settings)
    if path is None:
        return []
    with Store(path) as store:
        return [one for one in store.claims.recent(MOST_LISTED) if everything or one.state in _OPEN]


def settle(settings: Settings, prefix: str, person: str | None) -> StoredClaim:
    """Give the measurement whose id begins with `prefix` to `person`, or to nobody for good; it as it is now.

    Raises WrongUseError for an unknown person, no or several such measurements, and one that was given before;
    StoreError when the disk refuses.
    """
    people = [known.id for known in settings.people]
    if person is not None and person not in people:
        raise WrongUseError(f"nobody here has the id {person!r}", where="--person", mend=f"use {' or '.join(people)}")
    path = store_path(settings)
    if path is None:
        raise _unknown(prefix)
    with Store(path) as store:
        found = store.claims.found(prefix) if prefix else []
        if not found:
            raise _unknown(prefix)
        if len(found) > 1:
            raise WrongUseError(f"{prefix} may be {len(found)} measurements", where="CLAIM", mend="give more of the id")
        if not store.claims.settle(found[0].claim.id, person, SystemClock().wall()):
            what = f"{prefix} is {found[0].person or 'nobody'}'s already"
            raise WrongUseError(what, where="CLAIM", mend="see `hearthbeat people claims --all`")
        return store.claims.found(found[0].claim.id)[0]


def _unknown(prefix: str) -> WrongUseError:
    return WrongUseError(f"no measurement has the id {prefix!r}", where="CLAIM", mend="see `hearthbeat people claims`")


def show_claims(
    claims: list[StoredClaim], settings: Settings, console: Console | None = None, zone: tzinfo | None = None
) -> None:
    """Print claims for people, with those who may have measured, the likeliest first."""
    console = console or Console()
    if not claims:
        console.print("no measurement waits for somebody to say whose it is")
        return
    names = {device.address: device.name for device in settings.shared}
    table = Table("id", "measured", "device", "what", "whose")
    for one in claims:
        at = datetime.fromtimestamp(one.claim.measured_at, UTC).astimezone(zone)
        device = names.get(one.claim.device) or one.claim.device
        table.add_row(one.claim.id[:6], f"{at:%Y-%m-%d %H:%M}", escape(device), told_values(one.claim), _whose(one))
    console.print(table)
    console.print("say whose one is: hearthbeat people claim ID --person PERSON, or --nobody", highlight=False)


def _whose(stored: StoredClaim) -> str:
    if stored.state not in _OPEN:
        return stored.person or "nobody's"
    likely = ", ".join(f"{person} {100 * share:.0f} %" for person, share in stored.claim.candidates)
    return f"nobody's yet: {likely}" if stored.state is ClaimState.WAITING else f"nobody has answered: {likely}"
