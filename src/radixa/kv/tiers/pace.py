"""How fast the tier may write, and how fast it reads."""

from __future__ import annotations


class Pace:
    """A token bucket over bytes: on average `rate` bytes a second, and never more than a quarter second's at once
    before what it is for was paid."""

    def __init__(self, rate: float, now: float) -> None:
        if rate <= 0:
            raise ValueError(f"a write bandwidth of {rate} bytes a second; it must be above 0")
        self._rate = rate
        self._level = rate / 4
        self._then = now

    def spend(self, size: int, now: float) -> None:
        """Bytes were written. The level may fall below nothing: a block is written whole."""
        self._fill(now)
        self._level -= size

    def wait(self, now: float) -> float:
        """Seconds from now until more may be written."""
        self._fill(now)
        return max(0.0, -self._level / self._rate)

    def _fill(self, now: float) -> None:
        self._level = min(self._rate / 4, self._level + (now - self._then) * self._rate)
        self._then = now


class Bandwidth:
    """Bytes a second, as an average over measurements in which the latest weighs 0.3."""

    def __init__(self, assumed: float) -> None:
        self.value = assumed
        """What is assumed, until something was measured."""
        self.measured: float | None = None
        """When the last measurement was taken."""

    def add(self, size: int, seconds: float, now: float) -> None:
        speed = size / max(seconds, 1e-9)
        self.value = speed if self.measured is None else 0.7 * self.value + 0.3 * speed
        self.measured = now
