"""Fields as wearables send them, for tests of any profile."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from edge.readings import Source
from edge.wearables.fields import DateTime
from edge.wearables.ieee11073 import decode_float, decode_sfloat

SOURCE = Source(person="anna", device="wearable")
RECEIVED_AT = 1_780_000_000.0

UINT8 = st.integers(0, 0xFF)
UINT16 = st.integers(0, 0xFFFF)
UINT24 = st.integers(0, 0xFFFFFF)
SFLOATS = UINT16.map(decode_sfloat)
FLOATS = st.integers(0, 0xFFFFFFFF).map(decode_float)


def _as_sent(time: datetime) -> DateTime:
    return DateTime(time.year, time.month, time.day, time.hour, time.minute, time.second)


DATE_TIMES = st.datetimes(datetime(1582, 1, 1)).map(_as_sent) | st.builds(  # noqa: DTZ001
    DateTime, st.just(0), st.integers(0, 12), st.integers(0, 28), st.integers(0, 23), st.integers(0, 59), st.just(7)
)


def clock(seconds_off: float = 0.0) -> DateTime:
    """What a wearable's clock shows at RECEIVED_AT when it is `seconds_off` ahead of this machine's."""
    return _as_sent(datetime.fromtimestamp(RECEIVED_AT + seconds_off, UTC).astimezone())
