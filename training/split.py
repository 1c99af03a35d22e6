"""People, not windows, are split: nobody is in two parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

TRAIN, VALIDATION, TEST, REPORTED_ALONE = "train", "validation", "test", "report"
# Of every five people with a like burden of the risk, one is for validation and one for the test.
BLOCK: Final = (TRAIN, TRAIN, TRAIN, VALIDATION, TEST)


def split_people(burden: Mapping[str, float], seed: int) -> dict[str, list[str]]:
    """Share people out to the parts, alike in burden: `burden` is each person's share of time (0..1) with the risk."""
    random = np.random.default_rng(seed)
    parts: dict[str, list[str]] = {TRAIN: [], VALIDATION: [], TEST: []}
    ordered = sorted(burden, key=lambda person: (burden[person], person))
    for first in range(0, len(ordered), len(BLOCK)):
        for person, part in zip(ordered[first : first + len(BLOCK)], random.permutation(BLOCK), strict=False):
            parts[str(part)].append(person)
    return {part: sorted(people) for part, people in parts.items()}
