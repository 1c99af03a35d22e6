"""Device Information Service 1.1 (Bluetooth SIG, DIS v11r00): who made a wearable, and which one it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from edge.errors import DecodeError
from edge.wearables.profile import Profile, assigned_uuid

SERVICE: Final = assigned_uuid(0x180A)

# The service's texts, all UTF-8: Device Information Service 1.1, 3.1 to 3.6.
TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        assigned_uuid(0x2A29): "manufacturer",
        assigned_uuid(0x2A24): "model",
        assigned_uuid(0x2A25): "serial_number",
        assigned_uuid(0x2A27): "hardware_revision",
        assigned_uuid(0x2A26): "firmware_revision",
        assigned_uuid(0x2A28): "software_revision",
    }
)


class DeviceInformation(Profile):
    """Device Information Service 1.1: facts, no Readings."""

    name: ClassVar[str] = "device_information"
    service: ClassVar[str] = SERVICE
    read: ClassVar[tuple[str, ...]] = tuple(TEXTS)

    def facts(self, characteristic: str, payload: bytes, /) -> dict[str, str]:
        """See Profile. Octets of zero at the end, with which some makers pad, are left out; so is an empty text."""
        try:
            text = bytes(payload).decode("utf-8").rstrip("\0").strip()
        except UnicodeDecodeError as error:
            raise DecodeError(
                f"packet {bytes(payload).hex()} was left out: it is not UTF-8",
                where=f"Device Information ({TEXTS[characteristic]})",
                mend="check the wearable's firmware",
            ) from error
        return {TEXTS[characteristic]: text} if text else {}


PROFILE: Final = DeviceInformation()
