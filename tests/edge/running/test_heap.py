"""The heap's limit is one that this C library knows."""

from __future__ import annotations

import ctypes

import pytest

from edge.running import heap


def test_threads_share_two_heaps() -> None:
    heap.few_arenas()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        pytest.skip("another C library than glibc")
    assert mallopt(heap._M_ARENA_MAX, heap._ARENAS) == 1, "mallopt returns 1 on success"
