"""What is wrong with the house: its radio, clock, models, store, disk, contacts and broker; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edge.alerts.faults import START_S, Key
from edge.alerts.limits import spoken
from edge.alerts.sights import Findings
from edge.notices import Fault, FaultKind, Severity
from edge.phrases import phrase, several, words

# The parts that are a fault's subject.
BLUETOOTH: Final = "bluetooth"
CLOCK: Final = "clock"
DISK: Final = "disk"
BROKER: Final = "broker"
OUTBOX: Final = "outbox"
BUDGET: Final = "outbox_budget"
WEB: Final = "web"

# Our choice: NTP slews smaller errors than this away, and nothing that is told changes by a minute.
STEP_LIMIT_S: Final = 60.0
# How long a step of the clock is told of, and how long a clock may run without its servers: a quartz drifts by some
# 20 ppm, 2 s a day, so that a day without them is harmless, but a machine without a battery for its clock may have
# started with any time at all. Our choice.
STEP_TOLD_S: Final = 3600.0
UNSYNCHRONISED_S: Final = 6 * 3600.0
# What the store needs for a day, its backup and a vacuum, which each take the file's size again. Our choice.
LEAST_FREE_BYTES: Final = 200 * 1024 * 1024
# Our choice: a backlog of a week drains in minutes, so that an hour without any message taken is a broker that hangs.
STUCK_S: Final = 3600.0
# How long it is told that messages were dropped, after the last one. Our choice: while it goes on, minutes end hourly.
DROPPED_TOLD_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class BrokerSight:
    """The way to the broker: `taken` counts the messages it took, `waiting` those that wait, None where not known.

    `complaint` is what is wrong although it is connected; `parked` counts the messages that it refused for good, the
    last of them for the reason `refusal`; `dropped` those that had to go because the disk budget was full.
    """

    connected: bool
    error: str | None
    refuses: bool
    taken: int
    waiting: int | None
    complaint: str | None = None
    parked: int = 0
    refusal: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class HouseSight:
    """The house as a look finds it; texts say what is wrong, None that nothing is, and what is not there is not known.

    `models` and `stores` hold each model and each work on the store that was tried, `contacts` each that was told,
    `channels` each that was told of several ways, `commands` each way of theirs, `buttons` is why nobody hears a press.
    `some_stream` says that some wearables still send, `radio_is_critical` that a critical risk is watched by radio.
    """

    wall: float
    monotonic: float
    radio: str | None = None
    radio_mend: str | None = None
    synchronised: bool | None = None
    models: Mapping[str, str | None] = field(default_factory=dict)
    critical_models: frozenset[str] = frozenset()
    stores: Mapping[str, str | None] = field(default_factory=dict)
    free_bytes: int | None = None
    contacts: Mapping[str, str | None] = field(default_factory=dict)
    channels: Mapping[str, str | None] = field(default_factory=dict)
    broker: BrokerSight | None = None
    commands: Mapping[str, str | None] = field(default_factory=dict)
    buttons: str | None = None
    some_stream: bool = False
    radio_is_critical: bool = False


@dataclass(slots=True)
class HouseFaults:
    """Looks at the house again and again, with what must be known of the looks before."""

    _since: dict[Key, float] = field(default_factory=dict)
    _began: float | None = None
    _ahead: float | None = None
    _step: tuple[float, float, float] | None = None
    _synchronised_at: float | None = None
    _taken_at: tuple[int, float] | None = None
    _dropped_at: tuple[int, float | None] | None = None

    def look(self, sight: HouseSight) -> Findings:
        """What is wrong now, and what is well."""
        found = Findings()
        self._look_at_radio(sight, found)
        self._look_at_clock(sight, found)
        self._look_at_parts(sight, found)
        self._look_at_disk(sight, found)
        if sight.broker is not None:
            self._look_at_broker(sight.broker, sight, found)
        wrong = {(fault.kind, fault.subject) for fault in found.wrong}
        self._since = {key: since for key, since in self._since.items() if key in wrong}
        return found

    def _note(
        self,
        found: Findings,
        sight: HouseSight,
        key: Key,
        sentence: str | None,
        severity: Severity = Severity.WARNING,
        since: float | None = None,
    ) -> None:
        """Take down one part: wrong where there is a sentence, else well."""
        if sentence is None:
            found.well.append(key)
            return
        began = self._since.setdefault(key, sight.wall if since is None else since)
        found.wrong.append(Fault(*key, began, sentence, None, severity))

    def _look_at_radio(self, sight: HouseSight, found: Findings) -> None:
        deaf = not sight.some_stream
        severity = Severity.CRITICAL if deaf and sight.radio_is_critical else Severity.WARNING
        sentence = None
        if sight.radio is not None:
            mend = phrase("check that the adapter is plugged in and on, or restart the machine")
            told = {"why": _stripped(sight.radio), "mend": _stripped(sight.radio_mend) if sight.radio_mend else mend}
            if deaf:
                sentence = phrase(
                    "No wearable can be heard, for Bluetooth does not work here ({why}). To mend it, {mend}.", **told
                )
            else:
                sentence = phrase(
                    "A wearable that goes away cannot be found again, for Bluetooth does not work here ({why}). To "
                    "mend it, {mend}.",
                    **told,
                )
        self._note(found, sight, (FaultKind.BLUETOOTH, BLUETOOTH), sentence, severity)

    def _look_at_clock(self, sight: HouseSight, found: Findings) -> None:
        ahead = sight.wall - sight.monotonic
        self._began = sight.monotonic if self._began is None else self._began
        # A machine without a battery for its clock starts in the past, and is set soon after: that is how it should be.
        started = sight.monotonic - self._began >= START_S
        if started and self._ahead is not None and abs(ahead - self._ahead) > STEP_LIMIT_S:
            self._step = (ahead - self._ahead, sight.wall, sight.monotonic)
        self._ahead = ahead
        if sight.synchronised is not False or self._synchronised_at is None:
            self._synchronised_at = sight.monotonic
        sentence, since = None, None
        if sight.monotonic - self._synchronised_at >= UNSYNCHRONISED_S:
            sentence = phrase(
                "This machine's clock has not been set by the network for hours, so that times may be wrong. Check the "
                "network, and `timedatectl`."
            )
            since = sight.wall - (sight.monotonic - self._synchronised_at)
        elif self._step is not None and sight.monotonic - self._step[2] < STEP_TOLD_S:
            step, since, _ = self._step
            forward = words(
                "This machine's clock was set forward by {step}. What was stored shortly before has a wrong time; "
                "nothing need be done unless this comes again."
            )
            back = words(
                "This machine's clock was set back by {step}. What was stored shortly before has a wrong time; nothing "
                "need be done unless this comes again."
            )
            sentence = phrase(forward if step > 0.0 else back, step=spoken(abs(step)))
        self._note(found, sight, (FaultKind.CLOCK, CLOCK), sentence, Severity.INFO, since)

    def _look_at_parts(self, sight: HouseSight, found: Findings) -> None:
        for name, why in sight.models.items():
            sentence: str | None = (
                None if why is None else phrase("This risk is not watched: {why}.", why=_stripped(why))
            )
            severity = Severity.CRITICAL if name in sight.critical_models else Severity.WARNING
            self._note(found, sight, (FaultKind.MODEL, name), sentence, severity)
        for name, why in sight.stores.items():
            sentence = None
            if why is not None:
                sentence = phrase(
                    "It could not be done: {why}. What comes meanwhile may be lost at a power cut.", why=_stripped(why)
                )
            self._note(found, sight, (FaultKind.STORE, name), sentence)
        for name, why in sight.contacts.items():
            sentence = None
            if why is not None:
                sentence = phrase(
                    "Nothing reaches this contact: {why}. Check the network, and the contact's URL.", why=_stripped(why)
                )
            self._note(found, sight, (FaultKind.CONTACT, name), sentence)
        for name, why in sight.channels.items():
            sentence = None if why is None else phrase("It takes no messages: {why}.", why=_stripped(why))
            self._note(found, sight, (FaultKind.CHANNEL, name), sentence)
        for name, sentence in sight.commands.items():
            severity = Severity.INFO if name == "models" else Severity.WARNING
            self._note(found, sight, (FaultKind.COMMANDS, name), sentence, severity)
        sentence = None
        if sight.buttons is not None:
            sentence = phrase("Who presses a button of a message is not heard: {why}.", why=_stripped(sight.buttons))
        self._note(found, sight, (FaultKind.BUTTONS, WEB), sentence)

    def _look_at_disk(self, sight: HouseSight, found: Findings) -> None:
        free, key = sight.free_bytes, (FaultKind.DISK_FULL, DISK)
        if free is None:
            return
        if free < LEAST_FREE_BYTES:
            sentence = phrase(
                "Only {left:.0f} MB of the disk are free. Make room before nothing can be stored any more.",
                left=free / 1024 / 1024,
            )
            self._note(found, sight, key, sentence)
        elif free > 1.25 * LEAST_FREE_BYTES:
            self._note(found, sight, key, None)

    def _look_at_broker(self, broker: BrokerSight, sight: HouseSight, found: Findings) -> None:
        why: str | None = None
        if not broker.connected:
            why = _stripped(broker.error) if broker.error else phrase("there is no connection")
        refused = phrase("The broker refuses us: {why}.", why=why) if broker.refuses and why is not None else None
        self._note(found, sight, (FaultKind.BROKER_REFUSES, BROKER), refused)
        away: str | None = None
        if why is not None and not broker.refuses:
            away = phrase("Summaries wait here, since the broker cannot be reached: {why}.", why=why)
        self._note(found, sight, (FaultKind.BROKER_UNREACHABLE, BROKER), away, Severity.INFO)
        self._look_at_outbox(broker, sight, found)

    def _look_at_outbox(self, broker: BrokerSight, sight: HouseSight, found: Findings) -> None:
        if broker.waiting is None:
            return
        moved = self._taken_at is None or broker.taken != self._taken_at[0]
        if moved or not broker.waiting or not broker.connected:
            self._taken_at = (broker.taken, sight.monotonic)
        assert self._taken_at is not None  # noqa: S101 -- set where it was None
        sentence: str | None = None
        if broker.connected and broker.complaint:
            sentence = phrase("The broker is connected, but {why}.", why=_stripped(broker.complaint))
        elif sight.monotonic - self._taken_at[1] >= STUCK_S:
            sentence = several(
                "The broker is connected but takes nothing; {n:.0f} message waits here. Look into its log, or restart "
                "it.",
                "The broker is connected but takes nothing; {n:.0f} messages wait here. Look into its log, or restart "
                "it.",
                broker.waiting,
            )
        self._note(found, sight, (FaultKind.OUTBOX_STUCK, OUTBOX), sentence, Severity.INFO)
        self._look_at_parked(broker, sight, found)
        self._look_at_dropped(broker, sight, found)

    def _look_at_parked(self, broker: BrokerSight, sight: HouseSight, found: Findings) -> None:
        sentence: str | None = None
        if broker.parked:
            sentence = several(
                "It takes one message in no case ({why}). `hearthbeat outbox list` shows it.",
                "It takes {n:.0f} messages in no case (the last: {why}). `hearthbeat outbox list` shows them.",
                broker.parked,
                why=broker.refusal,
            )
        self._note(found, sight, (FaultKind.BROKER_REFUSES, OUTBOX), sentence, Severity.INFO)

    def _look_at_dropped(self, broker: BrokerSight, sight: HouseSight, found: Findings) -> None:
        # What was dropped before the start was told then.
        known, at = self._dropped_at or (broker.dropped, None)
        if broker.dropped > known:
            at = sight.monotonic
        self._dropped_at = (max(broker.dropped, known), at)
        sentence: str | None = None
        if at is not None and sight.monotonic - at < DROPPED_TOLD_S:
            sentence = phrase(
                "The disk that messages to the broker may take is full, and the oldest minutes are deleted unsent "
                "({n:.0f} messages so far). Give it more (outbox_budget_mb), or bring the broker back.",
                n=broker.dropped,
            )
        self._note(found, sight, (FaultKind.OUTBOX_STUCK, BUDGET), sentence)


def _stripped(why: str) -> str:
    """A reason without the full stop that a sentence will bring."""
    stripped = why.strip().rstrip(".;,")
    return why if stripped == why else stripped  # what can be told in another language still can
