"""What is said over one connection: subscriptions, first reads, and the procedures of the wearable's profiles."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, Protocol, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError, BleakGATTProtocolError
from structlog.typing import FilteringBoundLogger

from edge.bluetooth.packet import Packet
from edge.bluetooth.radio import ANSWER_TIMEOUT_S
from edge.bluetooth.trouble import BondLostError, PairingError, reason, wants_bond
from edge.clock import Clock
from edge.errors import DecodeError, HearthbeatError, RefusedError
from edge.wearables.procedure import Next, Pause, Procedure, Read, Step, Write

# A cuff, a thermometer or a scale indicates its measurements: it waits for each to be confirmed, which BlueZ does.
_TELLS: Final = frozenset({"notify", "indicate"})

# What code raises that takes for granted what a wearable did not keep to; the others in the house shall not suffer.
_STUMBLES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

# Our choice: more values of a control point than any answer has pieces; what nobody takes is of no use to anybody.
_KEPT_ANSWERS: Final = 64

T = TypeVar("T")


class Characteristics(Protocol):
    """What a link must know of a wearable's profile: the UUIDs of its service and of its characteristics."""

    @property
    def service(self) -> str:
        """Where the characteristics are looked for first."""

    @property
    def notify(self) -> tuple[str, ...]:
        """Subscribed where the wearable has them."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Those of `notify` whose silence is a fault."""

    @property
    def silence_s(self) -> Mapping[str, float]:
        """How long a stream may be silent, in seconds, where that is not SILENCE_LIMIT_S."""

    @property
    def read(self) -> tuple[str, ...]:
        """Read once after every connecting."""

    @property
    def control(self) -> tuple[str, ...]:
        """Subscribed; their values go to the running procedure."""


class Conversation:
    """One connection's words: `open` it, `run` procedures, and `close` it, after which nothing is told any more.

    `heard` is where the moments (monotonic) are written at which each stream spoke. `renewable` says whether a bond
    that turns out to be worthless may be given up, by BondLostError; `bonded` is set once a bond proved its worth.
    Whatever goes wrong with the connection itself is raised as one of RADIO_ERRORS.
    """

    def __init__(
        self,
        client: BleakClient,
        profiles: Sequence[Characteristics],
        address: str,
        clock: Clock,
        on_packet: Callable[[Packet], None],
        log: FilteringBoundLogger,
        *,
        heard: dict[str, float],
        renewable: bool,
    ) -> None:
        self.bonded = False
        self.refusals: list[str] = []
        self.present = _present(client, profiles)
        self._client = client
        self._profiles = profiles
        self._address = address
        self._clock = clock
        self._on_packet = on_packet
        self._log = log
        self._heard = heard
        self._renewable = renewable
        self._has_paired = False
        self._pairing_error: PairingError | None = None
        self._values: dict[str, deque[bytes]] = {}
        self._news = asyncio.Event()

    @property
    def streams(self) -> dict[str, Mapping[str, float]]:
        """The streams that the wearable has, each with its profile's `silence_s`."""
        return {
            uuid: profile.silence_s for profile in self._profiles for uuid in profile.streams if uuid in self.present
        }

    async def open(self) -> None:
        """Subscribe and read, streams first, since every second counts.

        What notifies only now and then is read before it is subscribed to: BlueZ repeats a read value as a notification
        to whoever has subscribed by StartNotify, bleak's and our default, as some wearables mishandle the other way,
        AcquireNotify. What is refused is told in `refusals`, and is no reason to do without the rest.
        """
        streams = self.streams
        reads = self._able({"read"}, *(profile.read for profile in self._profiles))
        tells = self._able(_TELLS, *(profile.notify for profile in self._profiles))
        events = [uuid for uuid in tells if uuid not in streams]
        controls = self._able(_TELLS, *(profile.control for profile in self._profiles))
        if not (streams or reads or events):
            raise BleakError("the wearable has none of the characteristics that we know")
        for uuid in streams:
            await self._subscribe(uuid, self._stream_listener(uuid))
        if streams and len(self.refusals) == len(streams):
            raise BleakError(self.refusals[0])
        for uuid in reads:
            if (payload := await self._try(uuid, self._reading(uuid))) is not None:
                self._on_event(self.present[uuid], payload)
        for uuid in controls:
            self._values[uuid] = deque(maxlen=_KEPT_ANSWERS)
            await self._subscribe(uuid, self._on_answer)
        for uuid in events:
            await self._subscribe(uuid, self._on_event)

    async def run(self, procedures: Iterable[Procedure]) -> None:
        """Carry out one procedure after the other; one that is refused something, and does not mind it, ends."""
        for procedure in procedures:
            try:
                await self._carry_out(procedure)
            except HearthbeatError as error:
                self.refusals.append(str(error))
                broke = error.__cause__ if isinstance(error, DecodeError) else None
                self._log.warning("procedure_ended", why=str(error), exc_info=broke)
            finally:
                procedure.close()

    def close(self) -> None:
        """Let nothing that still comes be told."""
        self._on_packet = _ignore

    async def _carry_out(self, procedure: Procedure) -> None:
        step = _resumed(partial(next, procedure))
        while step is not None:
            try:
                came = await self._take(step)
            except RefusedError as error:
                step = _resumed(partial(procedure.throw, error))
            else:
                step = _resumed(partial(procedure.send, came))

    async def _take(self, step: Step) -> bytes:
        match step:
            case Write(uuid, payload, answer, within_s):
                await self._write(uuid, payload, answer)
                return b"" if answer is None else await self._answer(answer, within_s)
            case Read(uuid):
                return bytes(await self._asked(uuid, self._reading(uuid)))
            case Next(uuid, within_s):
                return await self._answer(uuid, within_s)
            case Pause(seconds):
                await self._clock.sleep(seconds)
                return b""

    async def _write(self, uuid: str, payload: bytes | Callable[[float], bytes], answer: str | None) -> None:
        if answer is not None:
            self._values.setdefault(answer, deque(maxlen=_KEPT_ANSWERS)).clear()

        async def write() -> None:
            characteristic = self.present[uuid]
            written = payload if isinstance(payload, bytes) else payload(self._clock.wall())
            await self._client.write_gatt_char(characteristic, written, response="write" in characteristic.properties)

        await self._asked(uuid, write)

    async def _answer(self, uuid: str, within_s: float) -> bytes:
        """The next value of a characteristic; the patience begins anew with everything that comes meanwhile."""
        values = self._values.setdefault(uuid, deque(maxlen=_KEPT_ANSWERS))
        while not values:
            self._news.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self._news.wait()
            except TimeoutError as error:
                raise self._refused(uuid, f"no answer came within {within_s:.0f} s") from error
        return values.popleft()

    async def _asked(self, uuid: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Do what a procedure asks for. Raises RefusedError where the wearable, or BlueZ, will not."""
        if uuid not in self.present:
            raise self._refused(uuid, "the wearable has no such characteristic")
        try:
            return await self._secured(operation)
        except BondLostError:
            raise
        except BleakError as error:
            if not self._client.is_connected:
                raise
            code = int(error.code) if isinstance(error, BleakGATTProtocolError) else None
            raise self._refused(uuid, reason(error), code) from error

    async def _try(self, uuid: str, operation: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await self._asked(uuid, operation)
        except RefusedError as error:
            self.refusals.append(str(error))
            self._log.warning("refused", characteristic=uuid, why=error.what)
            return None

    async def _secured(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Do it; a wearable that wants a bond for it is bonded with first, once in a connection."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await operation()
        except BleakError as error:
            if not wants_bond(error):
                raise
            refusal = error
        await self._bond(refusal)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                came = await operation()
        except BleakError as error:
            if not wants_bond(error):
                raise
            if self._renewable and not self.bonded:
                raise BondLostError("the wearable does not know the bond with it any more") from error
            raise PairingError(f"the wearable wants a stronger bond than it gave: {reason(error)}") from error
        self.bonded = True
        return came

    async def _bond(self, refusal: BleakError) -> None:
        if self._pairing_error is not None:
            raise self._pairing_error from refusal
        if self._has_paired:
            return
        self._has_paired = True
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._client.pair()
        except (BleakError, TimeoutError) as error:
            how = "it may ask for a code, then pair it once by hand (bluetoothctl pair)"
            what = f"the wearable wants to be paired, and pairing failed; {how}: {reason(error)}"
            self._pairing_error = PairingError(what)
            raise self._pairing_error from error

    async def _subscribe(self, uuid: str, listener: Callable[[BleakGATTCharacteristic, bytearray], None]) -> None:
        async def subscribe() -> bool:
            await self._client.start_notify(self.present[uuid], listener)
            return True

        await self._try(uuid, subscribe)

    def _reading(self, uuid: str) -> Callable[[], Awaitable[bytearray]]:
        return lambda: self._client.read_gatt_char(self.present[uuid])

    def _able(self, wanted: AbstractSet[str], *uuids: Sequence[str]) -> list[str]:
        """Those UUIDs that the wearable has, and whose properties allow what is wanted of them."""
        known = dict.fromkeys(uuid for some in uuids for uuid in some if uuid in self.present)
        return [uuid for uuid in known if wanted & set(self.present[uuid].properties)]

    def _stream_listener(self, uuid: str) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        """What bleak calls for every value of a stream; all lookups are made before, as every notification pays."""
        address, heard, wall, monotonic = self._address, self._heard, self._clock.wall, self._clock.monotonic
        awaited = self._values

        def on_value(characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
            heard[uuid] = monotonic()
            self._on_packet(Packet(address, uuid, bytes(payload), wall()))
            if uuid in awaited:
                self._on_answer(characteristic, payload)

        return on_value

    def _on_event(self, characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
        self._on_packet(Packet(self._address, characteristic.uuid, bytes(payload), self._clock.wall()))
        if characteristic.uuid in self._values:
            self._values[characteristic.uuid].append(bytes(payload))
        self._news.set()  # whoever waits for an answer sees that the wearable is at it

    def _on_answer(self, characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
        self._values[characteristic.uuid].append(bytes(payload))
        self._news.set()

    def _refused(self, uuid: str, what: str, code: int | None = None) -> RefusedError:
        where = f"{self._address}, characteristic {uuid}"
        return RefusedError(what, where=where, mend="see whether the wearable wants to be paired or set up", code=code)


def _present(client: BleakClient, profiles: Sequence[Characteristics]) -> dict[str, BleakGATTCharacteristic]:
    """All characteristics by UUID; of several with one, as record access control points are, that of our service."""
    ours = {profile.service for profile in profiles}
    services = sorted(client.services, key=lambda service: service.uuid not in ours)
    found: dict[str, BleakGATTCharacteristic] = {}
    for service in services:
        for characteristic in service.characteristics:
            found.setdefault(characteristic.uuid, characteristic)
    return found


def _resumed(resume: Callable[[], Step]) -> Step | None:
    """A procedure's next step, None at its end; one that stumbles over what a wearable said ends alone."""
    try:
        return resume()
    except StopIteration:
        return None
    except _STUMBLES as error:
        mend = "report it, with the wearable's model"
        raise DecodeError(f"a procedure broke: {reason(error)}", where="a wearable's answer", mend=mend) from error


def _ignore(_packet: Packet) -> None:
    """The connection is over."""
