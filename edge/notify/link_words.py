"""What a button says, and what the page behind it says, in the language of the contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from edge.notices import Button
from edge.notify.alert_words import EMERGENCY_NUMBER
from edge.notify.languages import ENGLISH, language_of
from edge.phrases import words


@dataclass(frozen=True, slots=True)
class Page:
    """What the page behind a button shows: a `title`, plain `words`, and `button` where it is still to be pressed."""

    status: HTTPStatus
    title: str
    words: str
    button: str | None = None
    language: str = ENGLISH

    def as_json(self) -> dict[str, str | int | None]:
        """The page for the process that shows it."""
        return {
            "status": int(self.status),
            "title": self.title,
            "words": self.words,
            "button": self.button,
            "language": self.language,
        }


# A button of ntfy has room for two or three words.
_LABELS: Final[Mapping[Button, str]] = MappingProxyType(
    {
        Button.ACKNOWLEDGE: words("Acknowledge"),
        Button.SNOOZE: words("Snooze 1 h"),
        Button.FINE: words("I'm fine"),
        Button.HELP: words("I need help"),
    }
)
_DONE: Final[Mapping[Button, tuple[str, str]]] = MappingProxyType(
    {
        Button.ACKNOWLEDGE: (words("Thank you"), words("It is noted that you see to it.")),
        Button.SNOOZE: (
            words("Snoozed"),
            words("You hear of this again at {until}, if it is still so then. What becomes graver is told at once."),
        ),
        Button.FINE: (words("Good to know"), words("It is noted that you are fine.")),
        Button.HELP: (
            words("Help is asked for"),
            words(
                "The others are being told. Hearthbeat calls no emergency service: call {emergency} if you need one."
            ),
        ),
    }
)


def label_of(button: Button, language: str) -> str:
    """What the button says."""
    return language_of(language)(_LABELS[button])


def question_page(button: Button, since: str, language: str) -> Page:
    """Whether the answer is meant: only a press gives it, since programs open links, too. `since` is a clock time."""
    _ = language_of(language)
    about = _("About what began at {since}. Press the button to answer.", since=since)
    return Page(HTTPStatus.OK, label_of(button, language), about, label_of(button, language), language)


def done_page(button: Button, until: str, language: str) -> Page:
    """The answer counts; `until` is the end of a snooze."""
    _ = language_of(language)
    title, told = _DONE[button]
    return Page(HTTPStatus.OK, _(title), _(told, until=until, emergency=_(EMERGENCY_NUMBER)), None, language)


def already_page(by: str | None, at: str, language: str) -> Page:
    """Somebody has taken it up before; `by` is their contact's id, None where it was the one who answers now."""
    _ = language_of(language)
    told = _("You had taken this up at {at}.", at=at)
    if by is not None:
        told = _("{by} had taken this up at {at}.", by=by, at=at)
    return Page(HTTPStatus.OK, _("Already taken up"), told, None, language)


def over_page(language: str) -> Page:
    """There is nothing left to answer."""
    _ = language_of(language)
    return Page(HTTPStatus.OK, _("Already over"), _("This alert is over: nothing is left to do."), None, language)


def used_page(at: str, language: str) -> Page:
    """The link was pressed before."""
    _ = language_of(language)
    told = _("This button was pressed at {at}, and counts once.", at=at)
    return Page(HTTPStatus.CONFLICT, _("Already answered"), told, None, language)


def expired_page(language: str) -> Page:
    """The link is too old."""
    _ = language_of(language)
    told = _("This button is older than a day and no longer good. Newer messages have newer buttons.")
    return Page(HTTPStatus.GONE, _("Too late"), told, None, language)


def forged_page(language: str) -> Page:
    """The link is none of ours, or only a part of it came."""
    _ = language_of(language)
    told = _("This link does not come from here, or a part of it is missing. Open it from the message itself.")
    return Page(HTTPStatus.FORBIDDEN, _("Not a link of Hearthbeat"), told, None, language)


def refused_page(language: str) -> Page:
    """Whoever holds the link may not, or no longer, answer so."""
    _ = language_of(language)
    told = _("You cannot give this answer: whoever looks after Hearthbeat decides who may.")
    return Page(HTTPStatus.FORBIDDEN, _("Not for you to answer"), told, None, language)
