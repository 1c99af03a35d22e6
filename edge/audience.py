"""Who is told what of a turn of an alert, in whose language, and what each may answer; it stores and sends nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from edge.alerts.attention import Turn
from edge.alerts.care import AT_THE_MACHINE, Care, buttons
from edge.alerts.escalation import Step
from edge.alerts.faults import is_fault
from edge.notices import Alert, AlertState, Button, Notification, Severity
from edge.notify import care_words
from edge.notify.languages import ENGLISH
from edge.notify.texts import AlertText, alert_text, fault_text, still_so
from edge.settings.contacts import quiet_hours_of
from edge.settings.home import PersonSettings, Settings
from edge.watches.fault_fields import fault_names

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:notification")

Words = Callable[[str], AlertText]


def notification_id(alert: str, turn: str, contact: str) -> str:
    """The id of what a contact is told of a turn: the same however often this is asked, so that it is told once."""
    return str(uuid.uuid5(_NAMESPACE, f"{alert}/{turn}/{contact}"))


class Audience:
    """Who is told what, by the settings as of now.

    `fault_audience` says who is told of a fault. `zone` is the people's time zone, None the machine's.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        fault_audience: Callable[[Alert], Sequence[str]],
        zone: tzinfo | None = None,
    ) -> None:
        self._settings = settings
        self._fault_audience = fault_audience
        self._zone = zone

    def person_of(self, alert: Alert) -> PersonSettings | None:
        """Whose alert it is, None where nobody of that name lives here any more."""
        return next((one for one in self._settings().people if one.id == alert.person), None)

    def care_of(self, alert: Alert) -> Care | None:
        """Who is told of an alert and may answer it; None where its person lives here no more."""
        person = self.person_of(alert)
        if is_fault(alert):
            return self._care_of_fault(alert, [person] if person else self._settings().people)
        return None if person is None else person.cared_for

    @property
    def engineers(self) -> tuple[str, ...]:
        """Who looks after the house: those of [home], else everybody's first contact."""
        settings = self._settings()
        return tuple(dict.fromkeys(settings.home.contacts or [person.contacts[0] for person in settings.people]))

    def answering_since(self, alert: Alert, care: Care) -> float:
        """From when on those who were told can answer: while all of them are in their quiet hours nobody has read it.

        What is critical passes quiet hours. Seconds since 1970 UTC.
        """
        told_at = alert.opened_at if alert.told_at is None else alert.told_at
        if alert.severity is Severity.CRITICAL:
            return told_at
        hours = {one.id: quiet_hours_of(one) for one in self._settings().contacts}
        quiet = [hours.get(contact) for contact in care.told_first(alert)]
        ends = [told_at if one is None else one.until(told_at, self._zone) or told_at for one in quiet]
        return min(ends, default=told_at)

    def of(self, turn: Turn, told: Collection[str]) -> list[Notification]:
        """What is told of a turn; `told` are those who were told of the alert before."""
        care = self.care_of(turn.alert)
        if care is None:
            return []
        name = turn.name.partition("/")[0]
        if name in {"unanswered", "help"}:
            return self._after_the_question(turn, name, care)
        if name in {"acknowledged", "fine"}:
            return self._of_an_answer(turn, name, care, told)
        if turn.alert.state is AlertState.CLEARED:
            return self._of_the_end(turn, care, told)
        if turn.alert.asked_until is not None and name in {"raised", "fallen"}:
            return self._question(turn, care)
        contacts = care.told_first(turn.alert)
        if name == "graver":  # who knows of it is to know that it is graver
            contacts = tuple(dict.fromkeys((*contacts, *told)))
        name = "raised" if name == "fallen" else name
        return self._notifications(turn, contacts, care, lambda contact: self._text(turn, contact), name=name)

    def again(self, alert: Alert, steps: Iterable[Step], now: float, *, is_fresh: bool) -> list[Notification]:
        """What is told because nobody has answered."""
        care = self.care_of(alert)
        if care is None:
            return []

        def words(contact: str) -> AlertText:
            text, language = self._plain(alert, contact), self._language(contact)
            return care_words.nobody_has_answered(
                alert, text, now, is_fresh=is_fresh, language=language, zone=self._zone
            )

        told = []
        for step in steps:
            turn, name = Turn(alert, step.name, now, is_news=True), f"escalated-{step.number}"
            told += self._notifications(turn, [step.contact], care, words, name=name)
        return told

    def _question(self, turn: Turn, care: Care) -> list[Notification]:
        alert = turn.alert
        assert alert.asked_until is not None and alert.told_at is not None  # noqa: S101, PT018 -- see `of`
        asked_at, seconds, others = alert.told_at, alert.asked_until - alert.told_at, self._others(care)
        has_buttons = self._settings().web is not None

        def words(contact: str) -> AlertText:
            language = self._language(contact)
            return care_words.question_after_a_fall(
                alert, seconds, others, has_buttons=has_buttons, language=language, zone=self._zone
            )

        asked = replace(turn, name=f"question/{asked_at!r}", at=asked_at)
        return self._notifications(asked, care.own, care, words, severity=Severity.CRITICAL, name="question")

    def _after_the_question(self, turn: Turn, name: str, care: Care) -> list[Notification]:
        """Everybody, at once: there was no answer, or a cry for help."""
        whose, others = self._name(turn.alert), self._others(care)

        def words(contact: str) -> AlertText:
            language, text = self._language(contact), self._plain(turn.alert, contact)
            if contact in care.own:
                tell = care_words.help_is_told if name == "help" else care_words.no_answer_of_yours
                return tell(others, language)
            if name == "help":
                return care_words.help_wanted(whose, turn.at, text, language, self._zone)
            return care_words.no_answer(whose, text, language)

        return self._notifications(turn, care.everybody, care, words, severity=Severity.CRITICAL, name=name)

    def _of_an_answer(self, turn: Turn, name: str, care: Care, told: Collection[str]) -> list[Notification]:
        """That somebody has taken it up is for the others who were told, so that two need not go.

        It is as grave as the alert: whoever was woken by that is to know at once that they can stay. For what is only
        to be known nobody goes anywhere.
        """
        if turn.alert.severity is Severity.INFO:
            return []
        alert, by = turn.alert, turn.alert.acknowledged_by or AT_THE_MACHINE
        contacts = [contact for contact in told if contact != by and (name != "fine" or contact not in care.own)]

        def words(contact: str) -> AlertText:
            language = self._language(contact)
            if name == "fine":
                return care_words.all_is_well(self._name(alert), turn.at, language, self._zone)
            title = self._plain(alert, contact).title
            return care_words.taken_up(self._called(by, care, alert), title, turn.at, language, self._zone)

        return self._notifications(turn, contacts, care, words, name="answered", answers=())

    def _of_the_end(self, turn: Turn, care: Care, told: Collection[str]) -> list[Notification]:
        """The all-clear is for those who were told, and for nobody else.

        But a question that is still open must not end in silence: to move again is no answer.
        """
        end = self._notifications(turn, told, care, lambda contact: self._text(turn, contact))
        if turn.alert.asked_until is None:
            return end
        untold = [contact for contact in care.everybody if contact not in told]

        def words(contact: str) -> AlertText:
            text = self._plain(turn.alert, contact)
            return care_words.over_without_an_answer(self._name(turn.alert), text, self._language(contact))

        return end + self._notifications(turn, untold, care, words, severity=Severity.WARNING)

    def _notifications(
        self,
        turn: Turn,
        contacts: Iterable[str],
        care: Care,
        words: Words,
        *,
        severity: Severity | None = None,
        name: str | None = None,
        answers: tuple[Button, ...] | None = None,
    ) -> list[Notification]:
        """What each contact is told that still is in the settings."""
        known, alert = {contact.id for contact in self._settings().contacts}, turn.alert
        told = []
        for contact in contacts:
            if contact not in known:
                continue
            text = words(contact)
            told.append(
                Notification(
                    id=notification_id(alert.id, turn.name, contact),
                    alert_id=alert.id,
                    contact=contact,
                    title=text.title,
                    body=text.body,
                    severity=severity or alert.severity,
                    created=turn.at,
                    buttons=buttons(alert, contact, care, self.engineers) if answers is None else answers,
                    turn=name or turn.name,
                )
            )
        return told

    def _text(self, turn: Turn, contact: str) -> AlertText:
        text = self._plain(turn.alert, contact)
        return replace(text, title=still_so(text.title, self._language(contact))) if turn.is_again else text

    def _plain(self, alert: Alert, contact: str) -> AlertText:
        language = self._language(contact)
        if is_fault(alert):
            return fault_text(alert, fault_names(alert, self._settings()), language, self._zone)
        return alert_text(alert, self._name(alert), language, self._zone)

    def _language(self, contact: str) -> str:
        return next((one.language for one in self._settings().contacts if one.id == contact), ENGLISH)

    def _name(self, alert: Alert) -> str:
        person = self.person_of(alert)
        return alert.person if person is None else person.name or person.id

    def _called(self, contact: str, care: Care, alert: Alert) -> str:
        """What the family calls a contact; nothing for whoever sits at the machine."""
        if contact == AT_THE_MACHINE:
            return ""
        if contact in care.own and not is_fault(alert):
            return self._name(alert)
        return next((one.name for one in self._settings().contacts if one.id == contact), "") or contact

    def _others(self, care: Care) -> list[str]:
        """Those beside the person, as the family calls them."""
        called = {one.id: one.name or one.id for one in self._settings().contacts}
        return [called.get(contact, contact) for contact in care.everybody if contact not in care.own]

    def _care_of_fault(self, alert: Alert, people: Sequence[PersonSettings]) -> Care:
        """Of a fault only what is critical is told further: a battery can wait for whoever was told."""
        cares = [person.cared_for for person in people]
        first = tuple(self._fault_audience(alert))
        caring = {contact for care in cares for contact in care.everybody if contact not in care.own}
        limits = [care.escalations[Severity.CRITICAL] for care in cares if Severity.CRITICAL in care.escalations]
        return Care(
            own=tuple(dict.fromkeys(own for care in cares for own in care.own if own not in caring)),
            contacts=first,
            carers=tuple(dict.fromkeys(carer for care in cares for carer in care.carers if carer not in first)),
            escalations={Severity.CRITICAL: min(limits, key=lambda one: one.after_s)} if limits else {},
            rights=cares[0].rights if len(cares) == 1 else {},
        )
