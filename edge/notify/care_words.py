"""What is told between the people around an alert: the question after a fall, who has answered, and that nobody has.

What to do after a fall, and whom to call, stands in the alert's own text (see alert_words), which follows these words:
Hearthbeat itself calls nobody but the contacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from edge.notices import Alert
from edge.notify.alert_words import EMERGENCY_NUMBER
from edge.notify.languages import ENGLISH, language_of
from edge.notify.texts import AlertText, clock_time
from edge.phrases import listed


def question_after_a_fall(
    alert: Alert,
    seconds: float,
    told_next: Sequence[str],
    *,
    has_buttons: bool,
    language: str = ENGLISH,
    zone: tzinfo | None = None,
) -> AlertText:
    """Ask who may have fallen; without an answer within `seconds` those of `told_next` are told, as they are called.

    Where no phone `has_buttons` the answer can be given at the machine only, and that is said.
    """
    _ = language_of(language)
    how = _("Say whether you are fine or need help.")
    if not has_buttons:
        how = _(
            "Say so at Hearthbeat's machine: {fine} or {help}.",
            fine=f"`hearthbeat alerts fine {alert.id[:8]}`",
            help=f"`hearthbeat alerts help {alert.id[:8]}`",
        )
    return AlertText(
        _("Are you all right?"),
        _(
            "It looks as if you fell at {since}. {how} Without an answer within {seconds:.0f} seconds this is told to "
            "{others}. If you are in danger, call {emergency}; nobody does that for you.",
            since=clock_time(alert.since, alert.opened_at, zone, language),
            how=how,
            seconds=seconds,
            others=listed(told_next),
            emergency=_(EMERGENCY_NUMBER),
        ),
    )


def no_answer(name: str, text: AlertText, language: str = ENGLISH) -> AlertText:
    """Tell the others that who may have fallen has not answered; `text` is that of the alert."""
    _ = language_of(language)
    return AlertText(
        _("{name} may have fallen, and does not answer", name=name),
        _("{name} was asked and has not answered. {text}", name=name, text=text.body),
        text.guidance,
    )


def no_answer_of_yours(told: Sequence[str], language: str = ENGLISH) -> AlertText:
    """Tell who has not answered who knows of it now."""
    _ = language_of(language)
    return AlertText(
        _("You have not answered: others are told"),
        _(
            "This is being told to {others}. If you are fine, say so now, and they will know. If you need help at "
            "once, call {emergency}.",
            others=listed(told),
            emergency=_(EMERGENCY_NUMBER),
        ),
    )


def help_wanted(
    name: str, moment: float, text: AlertText, language: str = ENGLISH, zone: tzinfo | None = None
) -> AlertText:
    """Tell the others that who may have fallen has asked for help at `moment`; `text` is that of the alert."""
    _ = language_of(language)
    time = clock_time(moment, moment, zone, language)
    return AlertText(
        _("{name} asks for help", name=name),
        _("{name} has asked for help at {time}. {text}", name=name, time=time, text=text.body),
        text.guidance,
    )


def help_is_told(told: Sequence[str], language: str = ENGLISH) -> AlertText:
    """Tell who has asked for help who knows of it now."""
    _ = language_of(language)
    return AlertText(
        _("Help is asked for"),
        _(
            "This is being told to {others}. Hearthbeat calls no emergency service: if you need one, call {emergency}.",
            others=listed(told),
            emergency=_(EMERGENCY_NUMBER),
        ),
    )


def over_without_an_answer(name: str, text: AlertText, language: str = ENGLISH) -> AlertText:
    """Tell the others of a fall that seems to be over before its question was answered; `text` is that of its end."""
    _ = language_of(language)
    return AlertText(
        _("{name} may have fallen, and is moving again", name=name),
        _("{name} was asked and has not answered yet. {text}", name=name, text=text.body),
    )


def nobody_has_answered(
    alert: Alert, text: AlertText, now: float, *, is_fresh: bool, language: str = ENGLISH, zone: tzinfo | None = None
) -> AlertText:
    """What is told once more because nobody has taken it up; `is_fresh` is whether what is known now says it is so."""
    _ = language_of(language)
    told = clock_time(now if alert.told_at is None else alert.told_at, now, zone, language)
    body = _("This was told at {time}, and nobody has taken it up yet. {text}", time=told, text=text.body)
    if not is_fresh:
        body = _(
            "{text}\nNothing new has been measured since, so it is not known whether it is still so.",
            text=body,
        )
    return AlertText(_("Nobody has answered: {title}", title=text.title), body, text.guidance)


def taken_up(who: str, title: str, moment: float, language: str = ENGLISH, zone: tzinfo | None = None) -> AlertText:
    """Tell the others who has taken an alert up; `title` is what they were told, `who` may be empty."""
    _ = language_of(language)
    time = clock_time(moment, moment, zone, language)
    if not who:
        return AlertText(
            _("It is taken up: {title}", title=title),
            _("Somebody at home has taken it up at {time}. Nobody else is told unless it becomes graver.", time=time),
        )
    return AlertText(
        _("{who} has taken it up: {title}", who=who, title=title),
        _("{who} has taken it up at {time}. Nobody else is told unless it becomes graver.", who=who, time=time),
    )


def all_is_well(name: str, moment: float, language: str = ENGLISH, zone: tzinfo | None = None) -> AlertText:
    """Tell the others that who may have fallen has answered after all."""
    _ = language_of(language)
    time = clock_time(moment, moment, zone, language)
    return AlertText(
        _("{name} has answered: all is well", name=name),
        _("{name} has said at {time} that all is well. Ask how it is all the same.", name=name, time=time),
    )
