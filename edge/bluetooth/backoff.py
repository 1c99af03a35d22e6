"""How long to wait before trying again."""

from __future__ import annotations

import random
from typing import Final

# Our choice: the first repeat is soon, since most links are lost to a moment's interference, and the last pause is no
# longer than a household would wait for a wearable that works again.
FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0


class Backoff:
    """Pauses that double from FIRST_S to `longest`, each shortened by chance to between half and all of it.

    The jitter keeps several links, which lost one radio at one moment, from coming back at one moment.
    """

    def __init__(self, chance: random.Random, longest: float = LONGEST_S) -> None:
        self._chance = chance
        self._longest = longest
        self._pause = FIRST_S

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        pause, self._pause = self._pause, min(2.0 * self._pause, self._longest)
        return pause * self._chance.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It works: begin with FIRST_S again."""
        self._pause = FIRST_S
