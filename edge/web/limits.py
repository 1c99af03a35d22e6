"""How often anybody may ask: buckets of allowances that fill up slowly, one for each address and one for all."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

# Our choice: a family presses some buttons in a minute, each of them perhaps looked at by a preview first, while the
# daemon has other things to do than to answer a flood. A link that is none of ours costs as much as several others.
ADDRESS_BURST: Final = 30.0
ADDRESS_A_SECOND: Final = 0.5
ALL_BURST: Final = 100.0
ALL_A_SECOND: Final = 5.0
FORGED_COST: Final = 5.0
# Addresses that are remembered, the latest: about 0.2 MB. Our choice.
MOST_ADDRESSES: Final = 1000


@dataclass(slots=True)
class _Bucket:
    """An allowance, as of `at` in seconds."""

    left: float
    at: float

    def fill(self, now: float, a_second: float, burst: float) -> None:
        self.left = min(burst, self.left + (now - self.at) * a_second)
        self.at = now


class Limits:
    """Who may ask at `now`, in seconds of a clock that is never set back."""

    def __init__(self, now: float) -> None:
        self._all = _Bucket(ALL_BURST, now)
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()

    def allow(self, address: str, now: float) -> bool:
        """Whether one more request of an address is answered; one that is not costs nothing."""
        bucket = self._bucket(address, now)
        self._all.fill(now, ALL_A_SECOND, ALL_BURST)
        if bucket.left < 1.0 or self._all.left < 1.0:
            return False
        bucket.left -= 1.0
        self._all.left -= 1.0
        return True

    def charge(self, address: str, now: float) -> None:
        """An address has brought a link that is none of ours."""
        self._bucket(address, now).left -= FORGED_COST

    def _bucket(self, address: str, now: float) -> _Bucket:
        name = _network(address)
        bucket = self._addresses.setdefault(name, _Bucket(ADDRESS_BURST, now))
        bucket.fill(now, ADDRESS_A_SECOND, ADDRESS_BURST)
        self._addresses.move_to_end(name)
        if len(self._addresses) > MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        return bucket


def _network(address: str) -> str:
    """Whom an address belongs to: in IPv6 everybody has 2**64 of them (RFC 4291, 2.5.1)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None else str(parsed)
