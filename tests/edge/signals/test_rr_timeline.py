"""Where RR intervals land in time, however their packets travel."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import Channel, Quality, Reading
from edge.signals.rr_timeline import HOLD_S, RrTimeline

START = 1_800_000_000.0


def strap_packets(rr_ms: Sequence[float], *, latency: float = 0.03) -> list[tuple[float, list[float]]]:
    """A strap that sends once a second what has beaten since: (arrival, RR intervals in ms)."""
    packets: list[tuple[float, list[float]]] = []
    beat, sent = START, START
    waiting: list[float] = []
    for rr in rr_ms:
        while beat + rr / 1000 > sent + 1.0:
            sent += 1.0
            packets.append((sent + latency, waiting))
            waiting = []
        beat += rr / 1000
        waiting.append(rr)
    packets.append((sent + 1.0 + latency, waiting))
    return packets


def place(packets: Iterable[tuple[float, Sequence[float]]], timeline: RrTimeline | None = None) -> list[Reading]:
    timeline = timeline or RrTimeline()
    placed = []
    for arrival, values in packets:
        if values:
            placed += timeline.place([reading(arrival, values)])
        else:
            timeline.hear(arrival)
    return placed + timeline.flush()


def reading(arrival: float, values: Sequence[float]) -> Reading:
    start = arrival - sum(values) / 1000
    return Reading("anna", "strap", Channel.RR_INTERVAL, "ms", start, arrival, tuple(values))


def gaps(placed: Sequence[Reading]) -> list[Reading]:
    return [r for r in placed[1:] if r.quality & Quality.GAP_BEFORE]


def sinus(n: int, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(820, 40) for _ in range(n)]


def beats(placed: Sequence[Reading]) -> list[float]:
    times = []
    for r in placed:
        time = r.start
        for value in r.values:
            time += value / 1000
            times.append(time)
    return times


def true_beats(rr_ms: Sequence[float]) -> list[float]:
    return [START + sum(rr_ms[: n + 1]) / 1000 for n in range(len(rr_ms))]


def test_pain_07_rr_intervals_carry_no_time() -> None:
    rr = sinus(300)
    placed = place(strap_packets(rr))
    assert not gaps(placed)
    assert placed[0].quality & Quality.GAP_BEFORE
    errors = [abs(a - b) for a, b in zip(beats(placed), true_beats(rr), strict=True)]
    assert max(errors) < 1.1
    steps = [b.start - a.end for a, b in itertools.pairwise(placed)]
    assert max(abs(step) for step in steps) < 0.06


@pytest.mark.parametrize("delay", [2.0, 5.0, 20.0])
def test_late_and_bunched_packets_leave_no_gap(delay: float) -> None:
    rr = sinus(300)
    packets = strap_packets(rr)
    stalled_until = packets[100][0] + delay
    late = [(max(t, stalled_until) if n >= 100 else t, v) for n, (t, v) in enumerate(packets)]
    placed = place(late)
    assert not gaps(placed)
    assert [v for r in placed for v in r.values] == rr
    assert max(abs(a - b) for a, b in zip(beats(placed), true_beats(rr), strict=True)) < 1.1


@pytest.mark.parametrize("lost", [3, 5, 30])
def test_lost_packets_are_one_gap_of_their_length(lost: int) -> None:
    rr = sinus(300)
    packets = strap_packets(rr)
    kept = packets[:100] + packets[100 + lost :]
    placed = place(kept)
    (gap,) = gaps(placed)
    before = placed[placed.index(gap) - 1]
    missing = sum(sum(v) for _, v in packets[100 : 100 + lost]) / 1000
    assert gap.start - before.end == pytest.approx(missing, abs=1.1)
    tail = true_beats(rr)[-50:]
    assert max(abs(a - b) for a, b in zip(beats(placed)[-50:], tail, strict=True)) < 1.5


@pytest.mark.parametrize("bpm", [48, 60, 73, 95, 130])
def test_pain_09_every_lost_packet_with_beats_in_it_is_a_gap_near_where_it_was(bpm: int) -> None:
    chance = random.Random(bpm)
    rr = [chance.gauss(60_000 / bpm, 25) for _ in range(bpm * 30)]
    sent = strap_packets(rr)
    lost = {at for at in range(20, len(sent) - 20) if at % 23 == 0 and sent[at][1]}
    placed = place(packet for at, packet in enumerate(sent) if at not in lost)
    marked = [r.start for r in gaps(placed)]
    assert len(lost) > 50
    found = sum(any(abs(at - sent[n][0]) < 4.0 for at in marked) for n in lost)
    assert found >= 0.97 * len(lost)
    assert len(marked) <= 1.05 * len(lost)


@pytest.mark.parametrize("bpm", [52, 75, 110])
def test_packets_that_always_come_bunched_leave_no_gap(bpm: int) -> None:
    chance = random.Random(bpm)
    rr = [chance.gauss(60_000 / bpm, 25) for _ in range(bpm * 10)]
    sent = strap_packets(rr)
    bunched = [(sent[min(at // 3 * 3 + 2, len(sent) - 1)][0], values) for at, (_, values) in enumerate(sent)]
    placed = place(bunched)
    assert not gaps(placed)
    assert [v for r in placed for v in r.values] == rr


def test_wearable_that_sends_every_other_second_pauses_for_nothing() -> None:
    rr = sinus(1200)
    sent = strap_packets(rr)
    pairs = [(sent[at + 1][0], sent[at][1] + sent[at + 1][1]) for at in range(0, len(sent) - 1, 2)]
    assert not gaps(place(pairs)[8:])


def test_pain_09_packet_without_a_beat_that_was_lost_is_hardly_ever_a_gap() -> None:
    chance = random.Random(4)
    sent = strap_packets([chance.gauss(1400, 40) for _ in range(1200)])
    empty = {at for at, (_, values) in enumerate(sent) if not values}
    lost = {at for at in empty if chance.random() < 0.3}
    placed = place(packet for at, packet in enumerate(sent) if at not in lost)
    assert len(lost) > 100
    assert len(gaps(placed)) < 0.1 * len(lost)


def test_irregular_beats_are_no_gaps() -> None:
    chance = random.Random(2)
    rr = [chance.uniform(330, 1500) for _ in range(600)]
    placed = place(strap_packets(rr))
    assert not gaps(placed)
    assert [v for r in placed for v in r.values] == rr


def test_a_late_first_packet_is_forgiven_within_minutes() -> None:
    rr = sinus(400)
    packets = strap_packets(rr)
    packets[0] = (packets[4][0], packets[0][1])
    packets[1:4] = [(packets[4][0], v) for _, v in packets[1:4]]
    placed = place(packets)
    assert not gaps(placed)
    assert abs(beats(placed)[-1] - true_beats(rr)[-1]) < 1.1


def test_a_lost_link_begins_a_new_chain_behind_a_gap() -> None:
    timeline = RrTimeline()
    first = place(strap_packets(sinus(30)), timeline)
    timeline.interrupt()
    (again,) = timeline.place([reading(first[-1].end + 12.0, [800.0])])
    assert again.quality & Quality.GAP_BEFORE
    assert again.start == pytest.approx(first[-1].end + 11.2)


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_pain_23_a_clock_step_re_anchors(step: float) -> None:
    packets = strap_packets(sinus(100))
    stepped = [(t + step if n >= 50 else t, v) for n, (t, v) in enumerate(packets)]
    placed = place(stepped)
    (gap,) = gaps(placed)
    assert gap.end == pytest.approx(gap.received_at)
    assert [v for r in placed for v in r.values] == [v for _, values in packets for v in values]


def test_a_strap_that_runs_fast_is_followed_for_a_day() -> None:
    rr = [800.0] * 20_000
    packets = [(START + (t - START) * 1.0001, v) for t, v in strap_packets(rr)]
    placed = place(packets)
    assert not gaps(placed)
    assert abs(placed[-1].end - placed[-1].received_at) < 1.5


@given(
    rr=st.lists(st.integers(300, 2000), min_size=1, max_size=80),
    fates=st.lists(st.sampled_from(["through", "late", "lost"]), min_size=80, max_size=80),
    delay=st.floats(0, 30),
)
def test_nothing_that_arrives_is_lost_changed_or_put_before_what_came_first(
    rr: list[int], fates: list[str], delay: float
) -> None:
    arrival, sent, packets = START, [], []
    for value, fate in zip(rr, fates, strict=False):
        arrival = max(arrival, arrival + value / 1000 + (delay if fate == "late" else 0))
        if fate != "lost":
            packets.append((arrival, [float(value)]))
            sent.append(float(value))
    placed = place(packets)
    assert [v for r in placed for v in r.values] == sent
    assert all(later.start >= earlier.end - 0.12 for earlier, later in itertools.pairwise(placed))
    assert all(r.received_at - packets[0][0] >= 0 for r in placed)


def test_nothing_is_held_longer_than_promised() -> None:
    timeline = RrTimeline()
    packets = strap_packets(sinus(200))
    kept = packets[:50] + packets[60:]
    held_since: float | None = None
    for arrival, values in kept:
        released = timeline.place([reading(arrival, values)] if values else [])
        if not values:
            continue
        held_since = None if released else (held_since if held_since is not None else arrival)
        assert held_since is None or arrival - held_since <= HOLD_S
