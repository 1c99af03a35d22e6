"""Two kinds of alert that tell of one thing: while one was told lately, the other waits; pure.

Low glucose is foreseen by the risk, which says that it is low or will be within half an hour, and seen by a rule. That
it has been very low when the half hour is over is news again; that it is going low is none while it is very low.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from edge.notices import Alert, Severity
from edge.readings import Risk

GLUCOSE_VERY_LOW: Final = "glucose_very_low"
# By kind, the kind that says the same, and for how long after it was raised, s. Half an hour is the time for which the
# model foresees low glucose (models/hypoglycaemia/card.md).
_SAID_BY: Final[Mapping[str, tuple[str, float]]] = MappingProxyType(
    {GLUCOSE_VERY_LOW: (Risk.HYPOGLYCAEMIA, 1800.0), Risk.HYPOGLYCAEMIA: (GLUCOSE_VERY_LOW, math.inf)}
)
_GRAVITY: Final = {severity: rank for rank, severity in enumerate(Severity)}


def waits(kind: str, severity: Severity, opened: Iterable[Alert], now: float) -> bool:
    """Whether an alert is not to be raised yet at `now`, s since 1970 UTC, because one of `opened` says the same."""
    other, seconds = _SAID_BY.get(kind, ("", 0.0))
    return any(
        alert.kind == other
        and _GRAVITY[alert.severity] >= _GRAVITY[severity]
        # One that was raised ahead of now was raised before the clock was set back, and proves nothing.
        and 0.0 <= now - alert.opened_at < seconds
        for alert in opened
    )
