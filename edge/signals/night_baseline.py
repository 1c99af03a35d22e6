"""Resting heart rate at night against what is usual for this person, as an early sign of illness.

That a resting heart rate above one's own usual one comes with infections, often before one feels ill, was shown with
consumer wearables by Radin et al., Lancet Digital Health 2(2), 2020, and Mishra et al., Nature Biomedical Engineering
4, 2020. The limit of 4 bpm above the median of one's own nights, in two nights in a row, is that of the red alert of
NightSignal: Alavi et al., "Real-time alerting system for COVID-19 and other stress events using wearable data", Nature
Medicine 28, 2022, extended data fig. 3. The second limit, by the person's own spread, is ours.

It tells that something is unusual, not what: drink (Pietilä et al., JMIR Mental Health 5(1), 2018), a late meal, hard
exercise, stress, a new medicine, a warm bedroom or the second half of the menstrual cycle do the same. A night that
cannot be judged is told as missing: it is no usual night and no unusual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.phrases import phrase, several
from edge.readings import UNSOUND
from edge.signals.artefacts import mark_artefacts

_BAD: Final = int(UNSOUND)
_MINUTE_S: Final = 60
# A minute's rate from RR intervals needs half a minute of good ones. Our choice.
LEAST_RR_S: Final = 30.0

# The resting heart rate of a night is the 10th percentile of its means over five minutes. Our choice: a rate that the
# heart has kept for a good while, and one that depends little on which hours the wearable was worn. Measured in the 40
# people of nsr2db: four hours in place of ten move it by 0.5 bpm on the average where half of them are late ones (the
# lowest half hour moves by 1.5, the mean by -2.4), but by 4.4 where all are early, because heart rate falls
# during the night. So a night needs LEAST_HOURS, and LEAST_LATE_HOURS of them in its second half.
SLOT_S: Final = 300
SLOT_MINUTES: Final = 3
PERCENTILE: Final = 10.0
LEAST_HOURS: Final = 4.0
LEAST_LATE_HOURS: Final = 2.0
# A heart never keeps exactly one rate for half an hour; a device that has frozen does, and so does a pacemaker, whose
# rate tells nothing here. Our choice of the time.
FROZEN_MINUTES: Final = 30

# Past nights that make the baseline, and the least of them; 28 as the sliding window of Mishra et al. 2020.
BASELINE_NIGHTS: Final = 28
LEAST_NIGHTS: Final = 7
# What makes the median absolute deviation comparable to a standard deviation: Rousseeuw & Croux, "Alternatives to the
# median absolute deviation", Journal of the American Statistical Association 88, 1993.
MAD_TO_SD: Final = 1.4826
# Heart rate comes in whole bpm, and in a few nights a spread can come out near nothing by chance. Our choice.
LEAST_SPREAD_BPM: Final = 1.0
# A night is elevated at both limits or above. Our choice of 2.5 spreads: of simulated people whose nights differ by
# 2 bpm (standard deviation), one in twenty after a drink, it raises a false alarm not once a year, and finds 8 bpm more
# within two nights in three of four, but in two of five where nights differ by 3 bpm (see the tests). A fever of one
# degree raises heart rate by about 8 bpm: Karjalainen & Viitasalo, Archives of Internal Medicine 146, 1986.
ELEVATED_SPREADS: Final = 2.5
ELEVATED_BPM: Final = 4.0
# One night alone is mostly a drink or a late meal. Of two nights in a row, one between them may be missing.
NIGHTS_IN_A_ROW: Final = 2
MISSING_BETWEEN: Final = 1
# It is over after a night below this many spreads, or when this many nights in a row could not be judged: nothing is
# known then, so nothing may be claimed. Our choice.
CLEAR_SPREADS: Final = 1.5
UNKNOWN_NIGHTS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class MinuteRates:
    """Heart rate by the minute, only of minutes that have one; both of the shape (minutes,).

    `minutes` count from 1970 UTC, increasing: one holds what was measured with 60 * minute < time <= 60 * minute + 60.
    """

    minutes: NDArray[np.int64]
    bpm: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Night:
    """One night, from `start` to `end` (seconds since 1970 UTC).

    `resting_bpm` is None where it cannot be known, and `reason` says why; `hours` of it have a heart rate.
    """

    start: float
    end: float
    hours: float
    resting_bpm: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was usual in the nights before: their median, their spread as a standard deviation, and their range, in bpm.

    `used` nights of the last BASELINE_NIGHTS have a resting heart rate, `missing` ones have none; nights before the
    first one ever are neither.
    """

    usual_bpm: float
    spread_bpm: float
    lowest_bpm: float
    highest_bpm: float
    used: int
    missing: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one night says beside those before it.

    `z` is how many spreads the night lies above what is usual; `elevated` is whether this night is, None with `reason`
    where that cannot be known; `raised` is whether enough nights in a row are, `since` when the first of these began.
    """

    night: Night
    baseline: Baseline | None
    z: float | None
    elevated: bool | None
    reason: str | None
    raised: bool
    since: float | None

    @property
    def sentence(self) -> str:
        """The verdict in words for lay people, with the plain numbers."""
        if self.night.resting_bpm is None:
            return phrase("Resting heart rate last night is not known: {reason}.", reason=self.night.reason or "")
        if self.baseline is None:
            return phrase(
                "Resting heart rate last night was {resting:.0f}; what is usual is not known yet: {reason}.",
                resting=self.night.resting_bpm,
                reason=self.reason or "",
            )
        usual = self.baseline
        told: dict[str, float] = {
            "resting": self.night.resting_bpm,
            "usual": usual.usual_bpm,
            "lowest": usual.lowest_bpm,
            "highest": usual.highest_bpm,
            "nights": usual.used,
        }
        if not usual.missing:
            return phrase(
                "Resting heart rate last night was {resting:.0f}, usually {usual:.0f} ({lowest:.0f} to {highest:.0f} "
                "over the last {nights} nights).",
                **told,
            )
        return several(
            "Resting heart rate last night was {resting:.0f}, usually {usual:.0f} ({lowest:.0f} to {highest:.0f} over "
            "the last {nights} nights; {n} night missing).",
            "Resting heart rate last night was {resting:.0f}, usually {usual:.0f} ({lowest:.0f} to {highest:.0f} over "
            "the last {nights} nights; {n} nights missing).",
            usual.missing,
            **told,
        )


def rates_of_heart_rate(
    times: NDArray[np.float64], bpm: NDArray[np.float64], quality: NDArray[np.uint8]
) -> MinuteRates:
    """Mean heart rate of each minute; all of the shape (samples,), times (s) increasing, `quality` flags of Quality."""
    good = (quality & _BAD) == 0
    minutes, sums, counts = _by_minute(times[good], bpm[good])
    return MinuteRates(minutes, sums / counts)


def rates_of_rr(times: NDArray[np.float64], rr_ms: NDArray[np.float64], quality: NDArray[np.uint8]) -> MinuteRates:
    """Heart rate of each minute with LEAST_RR_S of good RR intervals (ms, ending at `times`); shapes as above."""
    good = ((quality & _BAD) == 0) & ~mark_artefacts(rr_ms)
    minutes, sums, counts = _by_minute(times[good], rr_ms[good])
    enough = sums >= 1000.0 * LEAST_RR_S
    return MinuteRates(minutes[enough], 60_000.0 * counts[enough] / sums[enough])


def _by_minute(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Each minute that has values, with their sum and their number."""
    minute = np.ceil(times / _MINUTE_S).astype(np.int64) - 1
    minutes, place = np.unique(minute, return_inverse=True)
    sums = np.bincount(place, values, minlength=len(minutes)).astype(np.float64)
    counts = np.bincount(place, minlength=len(minutes)).astype(np.int64)
    return minutes.astype(np.int64), sums, counts


def joined(preferred: MinuteRates, other: MinuteRates) -> MinuteRates:
    """The minutes of both, those of `preferred` where both have one."""
    more = ~np.isin(other.minutes, preferred.minutes)
    minutes = np.concatenate([preferred.minutes, other.minutes[more]])
    order = np.argsort(minutes, kind="stable")
    return MinuteRates(minutes[order], np.concatenate([preferred.bpm, other.bpm[more]])[order])


def resting_night(start: float, end: float, rates: MinuteRates) -> Night:
    """The night from `start` to `end` (seconds since 1970 UTC, whole minutes); minutes outside it do not count."""
    inside = (rates.minutes * _MINUTE_S >= start) & ((rates.minutes + 1) * _MINUTE_S <= end)
    minutes, bpm = rates.minutes[inside], rates.bpm[inside]
    if not minutes.size:
        return Night(start, end, 0.0, None, phrase("no heart rate was measured"))
    alive = ~_frozen(bpm)
    if not alive.any():
        stuck = phrase("the heart rate stood still at {bpm:.0f}, as no heart's own does", bpm=float(bpm[0]))
        return Night(start, end, 0.0, None, stuck)
    slot = ((minutes[alive] * _MINUTE_S - start) // SLOT_S).astype(np.int64)
    counts = np.bincount(slot)
    filled = np.flatnonzero(counts >= SLOT_MINUTES)
    hours, late_hours = (
        float(np.count_nonzero(filled * SLOT_S >= since)) * SLOT_S / 3600.0 for since in (0.0, (end - start) / 2.0)
    )
    if hours < LEAST_HOURS or late_hours < LEAST_LATE_HOURS:
        reason = phrase(
            "heart rate was measured for {hours:.1f} hours of the night and {late:.1f} of its second half, {least:.0f} "
            "and {least_late:.0f} are needed",
            hours=hours,
            late=late_hours,
            least=LEAST_HOURS,
            least_late=LEAST_LATE_HOURS,
        )
        return Night(start, end, hours, None, reason)
    means = (np.bincount(slot, bpm[alive]) / np.maximum(counts, 1))[filled]
    return Night(start, end, hours, float(np.percentile(means, PERCENTILE)), None)


def _frozen(bpm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True where a minute is one of FROZEN_MINUTES or more in a row with exactly one rate."""
    begins = np.flatnonzero(np.diff(bpm, prepend=np.nan) != 0.0)
    lengths = np.diff(begins, append=len(bpm))
    return np.repeat(lengths >= FROZEN_MINUTES, lengths)


def judge_nights(nights: Sequence[Night]) -> list[Verdict]:
    """A Verdict for each of `nights`, which are every night in turn, oldest first, those without data included.

    Each is judged by the nights before it alone.
    """
    episode = _Episode()
    verdicts = []
    for number, night in enumerate(nights):
        baseline, reason = _baseline(nights[:number])
        z = None
        elevated = None
        if night.resting_bpm is None:
            reason = night.reason
        elif baseline is not None:
            above = night.resting_bpm - baseline.usual_bpm
            z = above / baseline.spread_bpm
            elevated = z >= ELEVATED_SPREADS and above >= ELEVATED_BPM
        episode.go_on(night, z, elevated=elevated)
        verdicts.append(Verdict(night, baseline, z, elevated, reason, episode.raised, episode.since))
    return verdicts


def _baseline(before: Sequence[Night]) -> tuple[Baseline | None, str | None]:
    """What was usual before, or why that is not known."""
    first = next((number for number, night in enumerate(before) if night.resting_bpm is not None), len(before))
    looked_at = before[max(first, len(before) - BASELINE_NIGHTS) :]
    known = np.array([night.resting_bpm for night in looked_at if night.resting_bpm is not None])
    if len(known) < LEAST_NIGHTS:
        return None, several(
            "{n} earlier night is known, {least} are needed",
            "{n} earlier nights are known, {least} are needed",
            len(known),
            least=LEAST_NIGHTS,
        )
    usual = float(np.median(known))
    spread = max(LEAST_SPREAD_BPM, MAD_TO_SD * float(np.median(np.abs(known - usual))))
    return (
        Baseline(usual, spread, float(known.min()), float(known.max()), len(known), len(looked_at) - len(known)),
        None,
    )


class _Episode:
    """Whether enough nights in a row are elevated, going from night to night."""

    def __init__(self) -> None:
        self.raised = False
        self.since: float | None = None
        self._elevated = 0  # nights in a row, missing ones aside
        self._unknown = 0  # nights in a row that could not be judged

    def go_on(self, night: Night, z: float | None, *, elevated: bool | None) -> None:
        """Take the next night."""
        if elevated is None or z is None:
            self._unknown += 1
            if self._unknown > (UNKNOWN_NIGHTS - 1 if self.raised else MISSING_BETWEEN):
                self._end()
            return
        self._unknown = 0
        if elevated:
            self.since = night.start if self.since is None else self.since
            self._elevated += 1
            self.raised = self.raised or self._elevated >= NIGHTS_IN_A_ROW
        elif not self.raised or z < CLEAR_SPREADS:
            self._end()

    def _end(self) -> None:
        self.raised, self.since, self._elevated = False, None, 0
