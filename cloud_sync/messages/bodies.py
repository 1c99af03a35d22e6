"""The bodies of the messages, as JSON: what of them is summaries, assessments, alerts and faults.

Unless a title says otherwise, times are seconds since 1970 UTC, and what is not known is left out, or null in a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as calendar_date
from itertools import pairwise
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cloud_sync.messages.topics import VERSION
from edge.notices import AlertState, Severity
from edge.readings import Channel

# Minutes in one message: a day of them at most, so that what a message unfolds to is bounded.
MOST_MINUTES: Final = 1440

# Until the end of the year 9999, which databases can still tell.
Seconds = Annotated[float, Field(ge=0.0, le=253_402_300_799.0)]
Minute = Annotated[int, Field(ge=0, le=4_223_371_679)]
# The first of some minutes in a row, and how many they are.
Run = Annotated[list[Minute], Field(min_length=2, max_length=2)]
Revision = Annotated[int, Field(ge=1, le=2_000_000_000)]
Count = Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Value = Annotated[float, Field(ge=-1e9, le=1e9)]
Spread = Annotated[float, Field(ge=0.0, le=1e9)]
# No text holds U+0000, which PostgreSQL's cannot.
Word = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]
Sentence = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]


class Part(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Message(Part):
    """A message."""

    v: Literal[1] = Field(default=VERSION, title="version of this format")


class Identified(Message):
    """A message with an id, by which a receiver knows what it has already."""

    id: UUID = Field(title="the same whenever the same thing is told again, and no other's")


class Figures(Part):
    """A stretch of one channel in figures, of its good samples; values are in the channel's unit."""

    n: Count = Field(title="good samples")
    coverage: Share | None = Field(default=None, title="share of the time that they cover, 0..1")
    artefacts: Count | None = Field(default=None, title="samples marked as artefacts")
    mean: Value | None = Field(default=None, title="mean")
    sd: Spread | None = Field(default=None, title="standard deviation")
    min: Value | None = Field(default=None, title="smallest")
    p5: Value | None = Field(default=None, title="5th percentile")
    p50: Value | None = Field(default=None, title="median")
    p95: Value | None = Field(default=None, title="95th percentile")
    max: Value | None = Field(default=None, title="largest")


FIGURES: Final = tuple(Figures.model_fields)

Counts = Annotated[list[Count | None], Field(max_length=MOST_MINUTES)]
Shares = Annotated[list[Share | None], Field(max_length=MOST_MINUTES)]
Values = Annotated[list[Value | None], Field(max_length=MOST_MINUTES)]
Spreads = Annotated[list[Spread | None], Field(max_length=MOST_MINUTES)]


class Columns(Part):
    """One channel of a MinutesMessage: in each column an entry per minute, null where it is not known.

    A minute without samples of the channel has null as its n, and a column that knows nothing is left out.
    """

    n: Counts = Field(title="good samples")
    coverage: Shares | None = Field(default=None, title="share of the minute that they cover, 0..1")
    artefacts: Counts | None = Field(default=None, title="samples marked as artefacts")
    mean: Values | None = Field(default=None, title="mean")
    sd: Spreads | None = Field(default=None, title="standard deviation")
    min: Values | None = Field(default=None, title="smallest")
    p5: Values | None = Field(default=None, title="5th percentile")
    p50: Values | None = Field(default=None, title="median")
    p95: Values | None = Field(default=None, title="95th percentile")
    max: Values | None = Field(default=None, title="largest")


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute of one channel, as a MinutesMessage tells it."""

    minute: int
    revision: int
    channel: Channel
    figures: Figures


class MinutesMessage(Identified):
    """Minutes of one person, in columns. A higher revision of a minute replaces a lower one, channel by channel.

    The n-th entry of every column belongs to the n-th minute of all runs.
    """

    runs: Annotated[list[Run], Field(min_length=1, max_length=MOST_MINUTES)] = Field(
        title="the minutes, ascending: for each row of them the first, since 1970 UTC, and how many there are; "
        "minute m holds the samples with 60 s x m < time <= 60 s x (m + 1)"
    )
    revisions: Annotated[list[Revision], Field(max_length=MOST_MINUTES)] | None = Field(
        default=None, title="2 and on for a minute that is told late or again; left out where all are 1"
    )
    channels: dict[Channel, Columns] = Field(title="channels that had samples")
    gone: dict[Channel, Annotated[list[Minute], Field(max_length=MOST_MINUTES)]] | None = Field(
        default=None,
        title="minutes of channels that are kept no more: what a lower revision told of them stands",
    )

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if not 0 < sum(count for _, count in self.runs) <= MOST_MINUTES:
            message = f"there must be 1 to {MOST_MINUTES} minutes"
            raise ValueError(message)
        minutes = self.minutes
        size = len(minutes)
        if any(later <= earlier for earlier, later in pairwise(minutes)):
            message = "minutes must ascend"
            raise ValueError(message)
        columns = [self.revisions]
        for channel in self.channels.values():
            columns += [getattr(channel, name) for name in FIGURES]
            if any(self._known_without_samples(channel, place) for place, n in enumerate(channel.n) if n is None):
                message = "a minute without samples can have no figures"
                raise ValueError(message)
        if any(column is not None and len(column) != size for column in columns):
            message = f"every column must have {size} entries"
            raise ValueError(message)
        if self.gone is not None and not set().union(*self.gone.values()) <= set(minutes):
            message = "gone names a minute that is not told"
            raise ValueError(message)
        return self

    @staticmethod
    def _known_without_samples(channel: Columns, place: int) -> bool:
        columns = (getattr(channel, name) for name in FIGURES)
        return any(column is not None and column[place : place + 1] not in ([], [None]) for column in columns)

    @property
    def minutes(self) -> list[int]:
        """Which minutes are told, since 1970 UTC, ascending."""
        return [minute for first, count in self.runs for minute in range(first, first + count)]

    def rows(self) -> Iterator[MinuteRow]:
        """The minutes one by one, channel by channel; those without samples are left out."""
        minutes = self.minutes
        revisions = self.revisions or [1] * len(minutes)
        for channel, columns in self.channels.items():
            known = {name: column for name in FIGURES if (column := getattr(columns, name)) is not None}
            for place, (minute, revision) in enumerate(zip(minutes, revisions, strict=True)):
                if columns.n[place] is not None:
                    figures = Figures.model_construct(**{name: column[place] for name, column in known.items()})
                    yield MinuteRow(minute, revision, channel, figures)


class _Stretch(Identified):
    start: Seconds = Field(title="it holds what has start < time <= end, s")
    end: Seconds = Field(title="its end, s")
    revision: Revision = Field(title="2 and on where it is told again, with what came late; the highest counts")


class _Summary(_Stretch):
    channels: dict[Channel, Figures] = Field(title="channels that had samples")
    gone: Annotated[list[Channel], Field(max_length=len(Channel))] | None = Field(
        default=None, title="channels that are kept no more: what a lower revision told of them stands"
    )


class HourMessage(_Summary):
    """An hour of one person, from the samples themselves; told once it is over."""


class DayMessage(_Summary):
    """A day of one person, from the samples themselves: from midnight to midnight where the home is.

    It has 23 or 25 hours where clocks are changed.
    """

    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", title="the day where the home is")
    zone: Word = Field(title="time zone of the home, as the IANA database names it")

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, date: str) -> str:
        calendar_date.fromisoformat(date)  # raises ValueError for the 31st of February
        return date


class RiskFigures(Part):
    """What one risk's model thought in an hour."""

    windows: Count = Field(title="stretches of signal that ended in this hour")
    assessed: Count = Field(title="those that held enough to judge")
    without: dict[Sentence, Count] = Field(title="those that did not, by reason")
    coverage: Share | None = Field(default=None, title="mean share of a window that good samples covered, 0..1")
    p5: Share | None = Field(default=None, title="5th percentile of the scores, 0..1")
    p50: Share | None = Field(default=None, title="median of the scores, 0..1")
    p95: Share | None = Field(default=None, title="95th percentile of the scores, 0..1")
    max: Share | None = Field(default=None, title="highest score, 0..1")
    models: Annotated[list[Word], Field(max_length=16)] = Field(title="versions of the models that judged")


class AssessmentsMessage(_Stretch):
    """What the models thought of one person in an hour; a window belongs to the hour in which it ends."""

    risks: dict[Word, RiskFigures] = Field(title="risks that had windows")


class ExplanationPart(Part):
    """Why an alert was raised."""

    sentence: Sentence = Field(title="for a lay person")
    numbers: dict[Word, float] = Field(title="the plain numbers behind it")


class _Episode(Identified):
    kind: Word = Field(title="what it is about: a risk, a rule, or what is wrong")
    severity: Severity = Field(title="how much it matters")
    state: AlertState = Field(title="where the episode stands now")
    turn: Word | None = Field(
        default=None,
        title="what has just happened, where that is not the state itself, such as graver, acknowledged, snoozed or "
        "escalated (nobody has answered, and more people are told)",
    )
    since: Seconds = Field(title="when it began, s")
    opened_at: Seconds = Field(title="when it was told first, s")
    cleared_at: Seconds | None = Field(default=None, title="when it ended, s")
    acknowledged_at: Seconds | None = Field(default=None, title="when somebody has taken it up, s")
    snoozed_until: Seconds | None = Field(default=None, title="until when nobody at home is told, s")


class AlertMessage(_Episode):
    """One transition of an alert of one person."""

    alert: UUID = Field(title="id of the episode, by which commands may name it")
    asked_until: Seconds | None = Field(
        default=None, title="until when only the person is asked whether all is well, before others are told, s"
    )
    help_at: Seconds | None = Field(default=None, title="when the person has asked for help, s")
    explanation: ExplanationPart = Field(title="why")


class FaultMessage(_Episode):
    """One transition of a fault of the watching itself. Addresses of wearables and names stay at home."""

    fault: UUID = Field(title="id of the episode, by which commands may name it")
    person: Word | None = Field(default=None, title="whose monitoring suffers, where it is one person's")
    count: Count = Field(ge=1, title="how many things are at fault, such as wearables")
    sentence: Sentence = Field(title="what is wrong and what to do, for a lay person")


class StatusMessage(Message):
    """Whether the home is online; retained. `at` is missing where the broker tells it of a home that has vanished."""

    online: bool = Field(title="whether the home is connected to the broker")
    at: Seconds | None = Field(default=None, title="since when, s")


class ResultMessage(Identified):
    """What became of a command whose signature holds."""

    command: UUID = Field(title="the command's id")
    key: Word = Field(title="name of the key that has signed it")
    do: Word = Field(title="what was asked for")
    outcome: Literal["obeyed", "refused"] = Field(title="whether it was done")
    reason: Word | None = Field(default=None, title="why not, in a word or two")
    detail: Sentence | None = Field(default=None, title="what was done, or why it was not")
    at: Seconds = Field(title="when, s")


class ModelMessage(Identified):
    """Where a package with a new model stands, whenever that changes or its trial has counted more."""

    package: str = Field(pattern=r"^[0-9a-f]{64}$", title="the package's name: SHA-256 of its content, in hexadecimal")
    risk: Word = Field(title="what its model watches for")
    version: Word = Field(title="the model's version")
    state: Word = Field(title="where it stands: shadow, probation, active, refused, rolled_back, replaced")
    at: Seconds = Field(title="since when, s")
    reason: Sentence | None = Field(default=None, title="why it is over")
    figures: dict[Word, float | int | Sentence | None] = Field(default={}, title="what its trial has counted so far")
