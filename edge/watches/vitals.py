"""A person's vital signs as the wearables know them, and the NEWS2 score that they allow."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from edge.readings import UNSOUND, Channel, Quality
from edge.signals.news2 import News2, Vitals
from edge.signals.night_baseline import joined, rates_of_heart_rate, rates_of_rr
from edge.store.store import Store

# The pulse is the mean over the last five minutes, of which three must have one. Our choice: NEWS2 is made for a pulse
# counted at rest for up to a minute, and one minute alone may be the stairs.
STRETCH_S: Final = 300.0
LEAST_MINUTES: Final = 3
# What is measured now and then counts for an hour: so often NEWS2 is taken where it is 5 or more (RCP 2017, chart 4).
FRESH_S: Final = 3600.0
# A record of which nobody knows when it was made says nothing of now.
_BAD: Final = int(UNSOUND | Quality.TIME_UNSURE)


def stored_vitals(store: Store, person: str, now: float) -> Vitals:
    """What the wearables tell of the vital signs at `now`, each None where it was not measured lately.

    Raises StoreError.
    """
    return Vitals(
        spo2=_newest(store, person, Channel.SPO2, now),
        systolic=_newest(store, person, Channel.SYSTOLIC, now),
        pulse=_pulse(store, person, now),
        temperature=_newest(store, person, Channel.TEMPERATURE, now),
    )


def _pulse(store: Store, person: str, now: float) -> float | None:
    """The mean of the last minutes of a strap; where in an hour there were fewer minutes, a cuff's or oximeter's last.

    A strap that was taken off some minutes ago tells of what its wearer did then, and nothing of now.
    """
    heart_rate = store.signals.series(person, Channel.HEART_RATE, now - FRESH_S, now)
    rr = store.signals.series(person, Channel.RR_INTERVAL, now - FRESH_S, now)
    rates = joined(
        rates_of_heart_rate(heart_rate.times, heart_rate.values, heart_rate.quality),
        rates_of_rr(rr.times, rr.values, rr.quality),
    )
    lately = rates.bpm[60.0 * rates.minutes >= now - STRETCH_S]
    if len(lately) >= LEAST_MINUTES:
        return float(lately.mean())
    return float(rates.bpm[-1]) if 0 < len(rates.bpm) < LEAST_MINUTES else None


def _newest(store: Store, person: str, channel: Channel, now: float) -> float | None:
    """Median of the good samples of the STRETCH_S that ends with the newest one, so that one slip does not count."""
    series = store.signals.series(person, channel, now - FRESH_S, now)
    good = (series.quality & _BAD) == 0
    if not good.any():
        return None
    times = series.times[good]
    return float(np.median(series.values[good][times > times[-1] - STRETCH_S]))


def news2_fields(scored: News2) -> dict[str, Any]:
    """A score for JSON; `score` is a lower bound where `partial` is true, and null where nothing is known."""
    return {
        "score": scored.score,
        "partial": scored.is_partial,
        "at_most": scored.at_most,
        "parts": dict(scored.parts),
        "missing": dict(scored.missing),
        "red_score": list(scored.red_score),
        "response": scored.response,
        "sentence": scored.sentence,
    }
