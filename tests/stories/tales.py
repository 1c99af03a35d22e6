"""The stories: what happened in homes and in recordings, and what nobody may be told of.

A story that is about a recording of a real person takes the folder of recordings; its beats start at START.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bluetooth.link import Packet
from edge.virtual.recording import read_rr
from edge.virtual.rhythm import atrial_fibrillation, sinus
from tests.fakes.packets import strap_packets
from tests.stories.signals import (
    BAND,
    OXIMETER,
    SENSOR,
    STRAP,
    THERMOMETER,
    acceleration_readings,
    battery_packets,
    glucose_readings,
    oximeter_packets,
    temperature_packets,
)
from tests.stories.teller import START, Deed, Story

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_RATE_HZ: Final = 50.0


def _home(*worn: str, **more: Any) -> dict[str, Any]:
    """Anna, who wears these, with her own phone and her daughter's."""
    return {
        "people": [
            {
                "id": "anna",
                "name": "Anna",
                "contacts": ["anna", "daughter"],
                "wearables": [{"address": address} for address in worn],
                **more,
            }
        ],
        "contacts": [{"id": contact, "url": f"json://127.0.0.1:9/{contact}"} for contact in ("anna", "daughter")],
    }


def _hearts(*parts: tuple[str, float, float], seed: int = 1) -> Iterator[float]:
    """RR intervals of a heart that goes through ("sinus" or "af", minutes, bpm)."""
    chance = random.Random(seed)
    rhythms = {"sinus": sinus, "af": atrial_fibrillation}
    return chain.from_iterable(
        rhythms[rhythm](minutes * _MINUTE, bpm=bpm, chance=chance) for rhythm, minutes, bpm in parts
    )


def _strap(rr_ms: Iterator[float], begin: float = 0.0, *, contact: bool | None = True) -> Iterator[Packet]:
    return strap_packets(rr_ms, start=START + begin, address=STRAP, contact=contact)


_PAROXYSM: Final = (("sinus", 5.0, 66.0), ("af", 9.0, 95.0), ("sinus", 11.0, 70.0))


def fibrillation_comes_and_goes() -> Story:
    """Nine minutes of AF, told once and over once."""
    return Story(_home(STRAP), (_strap(_hearts(*_PAROXYSM)),), lasts_s=25 * _MINUTE)


def fibrillation_over_a_restart() -> Story:
    """The daemon ends and begins again in the middle: nothing is told twice, and the end is told."""
    before, after = _hearts(("sinus", 4.0, 66.0), ("af", 7.0, 95.0)), _hearts(("af", 4.0, 95.0), ("sinus", 10.0, 70.0))
    packets = chain(_strap(before), _strap(after, 12 * _MINUTE))
    return Story(_home(STRAP), (packets,), (Deed(11.2 * _MINUTE, lambda it: it.restarts()),), 27 * _MINUTE)


def fibrillation_is_taken_up_and_put_off() -> Story:
    """Taken up, nobody is told again; put off for half an hour, it is told when that is over, if it is still so."""
    deeds = (
        Deed(8 * _MINUTE, lambda it: it.answers("acknowledge", "atrial_fibrillation", by="daughter")),
        Deed(9 * _MINUTE, lambda it: it.answers("snooze", "atrial_fibrillation", seconds=1800.0)),
    )
    return Story(_home(STRAP), (_strap(_hearts(("sinus", 2.0, 66.0), ("af", 45.0, 95.0))),), deeds, 47 * _MINUTE)


def a_heart_that_is_only_fast() -> Story:
    """Stairs, a bus that is nearly missed, rest again: nobody is told."""
    parts = (("sinus", 5.0, 66.0), ("sinus", 3.0, 110.0), ("sinus", 2.0, 128.0), ("sinus", 10.0, 72.0))
    return Story(_home(STRAP), (_strap(_hearts(*parts)),), lasts_s=20 * _MINUTE)


def a_strap_that_is_off_the_body() -> Story:
    """It goes on sending beats as uneven as in AF, and says that nobody wears it: no risk is told, but that is."""
    worn = _strap(_hearts(("sinus", 2.0, 66.0)))
    off = _strap(_hearts(("af", 40.0, 90.0), seed=2), 3 * _MINUTE, contact=False)
    return Story(_home(STRAP, faults={"not_worn_h": 0.5}), (chain(worn, off),), lasts_s=43 * _MINUTE)


def a_strap_whose_battery_dies() -> Story:
    """It is low, then silent: told once, as one thing, and the silence is not told again."""
    packets = _strap(_hearts(("sinus", 20.0, 66.0)))
    low = battery_packets([(_MINUTE, 12), (15 * _MINUTE, 6), (19.9 * _MINUTE, 3)])
    return Story(_home(STRAP), (packets, low), (Deed(20.5 * _MINUTE, lambda it: it.leaves(STRAP)),), 3 * _HOUR)


def a_strap_that_says_nothing_more() -> Story:
    """Still connected, and nothing comes; then it is back."""
    packets = chain(
        _strap(_hearts(("sinus", 10.0, 66.0))), _strap(_hearts(("sinus", 40.0, 66.0), seed=3), 90 * _MINUTE)
    )
    return Story(_home(STRAP), (packets,), lasts_s=130 * _MINUTE)


def a_clock_that_is_set_back() -> Story:
    """Two hours, in the middle of AF: it is not told twice, and its end is not lost."""
    first = list(_strap(_hearts(("sinus", 4.0, 66.0), ("af", 6.0, 95.0))))
    later = [
        packet._replace(received_at=packet.received_at - 2 * _HOUR)
        for packet in _strap(_hearts(("af", 4.0, 95.0), ("sinus", 9.0, 70.0)), 10 * _MINUTE)
    ]
    # The story's own time goes on, so the packets come when they would have come.
    deeds = (Deed(10 * _MINUTE, lambda it: it.clock.step_wall(-2 * _HOUR)), *(_comes(packet) for packet in later))
    return Story(_home(STRAP), (first,), deeds, 24 * _MINUTE)


def _comes(packet: Packet) -> Deed:
    return Deed(packet.received_at + 2 * _HOUR - START, lambda it: it.brings(packet))


def _glucose() -> Iterator[float]:
    """A meal, insulin for more than was eaten, a low of half an hour, juice."""
    yield from np.linspace(120.0, 190.0, 12).tolist()
    yield from np.linspace(190.0, 62.0, 20).tolist()
    yield from [58.0, 55.0, 53.0, 52.0, 51.0, 52.0, 58.0, 70.0, 88.0, 104.0, 115.0, 121.0, 124.0, 124.0, 123.0, 122.0]
    yield from [120.0] * 12


def glucose_goes_low() -> Story:
    """Told before it is low, again as graver when it is very low for a while, and over."""
    return Story(_home(SENSOR), (glucose_readings(_glucose()),), lasts_s=5.2 * _HOUR)


def glucose_that_a_compression_seems_to_lower() -> Story:
    """Somebody lies on the sensor for ten minutes: it falls by 20 mg/dL at once and comes back."""
    values = [118.0, 119.0, 120.0] * 8 + [99.0, 98.0] + [117.0, 119.0, 121.0] * 8
    return Story(_home(SENSOR), (glucose_readings(values),), lasts_s=4.2 * _HOUR)


def oxygen_about_the_limit() -> Story:
    """It goes to and fro about the limit for half an hour: told once, and over once it is well above."""
    chance = random.Random(5)
    values = [96.0] * 600 + [round(91.2 + chance.uniform(-1.0, 1.0), 1) for _ in range(1800)] + [96.0] * 1200
    return Story(_home(OXIMETER), (oximeter_packets(values),), lasts_s=_HOUR)


def oxygen_of_a_cold_finger() -> Story:
    """Dips of half a minute, as of a finger that moves: nobody is told."""
    values = ([96.0] * 300 + [84.0] * 30) * 8
    return Story(_home(OXIMETER), (oximeter_packets(values),), lasts_s=46 * _MINUTE)


def a_fever() -> Story:
    """Told once, though it is measured again and again; over when it is down."""
    measured = [(600.0, 37.2), (3600.0, 38.4), (7200.0, 38.8), (10_800.0, 38.6), (14_400.0, 37.1)]
    return Story(_home(THERMOMETER), (temperature_packets(measured),), lasts_s=5 * _HOUR)


def _body(seconds: float, chance: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Somebody who stands, upright, and breathes."""
    times = np.arange(0.0, seconds, 1.0 / _RATE_HZ)
    mg = np.array([0.0, -1000.0, 0.0]) + chance.normal(0.0, 12.0, (len(times), 3))
    return times, mg + 40.0 * np.sin(2.0 * times)[:, np.newaxis]


def sitting_down_hard() -> Story:
    """A blow of 2 g into a chair, and then stillness, upright: nobody is asked."""
    times, mg = _body(180.0, np.random.default_rng(3))
    blow = (times > 60.0) & (times < 60.12)
    mg[blow] *= 2.0
    return Story(_home(BAND), (acceleration_readings(times, mg),), lasts_s=200.0)


def _recorded(name: str, minutes: float) -> Callable[[Path], Story]:
    def story(recordings: Path) -> Story:
        recording = read_rr(recordings / name)
        lasting = recording.rr_ms[np.cumsum(recording.rr_ms) < minutes * 60_000.0]
        return Story(_home(STRAP), (_strap(iter(lasting.tolist())),), lasts_s=minutes * _MINUTE)

    return story


def _recorded_fall(recordings: Path) -> Story:
    """A person of SisFall who stands, falls and stays on the floor for three minutes; nobody answers."""
    from tests.integration.test_fall import recorded_fall  # noqa: PLC0415 -- it needs the training's packages

    at, fallen = recorded_fall(recordings)
    times, mg = _body(60.0 + float(at[-1]) + 180.0, np.random.default_rng(1))
    since = times - 60.0
    falling = since >= 0.0
    mg[falling] = np.stack([np.interp(since[falling], at, axis) for axis in fallen.T], axis=1)
    mg[falling] += np.random.default_rng(2).normal(0.0, 8.0, mg[falling].shape)
    return Story(_home(BAND), (acceleration_readings(times, mg),), lasts_s=float(times[-1]))


MADE_UP: Final[Mapping[str, Callable[[], Story]]] = MappingProxyType(
    {
        story.__name__: story
        for story in (
            fibrillation_comes_and_goes,
            fibrillation_over_a_restart,
            fibrillation_is_taken_up_and_put_off,
            a_heart_that_is_only_fast,
            a_strap_that_is_off_the_body,
            a_strap_whose_battery_dies,
            a_strap_that_says_nothing_more,
            a_clock_that_is_set_back,
            glucose_goes_low,
            glucose_that_a_compression_seems_to_lower,
            oxygen_about_the_limit,
            oxygen_of_a_cold_finger,
            a_fever,
            sitting_down_hard,
        )
    }
)
RECORDED: Final[Mapping[str, Callable[[Path], Story]]] = MappingProxyType(
    {
        "mitdb_201_has_paroxysms": _recorded("mitdb/201", 30.0),
        "mitdb_219_fibrillates": _recorded("mitdb/219", 30.0),
        "mitdb_103_is_regular": _recorded("mitdb/103", 30.0),
        "mitdb_119_has_ectopic_beats": _recorded("mitdb/119", 30.0),
        "nsr2db_nsr001_is_healthy": _recorded("nsr2db/nsr001", 60.0),
        "sisfall_a_fall": _recorded_fall,
    }
)
