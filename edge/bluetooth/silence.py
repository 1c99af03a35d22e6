"""How long each stream of a wearable may be silent, and which one has been so for longer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Our choice: straps notify every second; thirty without a word are no interference any more but a link that is only
# said to be connected. A profile whose streams are slower says so (Profile.silence_s).
SILENCE_LIMIT_S: Final = 30.0


def silence_limits(streams: Mapping[str, Mapping[str, float]], silence_limit_s: float) -> dict[str, float]:
    """How long each stream may be silent, in seconds: what its profile says, or else `silence_limit_s`.

    `streams` gives for each the `silence_s` of its profile. All limits grow as `silence_limit_s` does above
    SILENCE_LIMIT_S, which it does in replays faster than life.
    """
    stretch = silence_limit_s / SILENCE_LIMIT_S
    return {uuid: stretch * limits.get(uuid, SILENCE_LIMIT_S) for uuid, limits in streams.items()}


class Silence:
    """Since when each stream of one connection has been silent; whoever hears one writes the moment into `heard`.

    A stream's own silence counts from its first value on this connection, since a wearable may have reasons to refuse
    one of many; that of all together counts from the beginning. So a stream that fell silent costs one reconnection,
    and if that is of no use, what still flows is left in peace.
    """

    def __init__(self, limits: Mapping[str, float], heard: Mapping[str, float], began: float) -> None:
        self._limits = limits
        self._heard = heard
        self._began = began
        self._longest = max(limits.values(), default=float("inf"))

    @property
    def streams(self) -> bool:
        """Whether anything is to be heard at all."""
        return bool(self._limits)

    def until_due(self, now: float) -> float:
        """Seconds from `now` until the next stream will have been silent for too long; infinite where none streams."""
        if not self._heard:
            return self._began + self._longest - now
        return min(heard + self._limits[uuid] for uuid, heard in self._heard.items()) - now

    def overdue(self, now: float) -> str | None:
        """What has been silent for too long, in words, or None."""
        if self.until_due(now) > 0.0:
            return None
        if not self._heard:
            return f"connected, but silent for {now - self._began:.0f} s"
        uuid = min(self._heard, key=lambda uuid: self._heard[uuid] + self._limits[uuid])
        silent = f"silent for {now - self._heard[uuid]:.0f} s"
        return f"connected, but {silent}" if len(self._limits) == 1 else f"connected, but {_number(uuid)} is {silent}"


def _number(uuid: str) -> str:
    """The 16-bit number of a UUID that the Bluetooth SIG has assigned, or the UUID."""
    return f"0x{uuid[4:8].upper()}" if uuid.startswith("0000") and uuid[8:].startswith("-0000-1000-8000-") else uuid
