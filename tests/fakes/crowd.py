"""Twenty wearables at once, with links that break and packets that are lost, and what came of all that they sent.

Five bands with ECG at 130 Hz and acceleration at 50 Hz, ten straps, and an oximeter, a glucose sensor, a cuff, a
glucose meter and a watch. What truly left them is written to files, so that the process grows by its own fault alone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Channel, Quality
from edge.virtual.cuff import VirtualCuff
from edge.virtual.glucose_meter import VirtualGlucoseMeter
from edge.virtual.glucose_sensor import VirtualGlucoseSensor
from edge.virtual.oximeter import VirtualOximeter
from edge.virtual.polar_band import SentFrame, VirtualPolarBand
from edge.virtual.rhythm import sinus
from edge.virtual.spot import Measured
from edge.virtual.strap import SentPacket, VirtualStrap
from edge.virtual.watch import VirtualWatch
from edge.virtual.wearable import Vices, VirtualWearable
from edge.wearables.polar_pmd import Acceleration, Ecg
from edge.wearables.pulse_oximeter import Continuous
from tests.fakes.household import PACE, VirtualHousehold

BANDS, STRAPS = 5, 10
# A link breaks as often, in seconds, and each third time its wearable is away for so long.
BREAK_EVERY_S, AWAY_S = 60.0, 45.0
# Beats between where a gap is and where it may be marked: it is known only when the packets behind it have come.
_NEAR: Final = 6


class Ledger:
    """A file of numbers: what left a wearable, one column of `width` numbers after the other."""

    def __init__(self, path: Path, width: int) -> None:
        self._path = path
        self._width = width

    def write(self, *columns: object) -> None:
        with self._path.open("ab") as file:
            np.array(columns, dtype=np.float64).T.tofile(file)

    def read(self) -> NDArray[np.float64]:
        return (np.fromfile(self._path) if self._path.exists() else np.empty(0)).reshape(-1, self._width)


class Told:
    """Stands in for a twin's `sent`: what is appended goes to ledgers."""

    def __init__(self, folder: Path, name: str) -> None:
        self.beats = Ledger(folder / f"{name}.beats", 2)
        self.rates = Ledger(folder / f"{name}.rates", 1)
        self.ecg = Ledger(folder / f"{name}.ecg", 2)
        self.moves = Ledger(folder / f"{name}.moves", 4)

    def append(self, sent: SentPacket | SentFrame | Measured[Continuous]) -> None:
        if isinstance(sent, Measured):
            self.rates.write([sent.measurement.normal.spo2])
        elif isinstance(sent, SentPacket):
            if sent.beats:
                self.beats.write(sent.beats, np.array(sent.measurement.rr_ticks) / 1.024)
            if sent.measurement.heart_rate:
                self.rates.write([sent.measurement.heart_rate])
        elif sent.interval_s is not None and isinstance(sent.frame, Ecg):
            before = np.arange(len(sent.frame.microvolts) - 1, -1, -1)
            self.ecg.write(sent.at - sent.interval_s * before, sent.frame.microvolts)
        elif sent.interval_s is not None and isinstance(sent.frame, Acceleration):
            axes = np.array(sent.frame.mg).reshape(-1, 3)
            self.moves.write(sent.at - sent.interval_s * np.arange(len(axes) - 1, -1, -1), *axes.T)


@dataclass
class Count:
    """Of one channel: samples that were sent, stored, and wrong; gaps that were there, marked, and marked in vain."""

    sent: int = 0
    stored: int = 0
    wrong: int = 0
    gaps: int = 0
    marked: int = 0
    in_vain: int = 0

    def add(self, other: Count) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Crowd:
    """Put it into a household, `start` it, and let it `live` while the daemon does."""

    house: VirtualHousehold
    chance: random.Random
    breaks: int = 0
    told: dict[str, Told] = field(default_factory=dict)

    def __post_init__(self) -> None:
        radio, clock, seeds = self.house.radio, self.house.clock, self.chance.random
        self.bands = [
            VirtualPolarBand(
                radio, clock, name=f"Band {n}", address=f"C0:DE:00:01:00:{n:02X}", chance=random.Random(seeds())
            )
            for n in range(BANDS)
        ]
        self.straps = [
            VirtualStrap(
                radio, clock, name=f"Strap {n}", address=f"C0:DE:00:02:00:{n:02X}", chance=random.Random(seeds())
            )
            for n in range(STRAPS)
        ]
        self.oximeter = VirtualOximeter(radio, clock)
        self.sensor = VirtualGlucoseSensor(radio, clock, interval_min=1)
        self.cuff = VirtualCuff(radio, clock)
        self.meter = VirtualGlucoseMeter(radio, clock)
        self.watch = VirtualWatch(radio, clock)
        self.people: dict[str, list[VirtualWearable]] = {
            **{f"band{n}": [band] for n, band in enumerate(self.bands)},
            **{f"strap{n}": [strap] for n, strap in enumerate(self.straps)},
            "oximeter": [self.oximeter],
            "sensor": [self.sensor],
            "cuff": [self.cuff],
            "meter": [self.meter],
            "watch": [self.watch],
        }

    @property
    def everybody(self) -> Iterator[VirtualWearable]:
        return chain.from_iterable(self.people.values())

    async def start(self) -> None:
        for twin in self.everybody:
            await twin.start()
        for n, band in enumerate(self.bands):
            self._note(f"band{n}", band, "sent", "frames")
            band.clock.drift_ppm = 40.0 * (n - 2)
        for n, strap in enumerate(self.straps):
            self._note(f"strap{n}", strap, "sent")
        self._note("oximeter", self.oximeter, "streamed")
        for strap in self.straps[:4]:
            strap.vices = Vices(dropped=0.01)
        for strap in self.straps[4:6]:
            strap.vices = Vices(bunched=3)

    def _note(self, person: str, twin: VirtualWearable, *attributes: str) -> None:
        self.told[person] = Told(self.house.folder, person)
        for attribute in attributes:
            setattr(twin, attribute, self.told[person])

    async def connected(self) -> None:
        """Wait until everybody is heard, and has answered what was asked."""
        await self.house.until(
            lambda: (
                all(twin.subscribed.is_set() for twin in self.everybody)
                and all(len(band.started) == 2 for band in self.bands)
            )
        )
        await self.house.passes(2.0, speed=PACE)

    async def live(self, seconds: float, settled: Callable[[], Awaitable[None]]) -> None:
        """Hearts beat, links break; `settled` is awaited before each break, so that no model lags behind."""
        hearts = [
            asyncio.create_task(strap.play(sinus(10 * seconds, bpm=55.0 + 3.0 * n, chance=random.Random(n))))
            for n, strap in enumerate([*self.bands, *self.straps])
        ]
        others = [
            asyncio.create_task(self.oximeter.play((95.0 + second % 3, 58.0) for second in count())),
            asyncio.create_task(self.sensor.play(100.0 + n % 80 for n in count())),
            asyncio.create_task(self.watch.play(70 + n % 5 for n in count())),
        ]
        passed = 0.0
        while passed < seconds:
            await self.house.passes(BREAK_EVERY_S)
            passed += BREAK_EVERY_S
            await settled()
            self.meter.measure(90.0 + self.breaks)
            await self.cuff.measure(120.0 + self.breaks, 80.0)
            passed += await self._break()
        await self.meter.drop_link()
        await self.house.until(lambda: len(self.meter.sent) >= len(self.meter.records))
        await self.connected()
        await self.house.passes(30.0)
        for task in (*hearts, *others):
            task.cancel()
        await asyncio.gather(*hearts, *others, return_exceptions=True)
        # What leaves a wearable in the very moment in which the daemon ends is nobody's fault.
        for twin in self.everybody:
            twin.vices = Vices(silent=True)
        await self.house.passes(5.0)

    async def _break(self) -> float:
        """Break the link of the next wearable; the seconds that it was away."""
        everybody = list(self.everybody)
        twin = everybody[self.breaks * 7 % len(everybody)]
        self.breaks += 1
        away = AWAY_S if self.breaks % 3 == 0 else 0.0
        before = twin.connections
        if away:
            await twin.leave()
            await self.house.passes(away)
            await twin.come_back()
        else:
            await twin.drop_link()
        await self.house.until(lambda: twin.connections > before)
        await self.connected()
        return away

    def counts(self) -> dict[str, Count]:
        """What was sent, against what is stored, by channel."""
        found: dict[str, Count] = {}

        def add(channel: Channel, tally: Count) -> None:
            found.setdefault(channel.value, Count()).add(tally)

        streamed = self.told.pop("oximeter").rates.read()[:, 0]
        add(Channel.SPO2, _compared(streamed, self.house.series(Channel.SPO2, "oximeter").values, 0.06))
        for person, told in self.told.items():
            add(Channel.RR_INTERVAL, self._beats(person, told.beats.read()))
            rates = self.house.series(Channel.HEART_RATE, person).values
            add(Channel.HEART_RATE, _compared(told.rates.read()[:, 0], rates, 0.5))
            if person.startswith("band"):
                add(Channel.ECG, self._steady(person, Channel.ECG, told.ecg.read(), 1.0 / 130.0))
                add(Channel.ACCELERATION, self._steady(person, Channel.ACCELERATION, told.moves.read(), 1.0 / 50.0))
        glucose = np.array([one.record.glucose for one in self.sensor.records])
        add(Channel.GLUCOSE, _compared(glucose, self.house.series(Channel.GLUCOSE, "sensor").values, 0.5))
        drops = np.array([one.mg_per_dl for one in self.meter.records])
        add(Channel.BLOOD_GLUCOSE, _compared(drops, self.house.series(Channel.BLOOD_GLUCOSE, "meter").values, 1.0))
        pressures = np.array([one.measurement.systolic for one in self.cuff.sent])
        add(Channel.SYSTOLIC, _compared(pressures, self.house.series(Channel.SYSTOLIC, "cuff").values, 0.1))
        rates = np.array([one.measurement["hrm"] for one in self.watch.sent if "hrm" in one.measurement], np.float64)
        add(Channel.HEART_RATE, _compared(rates, self.house.series(Channel.HEART_RATE, "watch").values, 0.5))
        return found

    def _beats(self, person: str, told: NDArray[np.float64]) -> Count:
        stored = self.house.series(Channel.RR_INTERVAL, person)
        tally = _compared(told[:, 1], stored.values, 0.01)
        # A beat that does not follow the one before by its own interval has others missing before it.
        missing = np.flatnonzero(np.diff(told[:, 0]) - told[1:, 1] / 1000.0 > 0.1) + 1
        _count_gaps(tally, missing, stored.quality, _NEAR)
        return tally

    def _steady(self, person: str, channel: Channel, told: NDArray[np.float64], interval_s: float) -> Count:
        stored = self.house.series(channel, person)
        values = stored.values.reshape(len(stored.times), -1)
        tally = _compared(told[:, 1:], values, 0.5)
        if len(stored.times) == len(told):
            tally.wrong += int(np.count_nonzero(np.abs(stored.times - told[:, 0]) > 1.0))
        _count_gaps(tally, np.flatnonzero(np.diff(told[:, 0]) > 1.5 * interval_s) + 1, stored.quality, 0)
        return tally


def _compared(sent: NDArray[np.float64], stored: NDArray[np.float64], within: float) -> Count:
    """In the order of time the same values must have been stored."""
    tally = Count(len(sent), len(stored))
    both = min(len(sent), len(stored))
    tally.wrong = int(np.count_nonzero(np.abs(sent[:both] - stored[:both]) > within))
    return tally


def _count_gaps(tally: Count, missing: NDArray[np.intp], quality: NDArray[np.uint8], near: int) -> None:
    marked = np.flatnonzero(quality[1:] & Quality.GAP_BEFORE) + 1
    tally.gaps = len(missing)
    for at in missing:
        tally.marked += bool(np.any(np.abs(marked - at) <= near))
    for at in marked:
        tally.in_vain += not np.any(np.abs(missing - at) <= near)
