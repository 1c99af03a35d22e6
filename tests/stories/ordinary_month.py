"""A month of made-up ordinary life, told to the daemon itself: how often are people told anything at all?

`python -m tests.stories.ordinary_month [DAYS [SEED]]` lives it and prints every alert, by person and week; half a
minute a day.

What is drawn, day by day, in local time:
- Anna, 78, wears a chest strap from 7:30 (+-45 min) to 21:30 (+-30 min). Her heart beats 60 to 70 times a minute, 75
  to 100 while she walks (five times a day, 5 to 40 minutes) and up to 118 on the stairs (eight times, 2 minutes); one
  beat of 200 comes early, and one of ten for ten minutes once a week. She is out of reach for 0.5 to 3 hours on two
  days of three. The electrodes dry out six times a day for 1 to 20 minutes: then the strap says that it is not worn,
  and sends beats that it makes up. One packet of 100 is lost. She measures her blood pressure on five mornings a week,
  126 (+-9) over 76 (+-6), and her temperature once a week, 36.0 to 37.1 degrees.
- Cleo, 30, has a glucose sensor: a value every 5 minutes about 118 mg/dL, with three meals a day that raise it by 30
  to 110 for two to three hours, once a week by 130 to 170 (a feast), a dip at night of up to 25, noise of 4, and once a
  week a quarter of an hour in which she lies on the sensor. Every ten days it is changed: two hours without.
- Dora, 70, wears an oximeter at night, from 22:30 (+-30 min) for 8 hours: a value every 4 s, 94 to 97 %, with a dip to
  88 to 91 for 20 to 40 s twice an hour, as sleepers have, and two minutes of nonsense (70 to 85, which the sensor does
  not vouch for) twice a night when the hand moves.
Nobody is ill.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import structlog

from edge.bluetooth.link import Packet
from edge.readings import CHANNELS, Channel, Reading
from edge.virtual.rhythm import atrial_fibrillation, sinus
from edge.wearables import blood_pressure, pulse_oximeter, thermometer
from edge.wearables.blood_pressure import BloodPressure
from edge.wearables.pulse_oximeter import Continuous, Oximetry, Status
from edge.wearables.thermometer import TemperatureMeasurement
from tests.fakes.packets import strap_packets
from tests.stories.signals import OXIMETER, SENSOR, STRAP, THERMOMETER
from tests.stories.teller import START, Deed, Story, Teller, telling

CUFF: Final = "C0:DE:00:00:00:06"
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
# START is at half past nine.
_MIDNIGHT: Final = -9.5 * HOUR
_PEOPLE: Final = {"anna": (STRAP, CUFF, THERMOMETER), "cleo": (SENSOR,), "dora": (OXIMETER,)}


def settings() -> dict[str, Any]:
    """Everybody with defaults, and a phone of their own."""
    return {
        "people": [
            {"id": person, "contacts": [person], "wearables": [{"address": address} for address in worn]}
            for person, worn in _PEOPLE.items()
        ],
        "contacts": [{"id": person, "url": f"json://127.0.0.1:9/{person}"} for person in _PEOPLE],
    }


class Month:
    """`days` of the three, drawn by `seed`."""

    def __init__(self, days: int, seed: int) -> None:
        self.days = days
        self._heart, self._outings, self._morning, self._sugar, self._night = (
            random.Random(f"{seed}/{part}") for part in ("heart", "outings", "morning", "sugar", "night")
        )

        self._changed = [
            _MIDNIGHT + day * DAY + self._outings.uniform(9.0, 17.0) * HOUR if day % 10 == 9 else 1e9
            for day in range(days)
        ]
        self._worn = [self._wear(_MIDNIGHT + day * DAY) for day in range(days)]

    def story(self) -> Story:
        """What reaches the home."""
        away = [self._out(day) for day in range(self.days)]
        gone = [begin for begin, _ in away if begin > 0.0] + [off for _, off in self._worn]
        leaves = [Deed(at + 2.0, lambda it: it.leaves(STRAP)) for at in gone]
        leaves += [Deed(at + 2.0, lambda it: it.leaves(SENSOR)) for at in self._changed if at < DAY * self.days]
        leaves += [
            Deed(_MIDNIGHT + (day + 1) * DAY + 7.5 * HOUR, lambda it: it.leaves(OXIMETER)) for day in range(self.days)
        ]
        worn = chain.from_iterable(self._strap(day, away[day]) for day in range(self.days))
        packets = (worn, self._mornings(), self._glucose(), self._oxygen())
        return Story(settings(), packets, tuple(leaves), self.days * DAY + _MIDNIGHT)

    def _wear(self, midnight: float) -> tuple[float, float]:
        on = midnight + (7.5 + self._outings.uniform(-0.75, 0.75)) * HOUR
        return max(0.0, on), midnight + (21.5 + self._outings.uniform(-0.5, 0.5)) * HOUR

    def _out(self, day: int) -> tuple[float, float]:
        if self._outings.random() > 2 / 3:
            return -1.0, -1.0
        begin = _MIDNIGHT + day * DAY + self._outings.uniform(10.5, 16.0) * HOUR
        return begin, begin + self._outings.uniform(0.5, 3.0) * HOUR

    def _strap(self, day: int, out: tuple[float, float]) -> Iterator[Packet]:
        chance, (on, off) = self._heart, self._worn[day]
        dry = [
            (begin, begin + chance.uniform(1.0, 20.0) * 60.0) for begin in (chance.uniform(on, off) for _ in range(6))
        ]
        beats = strap_packets(self._rhythm(on, off, many_early=day % 7 == 3), start=START + on, address=STRAP)
        made_up = strap_packets(
            atrial_fibrillation(off - on, bpm=80.0, chance=chance), start=START + on, address=STRAP, contact=False
        )
        for packet, nobody in zip(beats, made_up, strict=False):
            at = packet.received_at - START
            if at >= off:
                break
            if out[0] <= at < out[1] or chance.random() < 0.01:
                continue
            is_dry = any(begin <= at < end for begin, end in dry)
            yield nobody._replace(received_at=packet.received_at) if is_dry else packet

    def _rhythm(self, begin: float, end: float, *, many_early: bool) -> Iterator[float]:
        chance, at = self._heart, begin
        doings = [(chance.uniform(begin, end), chance.uniform(5.0, 40.0) * 60.0, chance.uniform(75.0, 100.0))
                  for _ in range(5)]  # fmt: skip
        doings += [(chance.uniform(begin, end), 120.0, chance.uniform(100.0, 118.0)) for _ in range(8)]
        early = chance.uniform(begin, end - 600.0) if many_early else end
        while at < end:
            rates = [rate for start, lasts, rate in doings if start <= at < start + lasts]
            beats = sinus(60.0, bpm=max(rates, default=chance.uniform(60.0, 70.0)), chance=chance)
            for rr in self._with_early(beats) if early <= at < early + 600.0 else beats:
                at += rr / 1000.0
                yield rr

    def _with_early(self, beats: Iterator[float]) -> Iterator[float]:
        for rr in beats:
            if self._heart.random() < 0.1:
                yield 0.65 * rr
                yield next(beats, rr) + 0.35 * rr
            else:
                yield rr

    def _mornings(self) -> Iterator[Packet]:
        chance = self._morning
        for day in range(self.days):
            at = START + _MIDNIGHT + day * DAY + chance.uniform(9.6, 10.0) * HOUR
            if day % 7 < 5:
                pressure = BloodPressure(round(chance.gauss(126.0, 9.0)), round(chance.gauss(76.0, 6.0)), 92)
                yield Packet(CUFF, blood_pressure.MEASUREMENT, blood_pressure.encode(pressure), at)
            if day % 7 == 0:
                warm = TemperatureMeasurement(round(chance.uniform(36.0, 37.1), 1))
                yield Packet(THERMOMETER, thermometer.MEASUREMENT, thermometer.encode(warm), at + 120.0)

    def _glucose(self) -> Iterator[Reading]:
        chance = self._sugar
        meals: list[tuple[float, float, float]] = []
        for day in range(self.days):
            midnight = _MIDNIGHT + day * DAY
            for hour in (7.5, 12.5, 19.0):
                feast = hour == 19.0 and day % 7 == 5
                height = chance.uniform(130.0, 170.0) if feast else chance.uniform(30.0, 110.0)
                meals.append((midnight + (hour + chance.uniform(-0.5, 0.5)) * HOUR, height, chance.uniform(0.8, 1.3)))
            changed = self._changed[day]
            pressed = midnight + chance.uniform(1.0, 5.0) * HOUR if day % 7 == 2 else DAY * 1e3
            dip = chance.uniform(5.0, 25.0)
            for number in range(288):
                at = midnight + 300.0 * number
                if at < 0.0 or changed <= at < changed + 2 * HOUR:
                    continue
                hours = (at - midnight) / HOUR
                value = 118.0 - (dip if 2.0 <= hours < 5.0 else 0.0) + chance.gauss(0.0, 4.0)
                value += sum(_meal(at - begin, height, pace) for begin, height, pace in meals[-6:])
                if pressed <= at < pressed + 900.0:
                    value -= 25.0
                moment, unit = START + at, CHANNELS[Channel.GLUCOSE].unit
                yield Reading("cleo", SENSOR, Channel.GLUCOSE, unit, moment, moment, (round(value),))

    def _oxygen(self) -> Iterator[Packet]:
        chance = self._night
        for day in range(self.days):
            begin = _MIDNIGHT + day * DAY + (22.5 + chance.uniform(-0.5, 0.5)) * HOUR
            dips = [(chance.uniform(0.0, 8.0) * HOUR, chance.uniform(20.0, 40.0)) for _ in range(16)]
            moves = [chance.uniform(0.0, 8.0) * HOUR for _ in range(2)]
            level = chance.uniform(94.0, 97.0)
            for number in range(int(8 * HOUR / 4.0)):
                since, status = 4.0 * number, None
                value = level + chance.gauss(0.0, 0.4)
                if any(start <= since < start + lasts for start, lasts in dips):
                    value = chance.uniform(88.0, 91.0)
                if any(start <= since < start + 120.0 for start in moves):
                    value, status = chance.uniform(70.0, 85.0), Status.QUESTIONABLE
                oximetry = Oximetry(round(min(100.0, value)), round(chance.gauss(58.0, 2.0)))
                payload = pulse_oximeter.encode_continuous(Continuous(oximetry, status=status))
                yield Packet(OXIMETER, pulse_oximeter.CONTINUOUS, payload, START + begin + since)


def _meal(since: float, height: float, pace: float) -> float:
    """A rise of 45 minutes and a fall of two hours, times `pace`."""
    hours = since / HOUR / pace
    return 0.0 if not 0.0 < hours < 2.75 else height * (hours / 0.75 if hours < 0.75 else (2.75 - hours) / 2.0)


async def lived(month: Month, folder: Path) -> Teller:
    """The month, told."""
    async with telling(month.story(), folder) as teller:
        await teller.tell()
    return teller


def main() -> None:
    """Live a month and say what people were told."""
    days, seed = (int(argument) for argument in [*sys.argv[1:], "30", "1"][:2])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        teller = asyncio.run(lived(Month(days, seed), Path(folder)))
    print("\n".join(teller.lines))  # noqa: T201 -- that is what it is for
    weeks = len(_PEOPLE) * days / 7
    kinds = Counter((alert.kind, alert.severity.value) for alert in teller.episodes)
    for (kind, severity), number in kinds.most_common():
        print(f"{kind:22} {severity:8} {number / weeks:.3f} a person-week")  # noqa: T201 -- as above
    calm = sum(number for (_, severity), number in kinds.items() if severity != "critical")
    print(f"not urgent: {calm / weeks:.3f} a person-week, of {weeks:.1f} person-weeks")  # noqa: T201 -- as above


if __name__ == "__main__":
    main()
