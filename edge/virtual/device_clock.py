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

    def local(self, at: float | None = None) -> datetime:
        """What its user reads off it, or read at `at` by its time: the household's local time, without a zone."""
        return _household(self.now() if at is None else at).replace(tzinfo=None)

    def stamp(self, at: float | None = None) -> DateTime:
        """The same as it is sent."""
        local = self.local(at)
        return DateTime(local.year, local.month, local.day, local.hour, local.minute, local.second)

    def utc_offset_s(self, at: float) -> float:
        """Seconds that the household is ahead of UTC."""
        offset = _household(at).utcoffset()
        return 0.0 if offset is None else offset.total_seconds()


def _household(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()
