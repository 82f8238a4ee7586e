"""How often an address may do what needs no key."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from radixa.gateway.limits.clocks import Clock, steady
from radixa.gateway.limits.window import Window, add, forget, wait

SIGNUPS = 5
"""Accounts that one address may open in a minute."""
_MOST = 10_000
"""Addresses remembered. More than that within a minute are one crowd, which shares a limit."""
_NETWORK = 64
"""Bits of an IPv6 address that a provider gives to one customer."""


class Addresses:
    """Counts by address, for one process; an IPv6 address stands for its network."""

    def __init__(self, limit: int = SIGNUPS, clock: Clock | None = None) -> None:
        self._limit = limit
        self._clock = clock or steady()
        self._windows: dict[str, Window] = {}

    def look(self, address: str) -> int:
        """The milliseconds until there is room for one more; 0 where there is now. Counts nothing."""
        window = self._windows.get(_network(address))
        if window is None:
            return 0
        now = self._clock()
        forget(window, now)
        return wait(window, now, 1, self._limit) or 0

    def wait(self, address: str) -> int:
        """Count one more and return 0, or count nothing and return the milliseconds to wait."""
        now = self._clock()
        name = _network(address)
        if name not in self._windows and len(self._windows) >= _MOST:
            self._drop(now)
            if len(self._windows) >= _MOST:
                name = ""
        window = self._windows.setdefault(name, Window())
        forget(window, now)
        ms = wait(window, now, 1, self._limit)
        if ms == 0:
            add(window, now, 1)
        return ms or 0

    def _drop(self, now: int) -> None:
        for window in self._windows.values():
            forget(window, now)
        self._windows = {name: window for name, window in self._windows.items() if window.total}


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(int(found) >> (128 - _NETWORK))
    return str(found)
