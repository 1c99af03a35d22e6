"""What a contact reads of a bundle: one story as it was written, or with what has become of it; several as a digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from edge.notices import Notification, Severity
from edge.notify.bundles import Bundle, Story
from edge.notify.languages import Language, language_of
from edge.notify.phone import Contact, Message
from edge.notify.texts import LATE_AFTER_S, SUMMARIES, clock_time

# Letters of a digest with whole texts; a longer one holds titles. Pushover takes 1,024 letters (Apprise's channel says
# so), ntfy 4,096 bytes (its release notes, 1.11.0), of which a Chinese letter needs three.
MOST_LETTERS: Final = 1000
# Titles in a digest, the newest; the others are counted. Our choice: a screen of a phone.
MOST_TITLES: Final = 12
# A turn that is only understood by whoever knows what was told before.
_ANSWERED: Final = "answered"
_GRAVITY: Final = {severity: rank for rank, severity in enumerate(Severity)}


def composed(bundle: Bundle, contact: Contact, now: float, zone: tzinfo | None = None) -> Message:
    """The message of a bundle, in the contact's language, at `now` (s since 1970 UTC)."""
    if len(bundle.stories) > 1:
        return _digest(bundle.stories, contact, now, zone)
    (story,) = bundle.stories
    _, newest = language_of(contact.language), story.parts[-1].notification
    title, body = _told(story, _)
    ended = clock_time(newest.created, now, zone, contact.language)
    when = {"began": clock_time(story.began, now, zone, contact.language), "ended": ended}
    # A summary of a day says which day it is of: nothing happened when it was made.
    is_late = now - newest.created > LATE_AFTER_S and newest.turn not in SUMMARIES
    hours = None if story.is_urgent else contact.quiet_hours  # what is urgent was not held by them
    was_quiet = hours is not None and hours.until(newest.created, zone) is not None
    if story.is_over and is_late and not was_quiet:
        body = _("It began at {began} and was over at {ended}; it reaches you late. {body}", **when, body=body)
    elif story.is_over:
        body = _("It began at {began} and was over at {ended}. {body}", **when, body=body)
    elif is_late and was_quiet:
        body = _("This happened at {time}, in your quiet hours. {body}", time=ended, body=body)
    elif is_late:
        body = _("This happened at {time}; it reaches you late. {body}", time=ended, body=body)
    if any(part.perhaps_repeated for part in story.parts):
        title = _("Perhaps a repeat: {title}", title=title)
    return Message(title, body, _severity(story), turn=newest.turn)


def _digest(stories: Sequence[Story], contact: Contact, now: float, zone: tzinfo | None) -> Message:
    _ = language_of(contact.language)
    titles, texts = [], []
    for story in stories:
        title, body = _told(story, _)
        titles.append(f"{clock_time(story.began, now, zone, contact.language)}  {title}")
        texts.append(f"{titles[-1]}\n{body}")
    told = "\n\n".join(texts)
    if len(told) > MOST_LETTERS:
        left_out = max(0, len(titles) - MOST_TITLES)
        told = "\n".join(titles[left_out:])
        if left_out:
            told = _.several("{n} earlier one, and:", "{n} earlier ones, and:", left_out) + "\n" + told
    title = _.several("{n} message that waited", "{n} messages that waited", len(stories))
    if any(part.perhaps_repeated for story in stories for part in story.parts):
        title = _("Perhaps a repeat: {title}", title=title)
    return Message(title, told, max(map(_severity, stories), key=_GRAVITY.__getitem__))


def _told(story: Story, _: Language) -> tuple[str, str]:
    """Title and body of a story, without a word on when."""
    *before, newest = (part.notification for part in story.parts)
    known = _newest_news(before)
    if known is None:
        return newest.title, newest.body
    if story.is_over:
        return _("Over: {title}", title=known.title), newest.body
    if newest.turn == _ANSWERED:
        return newest.title, f"{newest.body}\n{known.body}"
    return newest.title, newest.body


def _newest_news(told: Sequence[Notification]) -> Notification | None:
    """The newest that says what is the matter."""
    news = [one for one in told if one.turn != _ANSWERED] or list(told)
    return news[-1] if news else None


def _severity(story: Story) -> Severity:
    """What is over is no more than information."""
    return Severity.INFO if story.is_over else story.parts[-1].notification.severity
