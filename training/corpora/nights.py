"""Nights of RR intervals whose minutes experts called apnoea or not: what every corpus of sleep apnoea is read into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NightRecord:
    """One night: the RR intervals `rr_ms` that end at `times` (s from its begin, increasing), both (beats,).

    `apnoea`, (minutes,), is 1 where the expert saw apnoea in the minute from 60 i to 60 (i + 1) s, 0 where not, -1
    where nobody looked.
    """

    name: str
    times: NDArray[np.float64]
    rr_ms: NDArray[np.float64]
    apnoea: NDArray[np.int8]
