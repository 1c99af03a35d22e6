"""Battery Service 1.0 (Bluetooth SIG, BAS v10r00): how full a wearable's battery is."""

from __future__ import annotations

from typing import ClassVar, Final

from edge.errors import DecodeError
from edge.readings import CHANNELS, Channel, Reading, Source
from edge.wearables.profile import Profile, assigned_uuid

SERVICE: Final = assigned_uuid(0x180F)
LEVEL: Final = assigned_uuid(0x2A19)


def decode(payload: bytes) -> int:
    """Battery level in percent, 0..100 (Battery Service 1.0, 3.1); other numbers are reserved.

    Raises DecodeError for a reserved number or a packet that is not one octet.
    """
    if len(payload) != 1 or payload[0] > 100:
        raise DecodeError(
            f"packet {bytes(payload).hex() or '(empty)'} was left out: it is not one octet of 0 to 100 percent",
            where="Battery Level (0x2A19)",
            mend="check the wearable's firmware",
        )
    return payload[0]


class Battery(Profile):
    """Battery Service 1.0: Readings of battery (%)."""

    name: ClassVar[str] = "battery"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (LEVEL,)
    read: ClassVar[tuple[str, ...]] = (LEVEL,)

    def readings(
        self, _characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile."""
        return (
            Reading(
                person=source.person,
                device=source.device,
                channel=Channel.BATTERY,
                unit=CHANNELS[Channel.BATTERY].unit,
                start=received_at,
                received_at=received_at,
                values=(float(decode(payload)),),
            ),
        )


PROFILE: Final = Battery()
