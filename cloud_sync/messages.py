"""What leaves the house, word for word: minute summaries, alert transitions and the home's status, as JSON.

    hearthbeat/v1/<home>/<person>/summary/minute    one per person and minute, all channels in it
    hearthbeat/v1/<home>/<person>/alert             one per transition of an alert
    hearthbeat/v1/<home>/fault                      one per transition of a fault of the watching itself
    hearthbeat/v1/<home>/status                     retained: whether the home is online

Every summary and alert carries an id that is the same whenever the same thing is told again, so that a receiver can
drop repeats. People and homes appear by their ids only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, Protocol
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from edge.readings import Alert, AlertState, Channel, OutboxMessage, Priority, Severity
from edge.store.minutes import DirtyMinute

VERSION: Final = 1
_ROOT: Final = f"hearthbeat/v{VERSION}"
# The name space of our ids (RFC 9562, 5.5): a random UUID, drawn once; never change it.
_NAMESPACE: Final = UUID("5f0e3b63-9a55-4c5e-8f6e-0d3c7a1c4b52")
# Digits behind the point: a tenth of a ms or bpm is finer than any wearable measures.
_DIGITS: Final = 1
_COVERAGE_DIGITS: Final = 2


class Summary(Protocol):
    """The numbers of one channel's minute (edge.signals.summary makes them); None where they cannot be known."""

    @property
    def n(self) -> int:
        """Good samples."""

    @property
    def coverage(self) -> float | None:
        """Share of the minute that they cover, 0..1."""

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


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = Field(default=VERSION, title="version of this format")

    def payload(self) -> bytes:
        """Compact JSON; what is not known is left out."""
        return self.model_dump_json(exclude_none=True).encode()


class ChannelMessage(BaseModel):
    """One channel in a MinuteMessage; values are in the channel's unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(ge=0, title="good samples")
    coverage: float | None = Field(default=None, ge=0.0, le=1.0, title="share of the minute covered, 0..1")
    artefacts: int | None = Field(default=None, ge=0, title="samples marked as artefacts")
    mean: float | None = Field(default=None, title="mean")
    sd: float | None = Field(default=None, ge=0.0, title="standard deviation")
    min: float | None = Field(default=None, title="smallest")
    p5: float | None = Field(default=None, title="5th percentile")
    p50: float | None = Field(default=None, title="median")
    p95: float | None = Field(default=None, title="95th percentile")
    max: float | None = Field(default=None, title="largest")


class MinuteMessage(_Message):
    """The minute of one person; a higher revision of the same minute replaces a lower one."""

    id: UUID = Field(title="unique for person, minute and revision")
    minute: int = Field(title="minutes since 1970 UTC; holds the samples with 60 s x minute < time <= that + 60 s")
    revision: int = Field(ge=1, title="2 and on for a minute that is told late or again")
    channels: dict[Channel, ChannelMessage] = Field(title="channels that had samples")
    gone: list[Channel] | None = Field(
        default=None, title="channels that are kept no more: what a lower revision told of them stands"
    )


class ExplanationMessage(BaseModel):
    """Why a model thinks so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sentence: str = Field(title="for a lay person")
    numbers: dict[str, float] = Field(title="the plain numbers behind it")


class AlertMessage(_Message):
    """One transition of an alert; times are seconds since 1970 UTC."""

    id: UUID = Field(title="unique for alert and turn")
    alert: str = Field(title="id of the episode")
    kind: str = Field(title="what it is about: a risk's name, or a fault's")
    severity: Severity = Field(title="how much it matters")
    state: AlertState = Field(title="where the episode stands now")
    since: float = Field(title="when the evidence began, s")
    opened_at: float = Field(title="when the evidence was complete, s")
    cleared_at: float | None = Field(default=None, title="when it ended, s")
    acknowledged_at: float | None = Field(default=None, title="when somebody has taken it up, s")
    snoozed_until: float | None = Field(default=None, title="until when nobody at home is told, s")
    explanation: ExplanationMessage = Field(title="why")


class FaultMessage(_Message):
    """One transition of a fault; times are seconds since 1970 UTC. Addresses of wearables and names stay at home."""

    id: UUID = Field(title="unique for fault and turn")
    fault: str = Field(title="id of the episode")
    kind: str = Field(title="what is wrong, such as no_data or bluetooth")
    person: str | None = Field(default=None, title="whose monitoring suffers, where it is one person's")
    count: int = Field(ge=1, title="how many things are at fault, such as wearables")
    severity: Severity = Field(title="how much it matters")
    state: AlertState = Field(title="where the episode stands now")
    since: float = Field(title="when it began, s")
    opened_at: float = Field(title="when it was told, s")
    cleared_at: float | None = Field(default=None, title="when it ended, s")
    acknowledged_at: float | None = Field(default=None, title="when somebody has taken it up, s")
    snoozed_until: float | None = Field(default=None, title="until when nobody at home is told, s")
    sentence: str = Field(title="what is wrong and what to do, for a lay person")


class StatusMessage(_Message):
    """Whether the home is online; `at` is missing where the broker tells it on behalf of a home that has vanished."""

    online: bool = Field(title="whether the home is connected to the broker")
    at: float | None = Field(default=None, title="since when, s since 1970 UTC")


def minute_summary(
    home: str, dirty: DirtyMinute, summaries: Mapping[Channel, Summary], gone: Iterable[Channel] = ()
) -> OutboxMessage:
    """The message that tells a minute of one person; of the channels in `gone` nothing may be kept any more.

    Those that have a summary all the same are not gone.
    """
    lost = sorted(set(gone) - set(summaries))
    identifier = uuid5(_NAMESPACE, f"minute/{home}/{dirty.person}/{dirty.minute}/{dirty.revision}")
    message = MinuteMessage(
        id=identifier,
        minute=dirty.minute,
        revision=dirty.revision,
        channels={channel: _channel(summary) for channel, summary in summaries.items()},
        gone=lost or None,
    )
    topic = f"{_ROOT}/{home}/{dirty.person}/summary/minute"
    return OutboxMessage(str(identifier), topic, message.payload(), Priority.SUMMARY, dirty.end)


def alert(home: str, alert: Alert, turn: str = "", at: float | None = None) -> OutboxMessage:
    """The message that tells an alert's present state.

    `turn` names a turn within that state, such as an acknowledgement; `at` is when it came about, in s since 1970 UTC,
    None where the state began or ended with it.
    """
    identifier = uuid5(_NAMESPACE, "/".join(filter(None, ("alert", home, alert.id, alert.state, turn))))
    message = AlertMessage(
        id=identifier,
        alert=alert.id,
        kind=alert.kind,
        severity=alert.severity,
        state=alert.state,
        since=alert.since,
        opened_at=alert.opened_at,
        cleared_at=alert.cleared_at,
        acknowledged_at=alert.acknowledged_at,
        snoozed_until=alert.snoozed_until,
        explanation=ExplanationMessage(sentence=alert.explanation.sentence, numbers=dict(alert.explanation.numbers)),
    )
    created = _began(alert) if at is None else at
    topic = f"{_ROOT}/{home}/{alert.person}/alert"
    return OutboxMessage(str(identifier), topic, message.payload(), Priority.ALERT, created)


def fault(home: str, alert: Alert, turn: str = "", at: float | None = None) -> OutboxMessage:
    """The message that tells the present state of a fault's alert; `turn` and `at` are as for `alert`."""
    parts = ("fault", home, alert.id, alert.state, alert.severity, turn)
    identifier = uuid5(_NAMESPACE, "/".join(filter(None, parts)))
    message = FaultMessage(
        id=identifier,
        fault=alert.id,
        kind=alert.kind,
        person=alert.person or None,
        count=alert.subject.count(",") + 1,
        severity=alert.severity,
        state=alert.state,
        since=alert.since,
        opened_at=alert.opened_at,
        cleared_at=alert.cleared_at,
        acknowledged_at=alert.acknowledged_at,
        snoozed_until=alert.snoozed_until,
        sentence=alert.explanation.sentence,
    )
    created = _began(alert) if at is None else at
    return OutboxMessage(str(identifier), f"{_ROOT}/{home}/fault", message.payload(), Priority.FAULT, created)


def _began(alert: Alert) -> float:
    return alert.opened_at if alert.cleared_at is None else alert.cleared_at


def status_topic(home: str) -> str:
    """The retained topic of a home's status."""
    return f"{_ROOT}/{home}/status"


def status(*, online: bool, at: float | None = None) -> bytes:
    """The payload of a home's status; `at` is seconds since 1970 UTC, None in a last will."""
    return StatusMessage(online=online, at=at).payload()


def _channel(summary: Summary) -> ChannelMessage:
    return ChannelMessage(
        n=summary.n,
        coverage=_rounded(summary.coverage, _COVERAGE_DIGITS),
        artefacts=summary.artefacts,
        mean=_rounded(summary.mean),
        sd=_rounded(summary.sd),
        min=_rounded(summary.minimum),
        p5=_rounded(summary.p5),
        p50=_rounded(summary.p50),
        p95=_rounded(summary.p95),
        max=_rounded(summary.maximum),
    )


def _rounded(value: float | None, digits: int = _DIGITS) -> float | None:
    return None if value is None else round(value, digits)
