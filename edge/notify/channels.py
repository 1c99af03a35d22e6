"""In which order a contact's channels are tried: as the settings say, those that have failed lately last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.notify.phone import Contact, PhoneChannel

# How long a channel that has failed stands back while there is another, in seconds. Our choice: an outage of minutes
# costs one detour, and the channel that the contact prefers is not given up for good.
REST_S: Final = 600.0


class ChannelOrder:
    """Remembers which channels have failed; times are of a clock that never steps, in seconds."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, PhoneChannel], _Failure] = {}

    def of(self, contact: Contact, now: float) -> list[PhoneChannel]:
        """The contact's channels, the one to try first first; of those that rest the one that has rested longest."""
        rested = [channel for channel in contact.channels if not self._rests(contact, channel, now)]
        resting = [channel for channel in contact.channels if channel not in rested]
        return rested + sorted(resting, key=lambda channel: self._failures[contact.id, channel].at)

    def failed(self, contact: Contact, channel: PhoneChannel, why: str, now: float) -> None:
        """A channel has not taken a message: it rests for a while."""
        before = self._failures.get((contact.id, channel))
        again = before is not None and (before.again or now - before.at >= REST_S)
        self._failures[contact.id, channel] = _Failure(now, why, again)

    def worked(self, contact: Contact, channel: PhoneChannel) -> None:
        """A channel has taken a message."""
        self._failures.pop((contact.id, channel), None)

    def all_failed(self, contact: Contact, now: float) -> bool:
        """Whether no channel of the contact is left that has not failed lately."""
        return all(self._rests(contact, channel, now) for channel in contact.channels)

    def bypassed(self, contact: Contact) -> str | None:
        """Which channels have failed again after a rest, and why; None where none has, or no other is left."""
        found = [failure for channel in contact.channels if (failure := self._failures.get((contact.id, channel)))]
        if len(found) == len(contact.channels):
            return None
        return "; ".join(failure.why for failure in found if failure.again) or None

    def forgive(self, contact: str) -> None:
        """Try the contact's channels in their own order again: it was the network that failed."""
        self._failures = {key: failure for key, failure in self._failures.items() if key[0] != contact}

    def _rests(self, contact: Contact, channel: PhoneChannel, now: float) -> bool:
        failure = self._failures.get((contact.id, channel))
        return failure is not None and now - failure.at < REST_S


@dataclass(frozen=True, slots=True)
class _Failure:
    """When a channel failed last and why, and whether it had failed before its last rest, too."""

    at: float
    why: str
    again: bool
