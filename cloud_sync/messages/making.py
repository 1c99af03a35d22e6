"""Making the messages: from the house's own types to what the outbox takes."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from pydantic import JsonValue

from cloud_sync.messages import sealing
from cloud_sync.messages.bodies import (
    FIGURES,
    AlertMessage,
    AssessmentsMessage,
    Columns,
    DayMessage,
    ExplanationPart,
    FaultMessage,
    Figures,
    HourMessage,
    Message,
    MinutesMessage,
    RiskFigures,
    StatusMessage,
)
from cloud_sync.messages.topics import Kind, Topic
from edge.notices import Alert, OutboxMessage, Priority
from edge.readings import CHANNELS, Channel
from edge.telling.household_key import PublicKey
from edge.telling.pseudonyms import Pseudonyms

_COVERAGE_DIGITS: Final = 2
# What is longer than this is deflated where that makes it shorter, bytes. Our choice: alerts and faults stay legible.
_LEGIBLE: Final = 1024
# Of an explanation or a reason no more than the format takes, in characters.
_LONGEST_SENTENCE: Final = 1000


class Summary(Protocol):
    """The numbers of a stretch of one channel (edge.signals.summary makes them); None where they cannot be known."""

    @property
    def n(self) -> int:
        """Good samples."""

    @property
    def coverage(self) -> float | None:
        """Share of the time that they cover, 0..1."""

    @property
    def artefacts(self) -> int | None:
        """Samples marked as artefacts."""

    @property
    def mean(self) -> float | None:
        """Mean of the good samples, in the channel's unit; so are all that follow."""

    @property
    def sd(self) -> float | None:
        """Standard deviation."""

    @property
    def minimum(self) -> float | None:
        """Smallest."""

    @property
    def p5(self) -> float | None:
        """5th percentile."""

    @property
    def p50(self) -> float | None:
        """Median."""

    @property
    def p95(self) -> float | None:
        """95th percentile."""

    @property
    def maximum(self) -> float | None:
        """Largest."""


Summaries = Mapping[Channel, Summary]


class Minute(Protocol):
    """A minute of one person that is to be told (edge.store.minutes has them)."""

    @property
    def person(self) -> str:
        """Whose."""

    @property
    def minute(self) -> int:
        """Which, since 1970 UTC."""

    @property
    def revision(self) -> int:
        """1, and more when it is told again."""

    @property
    def end(self) -> float:
        """Its end, in s since 1970 UTC."""


class Stretch(Protocol):
    """An hour or a day of one person that is to be told."""

    @property
    def person(self) -> str:
        """Whose."""

    @property
    def start(self) -> float:
        """It holds what has start < time <= end, in s since 1970 UTC."""

    @property
    def end(self) -> float:
        """Its end."""

    @property
    def revision(self) -> int:
        """1, and more when it is told again."""


@dataclass(frozen=True, slots=True)
class Home:
    """Who tells: the home's id in topics, its pseudonyms, and to whose key, if any, all but the status is sealed.

    Where `by_name`, people are called outside as in the settings.
    """

    id: str
    pseudonyms: Pseudonyms
    seal_to: PublicKey | None = None
    by_name: bool = False

    def person(self, person: str) -> str:
        """How a person of the settings is called outside."""
        return person if self.by_name else self.pseudonyms.person(person)

    def episode(self, alert: str) -> str:
        """How an alert is called outside: at home its id is made of whose it is, or of which wearable's."""
        return str(self.pseudonyms.message("episode", alert))

    def tell(self, topic: Topic, message: Message, identifier: UUID, priority: Priority, at: float) -> OutboxMessage:
        """The message as it is sent: deflated where that pays, then sealed."""
        text = payload_of(message)
        deflated = zlib.compress(text, 9) if len(text) > _LEGIBLE else text
        payload = min(text, deflated, key=len)
        if self.seal_to is not None:
            payload = sealing.seal(self.seal_to, identifier, str(topic), payload)
        return OutboxMessage(str(identifier), str(topic), payload, priority, at)


def payload_of(message: Message) -> bytes:
    """Compact JSON; what is not known is left out."""
    fields = message.model_dump(mode="json", exclude_none=True)
    return json.dumps(_compact(fields), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
        errors="replace"
    )


def _compact(value: JsonValue) -> JsonValue:
    """72.0 is 72: JSON knows one kind of number."""
    if isinstance(value, dict):
        return {name: _compact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_compact(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def minute_summaries(
    home: Home, minutes: Sequence[tuple[Minute, Summaries]], gone: Mapping[int, Iterable[Channel]] | None = None
) -> OutboxMessage:
    """The message that tells minutes of one person, in the order of time.

    Of the channels that `gone` has for a minute nothing may be kept any more; those that have a summary all the same
    are not gone.
    """
    first, last = minutes[0][0], minutes[-1][0]
    revisions = [dirty.revision for dirty, _ in minutes]
    told = "/".join(f"{dirty.minute}.{dirty.revision}" for dirty, _ in minutes)
    identifier = home.pseudonyms.message("minutes", home.id, first.person, told)
    lost: dict[Channel, list[int]] = {}
    for dirty, summaries in minutes:
        for channel in sorted(set((gone or {}).get(dirty.minute, ())) - set(summaries)):
            lost.setdefault(channel, []).append(dirty.minute)
    message = MinutesMessage(
        id=identifier,
        runs=_runs([dirty.minute for dirty, _ in minutes]),
        revisions=None if set(revisions) == {1} else revisions,
        channels={
            channel: _columns(channel, [summaries.get(channel) for _, summaries in minutes])
            for channel in Channel
            if any(channel in summaries for _, summaries in minutes)
        },
        gone=lost or None,
    )
    topic = Topic(home.id, Kind.MINUTES, home.person(first.person))
    return home.tell(topic, message, identifier, Priority.SUMMARY, last.end)


def _runs(minutes: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for minute in minutes:
        if runs and minute == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([minute, 1])
    return runs


def _columns(channel: Channel, summaries: Sequence[Summary | None]) -> Columns:
    rows = [None if summary is None else figures_of(channel, summary) for summary in summaries]
    columns = {name: [None if row is None else getattr(row, name) for row in rows] for name in FIGURES}
    return Columns(**{name: column for name, column in columns.items() if name == "n" or set(column) != {None}})


def figures_of(channel: Channel, summary: Summary) -> Figures:
    """A summary's numbers as they are told: values to the channel's resolution, mean and sd a tenth of that."""
    digits = max(0, round(-math.log10(CHANNELS[channel].resolution)))
    return Figures(
        n=summary.n,
        coverage=_rounded(summary.coverage, _COVERAGE_DIGITS),
        artefacts=summary.artefacts,
        mean=_rounded(summary.mean, digits + 1),
        sd=_rounded(summary.sd, digits + 1),
        min=_rounded(summary.minimum, digits),
        p5=_rounded(summary.p5, digits),
        p50=_rounded(summary.p50, digits),
        p95=_rounded(summary.p95, digits),
        max=_rounded(summary.maximum, digits),
    )


def hour_summary(home: Home, stretch: Stretch, summaries: Summaries, gone: Iterable[Channel] = ()) -> OutboxMessage:
    """The message that tells an hour of one person; `gone` is as for a minute."""
    identifier = home.pseudonyms.message("hour", home.id, stretch.person, f"{stretch.start:.0f}", stretch.revision)
    message = HourMessage(id=identifier, **_summary_fields(stretch, summaries, gone))
    topic = Topic(home.id, Kind.HOUR, home.person(stretch.person))
    return home.tell(topic, message, identifier, Priority.SUMMARY, stretch.end)


def day_summary(
    home: Home, stretch: Stretch, date: str, zone: str, summaries: Summaries, gone: Iterable[Channel] = ()
) -> OutboxMessage:
    """The message that tells a day of one person; `date` is the day in `zone`, `gone` is as for a minute."""
    identifier = home.pseudonyms.message("day", home.id, stretch.person, f"{stretch.start:.0f}", stretch.revision)
    message = DayMessage(id=identifier, date=date, zone=_clipped(zone, 64), **_summary_fields(stretch, summaries, gone))
    topic = Topic(home.id, Kind.DAY, home.person(stretch.person))
    return home.tell(topic, message, identifier, Priority.SUMMARY, stretch.end)


def _summary_fields(stretch: Stretch, summaries: Summaries, gone: Iterable[Channel]) -> dict[str, Any]:
    return {
        "start": stretch.start,
        "end": stretch.end,
        "revision": stretch.revision,
        "channels": {channel: figures_of(channel, summary) for channel, summary in summaries.items()},
        "gone": sorted(set(gone) - set(summaries)) or None,
    }


def assessment_summary(home: Home, stretch: Stretch, risks: Mapping[str, RiskFigures]) -> OutboxMessage:
    """The message that tells what the models thought of one person in an hour."""
    identifier = home.pseudonyms.message("assessed", home.id, stretch.person, f"{stretch.start:.0f}", stretch.revision)
    message = AssessmentsMessage(
        id=identifier, start=stretch.start, end=stretch.end, revision=stretch.revision, risks=dict(risks)
    )
    topic = Topic(home.id, Kind.ASSESSMENTS, home.person(stretch.person))
    return home.tell(topic, message, identifier, Priority.SUMMARY, stretch.end)


def alert(home: Home, alert: Alert, turn: str = "", at: float | None = None) -> OutboxMessage:
    """The message that tells an alert's present state.

    `turn` names a turn within that state, such as an acknowledgement; `at` is when it came about, in s since 1970 UTC,
    None where the state began or ended with it.
    """
    identifier = home.pseudonyms.message("alert", home.id, alert.id, alert.state, turn)
    numbers = {_clipped(name, 64): value for name, value in alert.explanation.numbers.items() if math.isfinite(value)}
    message = AlertMessage(
        id=identifier,
        alert=UUID(home.episode(alert.id)),
        asked_until=alert.asked_until,
        help_at=alert.help_at,
        explanation=ExplanationPart(sentence=_clipped(alert.explanation.sentence), numbers=numbers),
        **_episode_fields(alert, turn),
    )
    topic = Topic(home.id, Kind.ALERT, home.person(alert.person))
    return home.tell(topic, message, identifier, Priority.ALERT, _began(alert) if at is None else at)


def fault(home: Home, alert: Alert, turn: str = "", at: float | None = None) -> OutboxMessage:
    """The message that tells the present state of a fault's alert; `turn` and `at` are as for `alert`."""
    identifier = home.pseudonyms.message("fault", home.id, alert.id, alert.state, alert.severity, turn)
    message = FaultMessage(
        id=identifier,
        fault=UUID(home.episode(alert.id)),
        person=home.person(alert.person) if alert.person else None,
        count=alert.subject.count(",") + 1,
        sentence=_clipped(alert.explanation.sentence),
        **_episode_fields(alert, turn),
    )
    at = _began(alert) if at is None else at
    return home.tell(Topic(home.id, Kind.FAULT), message, identifier, Priority.FAULT, at)


def _episode_fields(alert: Alert, turn: str) -> dict[str, Any]:
    return {
        "kind": _clipped(alert.kind, 64),
        "severity": alert.severity,
        "state": alert.state,
        "turn": _clipped(turn.partition("/")[0], 64) or None,  # behind it stands what makes it unique
        "since": alert.since,
        "opened_at": alert.opened_at,
        "cleared_at": alert.cleared_at,
        "acknowledged_at": alert.acknowledged_at,
        "snoozed_until": alert.snoozed_until,
    }


def _began(alert: Alert) -> float:
    return alert.opened_at if alert.cleared_at is None else alert.cleared_at


def status_topic(home: str) -> str:
    """The retained topic of a home's status."""
    return str(Topic(home, Kind.STATUS))


def status(*, online: bool, at: float | None = None) -> bytes:
    """The payload of a home's status, which is never sealed; `at` is seconds since 1970 UTC, None in a last will.

    The broker sees by itself when a home is connected, and a last will is made before anything happens.
    """
    return payload_of(StatusMessage(online=online, at=at))


def _clipped(text: str, longest: int = _LONGEST_SENTENCE) -> str:
    """What the format takes of a text, whatever is in it: an alert must leave."""
    return text.replace("\0", " ")[:longest]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
