"""What goes wrong on the radio, told from bleak's and BlueZ's errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)
from bleak_retry_connector import BleakOutOfConnectionSlotsError
from dbus_fast import AuthError

from edge.phrases import phrase, words

# What bleak and dbus-fast raise when an adapter, a wearable, bluetoothd or the message bus goes away in the middle of a
# call, or the bus refuses us: their own errors, a dead socket's, no answer in time, and lookups in objects of BlueZ
# that have just vanished.
RADIO_ERRORS: Final = (
    BleakError,
    AuthError,
    EOFError,
    OSError,
    TimeoutError,
    AttributeError,
    KeyError,
    AssertionError,
)

# How BlueZ says that no connection more can be held: its src/error.h has the first two for EMLINK and ENOMEM; the
# others are these errors' texts in the C library, which older versions gave instead.
_NO_SLOT: Final = ("concurrent-connection-limit", "memory-allocation", "Too many links", "Cannot allocate memory")

# How adapters say it that do not say it plainly; interference has the same words.
_PERHAPS_NO_SLOT: Final = (
    "abort-by-local",
    "connection-canceled",
    "Software caused connection abort",
    "le-connection-busy",
)

# A bond that the wearable has lost: newer versions of BlueZ say so in one of these forms (EBADE in its src/error.c).
_KEY_MISSING: Final = ("connection-key-missing", "ConnectionKeyMissing")

# What a wearable answers to who must first be bonded with it: Core Specification 5.4, volume 3, part F, 3.4.1.1.
_BOND_CODES: Final = frozenset(
    {
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    }
)
# The same from BlueZ, which has one text for all three: create_gatt_dbus_error in its src/gatt-client.c.
_NOT_PAIRED: Final = "Not paired"


class BondLostError(BleakError):
    """The wearable refuses what it gives to who is bonded, although BlueZ holds a bond with it."""


class PairingError(BleakError):
    """The wearable wants a bond, and none came to be."""


class RadioState(StrEnum):
    """How the adapter is: see RadioStatus."""

    WORKS = "works"
    OFF = "off"
    MISSING = "missing"
    STUCK = "stuck"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RadioStatus:
    """The adapter's state, since when (s since 1970), and, unless it works, why and how to mend it."""

    state: RadioState
    since: float
    why: str | None = None

    @property
    def mend(self) -> str | None:
        """What somebody in the house can do about it."""
        found = _MEND.get(self.state)
        return None if found is None else phrase(found)


_MEND: Final = MappingProxyType(
    {
        RadioState.OFF: words("switch Bluetooth on (bluetoothctl power on; rfkill unblock bluetooth)"),
        RadioState.MISSING: words("check that the Bluetooth adapter is plugged in (bluetoothctl list)"),
        RadioState.STUCK: words("restart Bluetooth (systemctl restart bluetooth)"),
        RadioState.DENIED: words("let this user reach BlueZ: add it to the group bluetooth"),
        RadioState.UNREACHABLE: words("check that Bluetooth runs (systemctl status bluetooth)"),
        RadioState.FAILED: words("check that the Bluetooth adapter is plugged in and on (bluetoothctl show)"),
    }
)

_UNAVAILABLE: Final = MappingProxyType(
    {
        BleakBluetoothNotAvailableReason.POWERED_OFF: RadioState.OFF,
        BleakBluetoothNotAvailableReason.NO_BLUETOOTH: RadioState.MISSING,
        BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: RadioState.MISSING,
        BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: RadioState.DENIED,
    }
)

# D-Bus errors by the ends of their names: BlueZ's doc/org.bluez.Adapter.rst, and the D-Bus Specification.
_BY_NAME: Final = MappingProxyType(
    {
        "NotReady": RadioState.OFF,
        "InProgress": RadioState.STUCK,
        "AccessDenied": RadioState.DENIED,
        "NotAuthorized": RadioState.DENIED,
        "ServiceUnknown": RadioState.UNREACHABLE,
        "NameHasNoOwner": RadioState.UNREACHABLE,
        "NoReply": RadioState.UNREACHABLE,
        "UnknownObject": RadioState.MISSING,
    }
)


def reason(error: BaseException) -> str:
    """One line that says what went wrong on the radio; some of these errors have no text of their own."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # phones show it: the type and number of an error tell a family nothing
    return " ".join(f"{type(error).__name__}: {error}".split())


def radio_state(error: BaseException) -> RadioState:
    """What a scan that could not be started tells of the adapter."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        return _UNAVAILABLE.get(error.reason, RadioState.FAILED)
    if isinstance(error, BleakDBusError):
        return _BY_NAME.get(error.dbus_error.rpartition(".")[2], RadioState.FAILED)
    if isinstance(error, AuthError):
        return RadioState.DENIED
    if isinstance(error, EOFError | OSError) and not isinstance(error, TimeoutError):
        return RadioState.UNREACHABLE
    if isinstance(error, BleakError) and "adapter" in str(error) and "not found" in str(error):
        return RadioState.MISSING
    return RadioState.FAILED


def is_shortage(error: BaseException) -> bool | None:
    """Whether a connection failed since the adapter holds no more: True, None for perhaps, False."""
    text = str(error)
    if isinstance(error, BleakOutOfConnectionSlotsError) or any(sign in text for sign in _NO_SLOT):
        return True
    return None if any(sign in text for sign in _PERHAPS_NO_SLOT) else False


def is_lost_bond(error: BaseException) -> bool:
    """Whether the wearable no longer knows of the bond that BlueZ holds."""
    return isinstance(error, BondLostError) or any(sign in str(error) for sign in _KEY_MISSING)


def wants_bond(error: BaseException) -> bool:
    """Whether a wearable refused something for the want of a bond."""
    if isinstance(error, BleakGATTProtocolError):
        return error.code in _BOND_CODES
    return isinstance(error, BleakDBusError) and _NOT_PAIRED in str(error)
