"""The few errors of Hearthbeat; each says what went wrong, where, and how to mend it, in one line."""

from __future__ import annotations

from enum import StrEnum


class HearthbeatError(Exception):
    """What went wrong, where, and how to mend it.

    `exit_code` is what the command line returns for it: 2 for wrong input, 1 for a fault of the run.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str, mend: str) -> None:
        super().__init__(what, where, mend)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        return " ".join(f"{self.where}: {self.what}; {self.mend}".split())


class WrongUseError(HearthbeatError):
    """The command line was used wrongly."""

    exit_code = 2


class SettingsError(HearthbeatError):
    """hearthbeat.toml, or a secret that it names, cannot be used."""

    exit_code = 2


class RecordingError(HearthbeatError):
    """A recording or data set cannot be read, or holds values that cannot be."""

    exit_code = 2


class DecodeError(HearthbeatError):
    """A packet is not what its GATT specification says; it is counted, logged and left out."""


class RefusedError(HearthbeatError):
    """A wearable did not do what a procedure asked of it: an ATT error, no answer in time, or no such characteristic.

    `code` is the ATT error code where there was one (Core Specification 5.4, volume 3, part F, 3.4.1.1).
    """

    def __init__(self, what: str, *, where: str, mend: str, code: int | None = None) -> None:
        super().__init__(what, where=where, mend=mend)
        self.code = code


class ModelError(HearthbeatError):
    """A model file is missing, damaged or not the one that its manifest describes."""

    exit_code = 2


class StoreError(HearthbeatError):
    """The store could not read or write; what was committed before is unharmed."""


class UnstorableError(StoreError):
    """A Reading holds what cannot be stored: trying again mends nothing."""


class DatabaseError(HearthbeatError):
    """The collector's PostgreSQL cannot be reached, or cannot store now; `code` is its SQLSTATE where it gave one."""

    def __init__(self, what: str, *, where: str, mend: str, code: str | None = None) -> None:
        super().__init__(what, where=where, mend=mend)
        self.code = code


class PoisonError(DatabaseError):
    """PostgreSQL will never take this batch as it is: something in it is no value of its column."""


class BrokerError(HearthbeatError):
    """The broker cannot be reached, or does not answer."""


class BrokerBusyError(BrokerError):
    """The broker asks to be left in peace for a while; then it takes us."""


class BrokerRefusedError(BrokerError):
    """The broker refuses us, or we it: trying again mends nothing, somebody must."""


class RejectedError(HearthbeatError):
    """What came from afar is not obeyed: a command, a model package or a part of one.

    `reason` is one of a few short words that are counted and told, `key` the name of the key it was to be signed by.
    """

    exit_code = 2

    def __init__(self, what: str, *, reason: str, key: str = "", where: str = "a command") -> None:
        super().__init__(what, where=where, mend="see docs/commands.md")
        self.reason = reason
        self.key = key


class Refused(StrEnum):
    """Why a message is not taken."""

    TOPIC = "topic"
    VERSION = "version"
    KIND = "kind"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    SCHEMA = "schema"
    DISAGREES = "disagrees"
    SEALED = "sealed"


class MessageError(HearthbeatError):
    """What arrived from a broker is no message of ours, or a damaged one; `reason` is for counting."""

    exit_code = 2

    def __init__(self, reason: Refused, what: str, *, where: str, mend: str) -> None:
        super().__init__(what, where=where, mend=mend)
        self.reason = reason
