"""What goes to a contact now, and in how many messages: quiet hours, the rate limit, and what belongs together; pure.

All that one contact has waiting about one alert is one story, so that nobody reads that it began, worsened and ended in
three messages. What is critical goes at once, each story as a message of its own. The rest keeps quiet hours and the
rate limit; what had to wait goes as one message, a digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from edge.notices import DueNotification, Notification, Severity
from edge.notify.phone import Contact
from edge.notify.texts import LATE_AFTER_S

HOUR_S: Final = 3600.0
_CLEARED: Final = "cleared"


@dataclass(frozen=True, slots=True)
class Story:
    """What waits about one alert, oldest first."""

    parts: tuple[DueNotification, ...]

    @property
    def began(self) -> float:
        """When the oldest of it was to be told, s since 1970 UTC."""
        return self.parts[0].notification.created

    @property
    def is_over(self) -> bool:
        """Whether it holds both the news and its end, so that all of it is past."""
        return len(self.parts) > 1 and self.parts[-1].notification.turn == _CLEARED

    @property
    def is_urgent(self) -> bool:
        """Whether it may wait for nothing; what is over wakes nobody, but an all-clear is for people who are up."""
        return not self.is_over and any(part.notification.severity is Severity.CRITICAL for part in self.parts)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Stories that go as one message, in the order in which they began."""

    stories: tuple[Story, ...]

    @property
    def parts(self) -> list[DueNotification]:
        """All that it holds."""
        return [part for story in self.stories for part in story.parts]

    @property
    def is_urgent(self) -> bool:
        """Whether it may wait for nothing."""
        return any(story.is_urgent for story in self.stories)


def stories_of(waiting: Sequence[DueNotification]) -> list[Story]:
    """Each alert's notifications together, in the order in which the stories began.

    What does not say its turn (an earlier edition has stored it) or what it is about stands for itself.
    """
    found: dict[str, list[DueNotification]] = {}
    for part in sorted(waiting, key=lambda one: (one.notification.created, one.notification.id)):
        found.setdefault(story_of(part.notification), []).append(part)
    return [Story(tuple(parts)) for parts in found.values()]


def story_of(told: Notification) -> str:
    """What is the same for all notifications of one story."""
    return told.alert_id if told.turn and told.alert_id else told.id


def bundles(
    waiting: Sequence[DueNotification],
    contact: Contact,
    told: Sequence[float],
    now: float,
    zone: tzinfo | None = None,
) -> list[Bundle]:
    """The messages that `contact` gets at `now`, the urgent ones first; what is in none of them goes on waiting.

    `waiting` is all that is to be told to this contact, `told` when (s since 1970 UTC) it was told something lately. A
    message of which no part is due waits for its retry.
    """
    stories = stories_of(waiting)
    made = [Bundle((story,)) for story in stories if story.is_urgent]
    calm = [story for story in stories if not story.is_urgent]
    if calm and (contact.quiet_hours is None or contact.quiet_hours.until(now, zone) is None):
        lately = sum(0.0 <= now - moment < HOUR_S for moment in told)
        made += _calm_bundles(calm, contact.most_per_hour - lately - len(made), now)
    return [bundle for bundle in made if any(part.is_due for part in bundle.parts)]


def _calm_bundles(stories: Sequence[Story], free: int, now: float) -> list[Bundle]:
    """What is not urgent, in at most `free` messages: one of all that had to wait, and each fresh one for itself."""
    if free <= 0:
        return []
    waited = tuple(story for story in stories if now - story.began > LATE_AFTER_S)
    fresh = [Bundle((story,)) for story in stories if story not in waited]
    if bool(waited) + len(fresh) > free:
        return [Bundle(tuple(stories))]
    return ([Bundle(waited)] if waited else []) + fresh
