"""The National Early Warning Score 2 (NEWS2), from whatever vital signs are known.

Source of every number, unless it says otherwise: Royal College of Physicians, "National Early Warning Score (NEWS) 2:
standardising the assessment of acute-illness severity in the NHS", London 2017, chart 1 (points) and chart 2
(responses). It is made for people of 16 years and over who are not pregnant, and for all seven vital signs together:
from fewer only a lower bound can be told, and that is what a partial score is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from edge.phrases import listed, phrase, words
from edge.readings import CHANNELS, Channel


class Vital(StrEnum):
    """The seven rows of chart 1."""

    RESPIRATION_RATE = "respiration_rate"
    SPO2 = "spo2"
    SUPPLEMENTAL_OXYGEN = "supplemental_oxygen"
    SYSTOLIC = "systolic"
    PULSE = "pulse"
    CONSCIOUSNESS = "consciousness"
    TEMPERATURE = "temperature"


class Consciousness(StrEnum):
    """ACVPU: alert, new confusion, or responding only to voice, only to pain, or not at all."""

    ALERT = "alert"
    CONFUSION = "confusion"
    VOICE = "voice"
    PAIN = "pain"
    UNRESPONSIVE = "unresponsive"


class Spo2Scale(IntEnum):
    """Which row of chart 1 holds for SpO2: TWO only where a doctor has set a target of 88 to 92 %."""

    ONE = 1
    TWO = 2


class Response(StrEnum):
    """Chart 2: the clinical risk, and with it how fast somebody should look after the person."""

    LOW = "low"  # 0 to 4
    LOW_MEDIUM = "low_medium"  # 0 to 4 with a 3 in any one vital sign: urgent review
    MEDIUM = "medium"  # 5 and 6: the threshold for an urgent response
    HIGH = "high"  # 7 and more: emergency response


# Chart 2's bounds, see Response; the last is of one vital sign alone.
URGENT_SCORE: Final = 5
EMERGENCY_SCORE: Final = 7
RED_SCORE: Final = 3


@dataclass(frozen=True, slots=True)
class Vitals:
    """One person's vital signs at one time; None is missing.

    Breaths per minute, SpO2 in %, whether the person breathes supplemental oxygen (False is air), systolic blood
    pressure in mmHg, beats per minute, consciousness, temperature in degrees Celsius.
    """

    respiration_rate: float | None = None
    spo2: float | None = None
    supplemental_oxygen: bool | None = None
    systolic: float | None = None
    pulse: float | None = None
    consciousness: Consciousness | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of chart 1: each band by its highest value and its points, and the points of what lies above them all.

    `per_unit` steps make one unit: the chart's bands are a whole number apart, those of temperature a tenth. What lies
    outside `low` to `high` is no vital sign but a sensor that is off, unplugged or wrong; above all the 0 that many
    devices send for "not measured".
    """

    unit: str
    low: float
    high: float
    bands: tuple[tuple[float, int], ...]
    above: int
    per_unit: int = 1

    def points(self, value: float) -> int:
        """Points of a value, which is rounded to the chart's step first, a half upwards (our choice)."""
        rounded = math.floor(value * self.per_unit + 0.5) / self.per_unit
        return next((points for highest, points in self.bands if rounded <= highest), self.above)

    def refusal(self, value: float) -> str | None:
        """Why a value cannot be true, or None."""
        if self.low <= value <= self.high:
            return None
        return f"{value:g} {self.unit} cannot be: true values lie between {self.low:g} and {self.high:g}"


def _measured(channel: Channel, bands: tuple[tuple[float, int], ...], above: int, per_unit: int = 1) -> _Row:
    facts = CHANNELS[channel]
    return _Row(facts.unit, facts.low, facts.high, bands, above, per_unit)


# No wearable of ours tells the breathing rate; its bounds are our choice.
_ROWS: Final[Mapping[Vital, _Row]] = MappingProxyType(
    {
        Vital.RESPIRATION_RATE: _Row("breaths/min", 1.0, 100.0, ((8, 3), (11, 1), (20, 0), (24, 2)), 3),
        Vital.SPO2: _measured(Channel.SPO2, ((91, 3), (93, 2), (95, 1)), 0),
        Vital.SYSTOLIC: _measured(Channel.SYSTOLIC, ((90, 3), (100, 2), (110, 1), (219, 0)), 3),
        Vital.PULSE: _measured(Channel.HEART_RATE, ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2)), 3),
        Vital.TEMPERATURE: _measured(Channel.TEMPERATURE, ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1)), 2, per_unit=10),
    }
)
# Scale 2: the low bands hold on air and on oxygen alike; above the target only oxygen scores.
_SCALE_2_ON_AIR: Final = _measured(Channel.SPO2, ((83, 3), (85, 2), (87, 1)), 0)
_SCALE_2_ON_OXYGEN: Final = _measured(Channel.SPO2, ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2)), 3)
_OXYGEN_POINTS: Final = 2
_NOT_ALERT_POINTS: Final = 3
_MOST: Final[Mapping[Vital, int]] = MappingProxyType(
    {
        Vital.RESPIRATION_RATE: 3,
        Vital.SPO2: 3,
        Vital.SUPPLEMENTAL_OXYGEN: _OXYGEN_POINTS,
        Vital.SYSTOLIC: 3,
        Vital.PULSE: 3,
        Vital.CONSCIOUSNESS: _NOT_ALERT_POINTS,
        Vital.TEMPERATURE: 3,
    }
)
_WORDS: Final[Mapping[Vital, str]] = MappingProxyType(
    {
        Vital.RESPIRATION_RATE: words("breathing rate"),
        Vital.SPO2: words("oxygen saturation"),
        Vital.SUPPLEMENTAL_OXYGEN: words("air or oxygen"),
        Vital.SYSTOLIC: words("blood pressure"),
        Vital.PULSE: words("pulse"),
        Vital.CONSCIOUSNESS: words("consciousness"),
        Vital.TEMPERATURE: words("temperature"),
    }
)
_RESPONSE_WORDS: Final[Mapping[Response, str]] = MappingProxyType(
    {
        Response.LOW: words("low risk"),
        Response.LOW_MEDIUM: words(
            "low to medium risk, because one vital sign alone scores 3: have it looked at urgently"
        ),
        Response.MEDIUM: words("medium risk, which asks for an urgent review"),
        Response.HIGH: words("high risk, which asks for emergency care"),
    }
)


@dataclass(frozen=True, slots=True)
class News2:
    """A NEWS2 score: the points of each vital sign that is known, and of each other why it is missing."""

    parts: Mapping[Vital, int]
    missing: Mapping[Vital, str]

    @property
    def score(self) -> int | None:
        """Sum of the known parts, 0 to 20: the score, or a lower bound where `is_partial`. None without any part."""
        return sum(self.parts.values()) if self.parts else None

    @property
    def at_most(self) -> int:
        """What the score would be if each missing vital sign scored the most that it can."""
        return sum(self.parts.values()) + sum(_MOST[vital] for vital in self.missing)

    @property
    def is_partial(self) -> bool:
        """Whether any vital sign is missing."""
        return bool(self.missing)

    @property
    def red_score(self) -> tuple[Vital, ...]:
        """The vital signs that alone score 3."""
        return tuple(vital for vital, points in self.parts.items() if points == RED_SCORE)

    @property
    def response(self) -> Response | None:
        """What chart 2 asks for; of a partial score what it asks for at least, and None where that would be LOW.

        That a few vital signs are well says nothing of the others.
        """
        score = sum(self.parts.values())
        if score >= EMERGENCY_SCORE:
            return Response.HIGH
        if score >= URGENT_SCORE:
            return Response.MEDIUM
        if self.red_score:
            return Response.LOW_MEDIUM
        return None if self.is_partial else Response.LOW

    @property
    def sentence(self) -> str:
        """The score in words for lay people; a partial one is called at least so much, and says what is missing."""
        if self.score is None:
            return phrase("NEWS2 cannot be told: no vital sign is known.")
        response = None if self.response is None else phrase(_RESPONSE_WORDS[self.response])
        if not self.missing and response is not None:
            return phrase("NEWS2 is {score} of 20: {response}.", score=self.score, response=response)
        known, missing = _listed(self.parts), _listed(self.missing)
        if response is None:
            return phrase(
                "NEWS2 is at least {score}, from {known} alone. Missing: {missing}; it could be up to {most}.",
                score=self.score,
                known=known,
                missing=missing,
                most=self.at_most,
            )
        return phrase(
            "NEWS2 is at least {score}, from {known} alone: at least {response}. Missing: {missing}; it could be up to "
            "{most}.",
            score=self.score,
            known=known,
            response=response,
            missing=missing,
            most=self.at_most,
        )


def news2(vitals: Vitals, scale: Spo2Scale = Spo2Scale.ONE) -> News2:
    """Score vital signs; `scale` is the person's SpO2 scale.

    A value that cannot be true counts as missing, with that as its reason. On scale 2 an SpO2 of 93 % and more is
    missing too while it is not known whether the person breathes oxygen: it would score 0 on air and up to 3 on oxygen.
    """
    parts: dict[Vital, int] = {}
    missing: dict[Vital, str] = {}
    for vital in Vital:
        points = _points(vital, vitals, scale)
        if isinstance(points, str):
            missing[vital] = points
        else:
            parts[vital] = points
    return News2(MappingProxyType(parts), MappingProxyType(missing))


def _points(vital: Vital, vitals: Vitals, scale: Spo2Scale) -> int | str:
    """The points of one vital sign, or the reason why it is missing."""
    value = getattr(vitals, vital)
    if value is None:
        return "not measured"
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return _OXYGEN_POINTS if value else 0
    if vital is Vital.CONSCIOUSNESS:
        return 0 if value is Consciousness.ALERT else _NOT_ALERT_POINTS
    row = _ROWS[vital]
    refusal = row.refusal(value)
    if refusal is not None:
        return refusal
    if vital is Vital.SPO2 and scale is Spo2Scale.TWO:
        return _points_on_scale_2(value, supplemental_oxygen=vitals.supplemental_oxygen)
    return row.points(value)


def _points_on_scale_2(spo2: float, *, supplemental_oxygen: bool | None) -> int | str:
    on_air, on_oxygen = _SCALE_2_ON_AIR.points(spo2), _SCALE_2_ON_OXYGEN.points(spo2)
    if supplemental_oxygen is None and on_air != on_oxygen:
        return f"{spo2:g} % scores on scale 2 only if the person breathes oxygen, and that is not known"
    return on_oxygen if supplemental_oxygen else on_air


def _listed(vitals: Mapping[Vital, object]) -> str:
    return listed([phrase(_WORDS[vital]) for vital in vitals])
