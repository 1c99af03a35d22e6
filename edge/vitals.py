"""A person's vital signs as the wearables know them, and the NEWS2 score that they allow."""

from __future__ import annotations

from typing import Any, Final

from edge.readings import Channel
from edge.signals.news2 import News2, Vitals
from edge.signals.night_baseline import MinuteRates, joined, rates_of_heart_rate, rates_of_rr
from edge.store.store import Store

# The pulse is the mean over the last five minutes, of which three must have one. Our choice: NEWS2 is made for a pulse
# counted at rest for up to a minute, and one minute alone may be the stairs.
PULSE_S: Final = 300.0
LEAST_MINUTES: Final = 3


def stored_vitals(store: Store, person: str, now: float) -> Vitals:
    """What the wearables tell of the vital signs at `now`: the pulse, None where too little of it came lately.

    Raises StoreError.
    """
    heart_rate = store.signals.series(person, Channel.HEART_RATE, now - PULSE_S, now)
    rr = store.signals.series(person, Channel.RR_INTERVAL, now - PULSE_S, now)
    rates: MinuteRates = joined(
        rates_of_heart_rate(heart_rate.times, heart_rate.values, heart_rate.quality),
        rates_of_rr(rr.times, rr.values, rr.quality),
    )
    return Vitals(pulse=float(rates.bpm.mean()) if len(rates.bpm) >= LEAST_MINUTES else None)


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
