"""Whatever comes in whatever order, late or again, across blocks, restarts and nights: each sample is there once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from numpy.typing import NDArray

from edge.readings import CHANNELS, Channel, Quality, Reading
from edge.store.signals import Series
from edge.store.store import Batch, Store
from tests.edge.store.samples import START

SLOT_S = 120.0
NOW = START + 400 * SLOT_S
# So that a few samples make several blocks.
SMALL = {"BLOCK_SIZE": 8, "_SMALLEST_BLOCK": 4, "_LARGEST_BLOCK": 16, "RAW_BLOCK": 24, "_SPAN_S": 3600}
FRAME = 3
CHOSEN = (Channel.GLUCOSE, Channel.HEART_RATE, Channel.RR_INTERVAL, Channel.ACCELERATION)


class SignalsMachine(RuleBasedStateMachine):
    """One wearable's channel, measured in slots: the number of a slot says what was measured in it."""

    @initialize(
        channel=st.sampled_from([Channel.GLUCOSE, Channel.HEART_RATE, Channel.RR_INTERVAL, Channel.ACCELERATION])
    )
    def begin(self, channel: Channel) -> None:
        self.channel = channel
        self.stored: set[int] = set()
        self.cut: set[int] = set()  # slots of which a block that was forgotten held a part
        self.folder = TemporaryDirectory()
        self.small = [patch(f"edge.store.signals.{name}", size) for name, size in SMALL.items()]
        for one in self.small:
            one.start()
        self.store = Store(Path(self.folder.name) / "hearthbeat.db")

    def reading(self, slot: int, *, late: bool) -> Reading:
        at = START + SLOT_S * slot
        axes = CHANNELS[self.channel].axes
        count = FRAME if self.channel in (Channel.ACCELERATION, Channel.RR_INTERVAL) else 1
        step = 1000.0 / 1024.0 if self.channel is Channel.RR_INTERVAL else 1.0
        values = tuple(step * (500 + slot % 300 + n) for n in range(count * axes))
        pace = 0.02 if self.channel is Channel.ACCELERATION else None
        quality = Quality.NO_CONTACT if slot % 7 == 0 else Quality.GOOD
        one = Reading("anna", "AA", self.channel, CHANNELS[self.channel].unit, at, at, values, quality, pace)
        received = NOW if late else one.end
        return Reading("anna", "AA", self.channel, one.unit, at, received, values, quality, pace)

    @rule(slots=st.lists(st.integers(0, 300), min_size=1, max_size=25), some=st.integers(0, 25))
    def comes(self, slots: list[int], some: int) -> None:
        """Some of the moment, in any order, as after a clock was set; the rest from memory, perhaps again."""
        fresh = [slot for slot in dict.fromkeys(slots[:some]) if slot not in self.stored]
        readings = [self.reading(slot, late=False) for slot in fresh]
        self.store.commit(Batch(readings=readings + [self.reading(slot, late=True) for slot in slots]))
        self._hold(slots)

    @rule(first=st.integers(0, 300), count=st.integers(10, 40))
    def a_long_backfill_comes(self, first: int, count: int) -> None:
        slots = range(first, first + count)
        self.store.commit(Batch(readings=[self.reading(slot, late=True) for slot in slots]))
        self._hold(slots)

    @rule()
    def starts_again(self) -> None:
        self.store.close()
        self.store = Store(Path(self.folder.name) / "hearthbeat.db")

    @rule(slot=st.integers(0, 300))
    def forgets(self, slot: int) -> None:
        """By whole blocks: what is newer stays, and of what is older nothing comes back."""
        self.store.forget_before(START + SLOT_S * slot)
        times = self.store.signals.series("anna", self.channel, 0.0, float("inf")).times
        slots, counts = np.unique(self._slots(times), return_counts=True)
        whole = self.reading(0, late=False).values
        full = counts * CHANNELS[self.channel].axes == len(whole)
        left, cut = set(slots[full].tolist()), set(slots[~full].tolist())
        assert {one for one in self.stored if one >= slot} <= left
        assert left | cut <= self.stored | self.cut
        self.stored, self.cut = left, cut

    def _hold(self, slots: Iterable[int]) -> None:
        self.stored.update(slots)
        self.cut.difference_update(slots)

    @staticmethod
    def _slots(times: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.asarray(np.floor((times - START) / SLOT_S + 1e-6), dtype=np.int64)

    def _of_whole_slots(self, series: Series) -> NDArray[np.float64]:
        return np.asarray(series.values[~np.isin(self._slots(series.times), list(self.cut))].ravel())

    @invariant()
    def each_is_there_once(self) -> None:
        series = self.store.signals.series("anna", self.channel, 0.0, float("inf"))
        expected = [value for slot in sorted(self.stored) for value in self.reading(slot, late=False).values]
        assert np.allclose(self._of_whole_slots(series), expected, rtol=0.0, atol=1e-9)
        assert (np.diff(series.times) > 0.0).all()

    @rule(first=st.integers(0, 300), count=st.integers(0, 60))
    def a_stretch_is_read(self, first: int, count: int) -> None:
        begin, end = START + SLOT_S * (first - 0.25), START + SLOT_S * (first + count + 0.25)
        slots = [slot for slot in sorted(self.stored) if first <= slot <= first + count]
        series = self.store.signals.series("anna", self.channel, begin, end)
        expected = [value for slot in slots for value in self.reading(slot, late=False).values]
        assert np.allclose(self._of_whole_slots(series), expected, rtol=0.0, atol=1e-9)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            for one in self.small:
                one.stop()
            self.folder.cleanup()


TestSignalsMachine = SignalsMachine.TestCase
TestSignalsMachine.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
