"""In which order a contact's channels are tried: as the settings say, those that have failed lately last."""

from __future__ import annotations

from typing import Final

from edge.notify.phone import Contact, PhoneChannel

# How long a channel that has failed stands back while there is another, in seconds. Our choice: an outage of minutes
# costs one detour, and the channel that the contact prefers is not given up for good.
REST_S: Final = 600.0


class ChannelOrder:
    """Remembers which channels have failed; times are of a clock that never steps, in seconds."""

    def __init__(self) -> None:
        self._failed_at: dict[tuple[str, PhoneChannel], float] = {}

    def of(self, contact: Contact, now: float) -> list[PhoneChannel]:
        """The contact's channels, the one to try first first; of those that rest the one that has rested longest."""
        rested = [channel for channel in contact.channels if not self._rests(contact, channel, now)]
        resting = [channel for channel in contact.channels if channel not in rested]
        return rested + sorted(resting, key=lambda channel: self._failed_at[contact.id, channel])

    def failed(self, contact: Contact, channel: PhoneChannel, now: float) -> None:
        """A channel has not taken a message: it rests for a while."""
        self._failed_at[contact.id, channel] = now

    def worked(self, contact: Contact, channel: PhoneChannel) -> None:
        """A channel has taken a message."""
        self._failed_at.pop((contact.id, channel), None)

    def all_failed(self, contact: Contact, now: float) -> bool:
        """Whether no channel of the contact is left that has not failed lately."""
        return all(self._rests(contact, channel, now) for channel in contact.channels)

    def forgive(self, contact: str) -> None:
        """Try the contact's channels in their own order again: it was the network that failed."""
        self._failed_at = {key: at for key, at in self._failed_at.items() if key[0] != contact}

    def _rests(self, contact: Contact, channel: PhoneChannel, now: float) -> bool:
        failed_at = self._failed_at.get((contact.id, channel))
        return failed_at is not None and now - failed_at < REST_S
