"""What bleak's and BlueZ's errors tell."""

from __future__ import annotations

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
)
from dbus_fast import AuthError

from edge.bluetooth.trouble import (
    BondLostError,
    RadioState,
    RadioStatus,
    is_lost_bond,
    is_shortage,
    radio_state,
    reason,
    wants_bond,
)


def bluez(name: str, text: str = "") -> BleakDBusError:
    return BleakDBusError(f"org.bluez.Error.{name}", [text] if text else [])


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (bluez("InProgress", "Operation already in progress"), RadioState.STUCK),
        (bluez("NotReady", "Resource Not Ready"), RadioState.OFF),
        (bluez("Failed", "something"), RadioState.FAILED),
        (BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF), RadioState.OFF),
        (BleakBluetoothNotAvailableError("none", BleakBluetoothNotAvailableReason.NO_BLUETOOTH), RadioState.MISSING),
        (BleakError("adapter 'hci0' not found"), RadioState.MISSING),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), RadioState.UNREACHABLE),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", []), RadioState.DENIED),
        (AuthError("rejected"), RadioState.DENIED),
        (EOFError(), RadioState.UNREACHABLE),
        (ConnectionRefusedError(), RadioState.UNREACHABLE),
        (TimeoutError(), RadioState.FAILED),
    ],
)
def test_failed_scan_tells_how_the_adapter_is_and_what_to_do(error: Exception, state: RadioState) -> None:
    assert radio_state(error) is state
    assert RadioStatus(state, 0.0).mend is not None


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (bluez("Failed", "le-connection-concurrent-connection-limit"), True),
        (bluez("Failed", "br-connection-memory-allocation"), True),
        (BleakError("C0: Failed to connect after 2 attempt(s): [org.bluez.Error.Failed] Too many links"), True),
        (bluez("Failed", "le-connection-abort-by-local"), None),
        (bluez("Failed", "br-connection-canceled"), None),
        (bluez("Failed", "le-connection-timeout"), False),
        (TimeoutError(), False),
    ],
)
def test_pain_04_refusal_for_want_of_a_connection_is_told_from_interference(
    error: Exception, shortage: bool | None
) -> None:
    assert is_shortage(error) is shortage


def test_want_of_a_bond_and_a_lost_one_are_recognised() -> None:
    assert all(wants_bond(BleakGATTProtocolError(code)) for code in (0x05, 0x0C, 0x0F))
    assert wants_bond(bluez("NotPermitted", "Not paired"))
    assert not wants_bond(BleakGATTProtocolError(0x80))
    assert not wants_bond(bluez("NotPermitted", "Read not permitted"))
    assert is_lost_bond(bluez("Failed", "le-connection-key-missing"))
    assert is_lost_bond(bluez("LeConnectionKeyMissing", "LE Link Key missing"))
    assert is_lost_bond(BondLostError())
    assert not is_lost_bond(bluez("Failed", "le-connection-abort-by-local"))


def test_a_phone_is_shown_no_name_of_an_error_where_the_system_has_words() -> None:
    assert reason(FileNotFoundError(2, "No such file or directory")) == "No such file or directory"
    assert reason(TimeoutError()) == "TimeoutError:"
