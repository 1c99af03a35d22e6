"""The hours in which a contact is only told what is critical; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end`, by the clocks of the home, every day; over midnight where `end` is the earlier.

    They are one stretch each night also where the clocks are set: they begin when a clock shows `begin` for the first
    time, and end when it shows `end` for the first time. A time that clocks leap over is counted as if they had not.
    """

    begin: time
    end: time

    def until(self, now: float, zone: tzinfo | None = None) -> float | None:
        """When the quiet that holds at `now` ends (s since 1970 UTC), None where none holds.

        `zone` is the home's, None the machine's own.
        """
        today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            end_day = day if self.begin < self.end else day + timedelta(days=1)
            begin, end = _moment(day, self.begin, zone), _moment(end_day, self.end, zone)
            if begin <= now < end:
                return end
        return None


def _moment(day: date, at: time, zone: tzinfo | None) -> float:
    """When the clocks show `at` for the first time on a day; fold 0 says the first (PEP 495)."""
    local = datetime.combine(day, at.replace(fold=0))
    return local.replace(tzinfo=zone).timestamp()
