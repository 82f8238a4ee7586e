"""`prompt_cache_key`: one for the requests that share a prefix, split where one would be asked for too often.

OpenAI answers requests of one prefix and key at one machine, which has that prefix in its cache, up to about 15 a
minute; what is more goes to machines that have not. So requests that begin alike (as far as anything is cached at all)
are a **family** and share a key; where that would get too many, the family has several, numbered. A request goes to
the number that saw most of its beginning, so that a conversation stays where it was; new ones are spread evenly over
as many numbers as the family's rate needs. Accounts never share a key: it depends on the namespace.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from hashlib import blake2b
from math import ceil
from time import monotonic

from radixa.providers.upstream.pieces import PIECE_BYTES, path_of
from radixa.providers.upstream.tracks import Tracks

LEAST_BYTES = 12 * PIECE_BYTES
"""What requests must share to be a family. Nothing under 1,024 tokens is cached; three bytes a token are few."""
MOST_A_MINUTE = 15
"""Requests of one key."""
AIM = 12
"""What new conversations fill a number up to: those that are there must not be driven away by chance."""
MOST_FAMILIES = 4096
"""The one not used for the longest is forgotten; its next request begins at number 0 again."""
_MINUTE_S = 60.0


class _Family:
    """When each of a family's numbers was used, the last MOST_A_MINUTE times: no more are needed to know its rate."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used: list[deque[float]] = []

    def rates(self, now: float) -> list[int]:
        """Requests of each number within the last minute."""
        for times in self.used:
            while times and times[0] <= now - _MINUTE_S:
                times.popleft()
        while self.used and not self.used[-1]:
            self.used.pop()
        return [len(times) for times in self.used]

    def use(self, number: int, now: float) -> None:
        while len(self.used) <= number:
            self.used.append(deque(maxlen=MOST_A_MINUTE))
        self.used[number].append(now)


class Affinity:
    """Keys for prompts. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic, tracks: Tracks | None = None) -> None:
        self._clock = clock
        self._tracks = Tracks(clock=clock) if tracks is None else tracks
        self._families: OrderedDict[bytes, _Family] = OrderedDict()

    def key(self, prompt: bytes, namespace: str) -> str | None:
        """The key for a prompt (its bytes as they are sent); None where it is too short to be cached."""
        if len(prompt) < LEAST_BYTES:
            return None
        name = _name(prompt[:LEAST_BYTES], namespace)
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = _Family()
            if len(self._families) > MOST_FAMILIES:
                self._families.popitem(last=False)
        else:
            self._families.move_to_end(name)
        now = self._clock()
        path = path_of(prompt)
        number = self._number(path, namespace, family.rates(now))
        family.use(number, now)
        self._tracks.add(path, namespace, number)
        return f"{name.hex()}-{number}"

    def _number(self, path: bytes, namespace: str, rates: list[int]) -> int:
        needed = ceil((sum(rates) + 1) / AIM)

        def rate(number: int) -> int:
            # A number without a use in the last minute may not be counted any more.
            return rates[number] if number < len(rates) else 0

        def order(number: int) -> tuple[bool, int, int]:
            return number >= needed, rate(number), number

        for seen in self._tracks.seen(path, namespace):
            if seen.pieces * PIECE_BYTES < LEAST_BYTES:
                break
            most = MOST_A_MINUTE if seen.continued else AIM
            warm = [number for number in seen.numbers if rate(number) < most]
            if warm:
                return min(warm, key=order)
        free = [number for number in range(len(rates)) if rates[number] < AIM]
        return min(free, key=order, default=len(rates))


def _name(beginning: bytes, namespace: str) -> bytes:
    """A family's name: the same in every process, and nothing of the prompt or the account can be read in it."""
    named = blake2b(namespace.encode(), digest_size=16)
    named.update(b"\0")
    named.update(beginning)
    return named.digest()
