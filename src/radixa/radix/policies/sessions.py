"""What is known of sessions: when each was last heard of, and how soon its like go on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.node import Node
from radixa.radix.policies.kinds import Kind
from radixa.radix.policies.lifetimes import BINS, Lifetimes, age_bin

SESSIONS = 1024
"""Sessions that are remembered."""
FAMILIES = 64
"""Families that are remembered."""
TURNS = 6
"""A turn after this many counts as this one."""
_HEAD = 64 * TOKEN_BYTES
"""Bytes at the front of its prompts that name a family: the beginning of a system prompt."""


class Family:
    """Sessions whose prompts begin alike, which is what those of one application do."""

    def __init__(self, returns: Lifetimes, shares: tuple[Lifetimes, Lifetimes]) -> None:
        self.all_turns = Lifetimes(returns)
        self.returns = tuple(Lifetimes(self.all_turns) for _ in range(TURNS))
        """How soon a session goes on, by the number of its turn."""
        self.shares = tuple(Lifetimes(share) for share in shares)
        """How soon another session uses what one brought, by whether that is an answer."""
        self.kinds: dict[tuple[int, bool], Kind] = {}
        """Of the leaves of its sessions, by turn and whether they are answers."""

    def kind(self, turn: int, answer: bool) -> Kind:
        found = self.kinds.get((turn, answer))
        if found is None:
            found = self.kinds[turn, answer] = Kind(self.shares[answer], self.returns[turn])
        return found


class Session:
    """One conversation."""

    __slots__ = ("end", "family", "hits", "turns", "used")

    def __init__(self, family: Family, end: Node[Any], used: float, hits: int) -> None:
        self.family = family
        self.turns = 1
        self.end = end
        """The last node that it brought."""
        self.used = used
        self.hits = hits
        """Of `end`, when it was brought."""

    @property
    def turn(self) -> int:
        """Of the last request, counted from 0 and no further than families do."""
        return min(self.turns, TURNS) - 1

    @property
    def returns(self) -> Lifetimes:
        return self.family.returns[self.turn]


class Sessions:
    """The sessions heard of last. One that is forgotten counts as one that has ended."""

    def __init__(self, everything: Lifetimes) -> None:
        self._returns = Lifetimes()
        self._shares = (Lifetimes(everything), Lifetimes(everything))
        self._known: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._families: OrderedDict[tuple[str, bytes], Family | None] = OrderedDict()
        """None for a name that one session had so far: most prompts that begin like no other stay alone."""
        self._strangers = Family(self._returns, self._shares)

    def of(self, node: Node[Any]) -> Session | None:
        """The session that brought `node`; None where it said none or that is forgotten."""
        return self._known.get((node.space.name, node.origin.session))

    def brought(
        self, node: Node[Any], used: float, hits: int, above: Node[Any] | None, above_hits: int
    ) -> Node[Any] | None:
        """Its session brought `node`: where the session stood before if this is a new turn of it, else None.

        The rest is how things were at that time: when it was, the hits of the node, the node above and that one's hits.
        A request may bring its path in several pieces, one below the other, or make the last one longer; a new turn is
        seen by the match before it.
        """
        name = (node.space.name, node.origin.session)
        session = self._known.get(name)
        if session is None:
            session = self._known[name] = Session(self._family(node), node, used, hits)
            session.returns.begin(0.0, 1.0)
            if len(self._known) > SESSIONS:
                _, old = self._known.popitem(last=False)
                old.returns.end(used - old.used, 1.0)
            return node
        before = session.end
        fresh = node is not before and (above is not before or above_hits != session.hits)
        if fresh:
            session.returns.use(used - session.used, 1.0)
            session.turns += 1
            session.returns.begin(0.0, 1.0)
            self._known.move_to_end(name)
        session.end, session.used, session.hits = node, used, hits
        return before if fresh else None

    def waiting(self, now: float) -> dict[Lifetimes, list[float]]:
        """How many sessions have been silent for how long."""
        found: dict[Lifetimes, list[float]] = {}
        for session in self._known.values():
            age = age_bin(now - session.used)
            counts: Lifetimes | None = session.returns
            while counts is not None:
                found.setdefault(counts, [0.0] * BINS)[age] += 1
                counts = counts.above
        return found

    def lifetimes(self) -> Iterator[Lifetimes]:
        """All that is counted here, each once, but for what is counted elsewhere too."""
        yield self._returns
        yield from self._shares
        for family in (self._strangers, *self._families.values()):
            if family is not None:
                yield family.all_turns
                yield from family.returns
                yield from family.shares

    def _family(self, node: Node[Any]) -> Family:
        head = b""
        for member in node.path():
            head += member.segment[:_HEAD]
            if len(head) >= _HEAD:
                break
        name = (node.space.name, head[:_HEAD])
        if name not in self._families:
            self._families[name] = None
            if len(self._families) > FAMILIES:
                self._families.popitem(last=False)
            return self._strangers
        self._families.move_to_end(name)
        family = self._families[name]
        if family is None:
            family = self._families[name] = Family(self._returns, self._shares)
        return family
