"""A wearable's own clock, which is as wrong as those of real ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from edge.clock import Clock
from edge.wearables.fields import DateTime

# 2000-01-01T00:00:00Z: where a household's device begins again when its battery was changed, since a Date Time of the
# year 0 would say that it has no clock. Our choice.
RESET_S: Final = 946_684_800.0


class DeviceClock:
    """Right at first; then off, drifting or reset as it is told to be. Times are in seconds since 1970 UTC."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._set_to = clock.wall()
        self._set_at = clock.monotonic()
        self._drift_ppm = 0.0

    @property
    def drift_ppm(self) -> float:
        """Microseconds that it gains in a second; cheap quartz drifts by up to some 100."""
        return self._drift_ppm

    @drift_ppm.setter
    def drift_ppm(self, drift_ppm: float) -> None:
        self.set(self.now())
        self._drift_ppm = drift_ppm

    def now(self) -> float:
        """What it shows."""
        return self._set_to + (self._clock.monotonic() - self._set_at) * (1.0 + self._drift_ppm * 1e-6)

    def set(self, now: float) -> None:
        """Let it show `now`."""
        self._set_to, self._set_at = now, self._clock.monotonic()

    def step(self, seconds: float) -> None:
        """Put it forward, or back."""
        self.set(self.now() + seconds)

    def reset(self) -> None:
        """Let it begin again, as after a change of its battery."""
        self.set(RESET_S)

    def local(self) -> datetime:
        """What its user reads off it: the household's local time, without a zone."""
        return datetime.fromtimestamp(self.now(), UTC).astimezone().replace(tzinfo=None)

    def stamp(self) -> DateTime:
        """The same as it is sent."""
        local = self.local()
        return DateTime(local.year, local.month, local.day, local.hour, local.minute, local.second)
