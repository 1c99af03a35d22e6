"""Whether the broker still lives: when something came from it last, and when it acknowledged something last."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

# A broker is lost when nothing has come from it for so many keep-alives: with the step in which that is noticed, an
# eighth of one, it is the one and a half that it allows us too (MQTT 5.0, 3.1.2.10). paho alone would wait twice.
LOST_AFTER: Final = 1.375
STEPS: Final = 8
# How long a broker may say nothing at all while a message waits for its answer, s. Our choice: a new connection often
# works at once where a router has forgotten the old one, and an alert may be what waits.
QUIET_LIMIT_S: Final = 30.0
# How long a broker that lives may leave a message without an answer, s: then the connection is made anew, for only at
# a new one may a message be sent again (MQTT 5.0, 4.4). Our choice.
ACKNOWLEDGE_LIMIT_S: Final = 120.0


@dataclass(slots=True)
class Pulse:
    """Of one connection; times are monotonic, s."""

    _heard_at: float = field(default_factory=time.monotonic)
    _moved_at: float = field(default_factory=time.monotonic)

    def heard(self) -> None:
        """Something has come from the broker."""
        self._heard_at = time.monotonic()

    def moved(self) -> None:
        """A message was answered, or the first one was sent."""
        self._moved_at = time.monotonic()

    def trouble(self, keep_alive_s: float, *, waiting: bool) -> str | None:
        """What is wrong, if anything; `waiting` says that messages wait for an answer, a keep-alive of 0 is none."""
        now = time.monotonic()
        quiet = waiting and now - max(self._heard_at, self._moved_at) > QUIET_LIMIT_S
        if quiet or (keep_alive_s and now - self._heard_at > LOST_AFTER * keep_alive_s):
            return "nothing comes from it any more"
        if waiting and now - self._moved_at > ACKNOWLEDGE_LIMIT_S:
            return "it does not acknowledge what it gets"
        return None
