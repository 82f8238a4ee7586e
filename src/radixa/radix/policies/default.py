"""Our own policy: the leaf goes first whose keeping is worth least, as learned from its like."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from radixa.radix.base import GroupedPolicy, Reason
from radixa.radix.node import Node
from radixa.radix.policies.ghosts import Ghosts
from radixa.radix.policies.kinds import Kind
from radixa.radix.policies.lifetimes import Lifetimes, age_bin
from radixa.radix.policies.sessions import Session, Sessions

ANSWERS = frozenset({"assistant", "thinking"})
_GHOST_SHARE = 8
"""Tokens of ghosts for each that is in the tree: how far beyond its capacity the policy looks."""
_GHOSTS = 1 << 16
_DOUBT = 0.05
"""Share of the tokens in the tree as whose experience that of less like leaves counts."""
_SOON, _LATE = 64, 1024
"""Evictions after which worths are computed anew: a few at first, then an eighth of all there were, up to many."""
_FADING = 256
"""Tokens that were watched, for each in the tree, after which all experience counts half."""
_NEWS = 256
"""Arrivals and touched leaves that wait for an eviction at most."""
_UNSORTED = "unsorted"

_Arrival = tuple[Node[Any], int, bool, float, int, Node[Any] | None, int]
"""A node, its new tokens, whether it is new itself, the time and its hits; the node above it and that one's hits."""


class Default(GroupedPolicy):
    """Sorts leaves into kinds, learns for each how soon it is used again, and lets the least worth go.

    The kinds are: what a session brought and may go on from, by the session's family, its turn and whether it is an
    answer; what a session has left behind; what outlived its TTL; what was used once, and what was used again, by
    whether it is an answer. Of one kind the oldest goes first; but while its worth rises with age, as when requests
    come in turns, the youngest.
    """

    def __init__(self) -> None:
        self._tokens = 0
        self._now = 0.0
        self._began: float | None = None
        self._requests = 0
        self._evictions = 0
        self._renewals = 0
        self._renewal = _SOON
        """Evictions at which the next renewal is due."""
        self._gap = 0
        self._watched = 0
        """Tokens that came under watch since experience faded last."""
        self._everything = Lifetimes()
        self._sessions = Sessions(self._everything)
        self._silence: dict[Lifetimes, list[float]] = {}
        self._kinds: dict[Hashable, Kind] = {}
        self._standing: dict[int, tuple[Kind, float]] = {}
        """Of the leaves in the queue: their kind, and when they were used as it was noted."""
        self._shared: set[int] = set()
        """Nodes that came back after an eviction, or that another session than their own went through."""
        self._young: set[int] = set()
        """Leaves in a group of which the youngest goes first."""
        self._aging: dict[Kind, None] = {}
        """Kinds that have had such leaves, in an order that is the same in every run."""
        self._ghosts: Ghosts[tuple[Kind, str]] = Ghosts()
        # What a request does is only noted down, and looked at when something has to go.
        self._news: list[_Arrival] = []
        self._unsorted: list[Node[Any]] = []
        self._deferring = True

    # ---- the order of leaves

    def group(self, node: Node[Any]) -> Hashable:
        if self._deferring:
            self._unsorted.append(node)
            return _UNSORTED
        kind = self._kind(node)
        self._note(node, kind)
        young = self._now - node.used < kind.peak
        if young:
            kind.aging.append((node, node.used))
            self._aging[kind] = None
            self._young.add(node.id)
        else:
            self._young.discard(node.id)
        return kind.group, young

    def key(self, node: Node[Any]) -> float:
        return -node.used if node.id in self._young else node.used

    def pick(self, heads: Sequence[Node[Any]], now: float) -> Node[Any]:
        self._sort()
        found = heads[0]
        least = float("inf")
        for head in heads:
            standing = self._standing.get(head.id)
            kind = self._kind(head) if standing is None else standing[0]
            if kind.written != self._renewals:
                self._appraise(kind)
            age = now - head.used
            worth = kind.worth[age_bin(age) if age > 0 else 0]
            if worth < least:
                found, least = head, worth
        return found

    # ---- what happens in the tree

    def matched(self, node: Node[Any], tokens: int) -> None:
        self._now = now = max(self._now, node.used)
        if self._began is None:
            self._began = now
        self._requests += 1
        if len(self._unsorted) > _NEWS:
            self._sort()
        self._deferring = True

    def added(self, node: Node[Any], tokens: int) -> None:
        self._tokens += tokens
        above = node.parent
        hits_above = above.hits if above is not None else 0
        self._news.append((node, tokens, tokens == node.tokens, node.used, node.hits, above, hits_above))
        if len(self._news) > _NEWS:
            self._sort()
        self._deferring = True

    def split(self, upper: Node[Any], lower: Node[Any]) -> None:
        if lower.id in self._shared:
            self._shared.add(upper.id)

    def removed(self, node: Node[Any], reason: Reason) -> None:
        self._sort()
        standing = self._standing.pop(node.id, None)
        kind = self._kind(node) if standing is None else standing[0]
        if standing is None and kind.returns is None:
            self._begin(kind, 0.0, node.tokens)
        self._tokens -= node.tokens
        self._shared.discard(node.id)
        self._young.discard(node.id)
        ghosts = self._ghosts
        if reason == "capacity":
            ghosts.put(node, (kind, node.origin.session))
            if kind.written != self._renewals:
                self._appraise(kind)
            self._evictions += 1
            if self._evictions >= self._renewal:
                self._renew()
        else:
            ghosts.forget(node)
            kind.lifetimes.end(self._now - node.used, node.tokens)
        while ghosts.tokens > _GHOST_SHARE * self._tokens or len(ghosts) > _GHOSTS:
            ghost = ghosts.oldest()
            ghost.mark[0].lifetimes.end(self._now - ghost.used, ghost.tokens)

    # ---- inside

    def _kind(self, node: Node[Any]) -> Kind:
        origin = node.origin
        answer = origin.role in ANSWERS
        if origin.session and node.id not in self._shared:
            session = self._sessions.of(node)
            if session is None or node.used < session.used:
                return self._named("left")
            if node.expired > node.used:
                return self._named("expired")
            return self._going_on(session, answer)
        if node.expired > node.used:
            return self._named("expired")
        return self._named((node.hits > 0 or node.id in self._shared, answer))

    def _named(self, name: Hashable) -> Kind:
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = Kind(Lifetimes(self._everything))
            self._appraise(kind)
        return kind

    def _going_on(self, session: Session, answer: bool) -> Kind:
        kind = session.family.kind(session.turn, answer)
        if kind.written < 0:
            self._appraise(kind)
        return kind

    def _appraise(self, kind: Kind) -> None:
        kind.appraise(_DOUBT * self._tokens + 1, self._silence, self._gap, self._renewals)

    def _renew(self) -> None:
        """Have the worths computed anew as they are asked for."""
        self._renewals += 1
        self._renewal += min(max(_SOON, self._evictions // 8), _LATE)
        self._silence = self._sessions.waiting(self._now)
        if self._began is not None and self._now > self._began:
            self._gap = age_bin((self._now - self._began) / self._requests)
        if self._watched > _FADING * self._tokens:
            self._watched = 0
            self._fade()

    def _fade(self) -> None:
        self._everything.fade()
        for kind in self._kinds.values():
            kind.lifetimes.fade()
        for counts in self._sessions.lifetimes():
            counts.fade()

    def _note(self, node: Node[Any], kind: Kind) -> None:
        """Count what has happened to a leaf since it was noted last."""
        standing = self._standing.get(node.id)
        tokens = node.tokens
        if standing is None:
            if kind.returns is None:
                self._begin(kind, self._now - node.used, tokens)
        else:
            before, used = standing
            if node.used > used:
                if before.returns is None:
                    before.lifetimes.use(node.used - used, tokens)
                if kind.returns is None:
                    self._begin(kind, 0.0, tokens)
            elif before is not kind:
                if before.returns is None:
                    before.lifetimes.end(self._now - used, tokens)
                if kind.returns is None:
                    self._begin(kind, self._now - used, tokens)
            else:
                return
        self._standing[node.id] = (kind, node.used)

    def _begin(self, kind: Kind, age: float, tokens: int) -> None:
        kind.lifetimes.begin(age, tokens)
        self._watched += tokens

    def _sort(self) -> None:
        """Take in what has come since the last eviction, and put its leaves into their groups."""
        if not self._deferring:
            return
        news, self._news = self._news, []
        for arrival in news:
            self._learn(arrival)
        self._deferring = False
        unsorted, self._unsorted = self._unsorted, []
        for leaf in unsorted:
            self.again(leaf)
        for kind in list(self._aging):
            self._age(kind)

    def _learn(self, arrival: _Arrival) -> None:
        node, tokens, new, used, hits, above, above_hits = arrival
        self._now = max(self._now, used)
        session = node.origin.session
        if session:
            before = self._sessions.brought(node, used, hits, above, above_hits)
            known = self._sessions.of(node)
            assert known is not None
            known.family.shares[node.origin.role in ANSWERS].begin(0.0, tokens)
            self._watched += tokens
            if before is not None:
                self._share(above, session, used)
                if before is not above and before is not node:
                    self._unsorted.append(before)
        if new and not node.gone:
            ghost = self._ghosts.take(node)
            if ghost is not None:
                kind, owner = ghost.mark
                if kind.returns is None or owner != session:
                    kind.lifetimes.use(used - ghost.used, ghost.tokens)
                    self._shared.add(node.id)
                else:
                    kind.lifetimes.end(used - ghost.used, ghost.tokens)

    def _share(self, node: Node[Any] | None, session: str, now: float) -> None:
        """`session` went through the path down to `node`: what others brought of it is shared."""
        while node is not None and node.parent is not None:
            if node.origin.session != session:
                if node.id in self._shared:
                    break  # and so is what lies above
                self._shared.add(node.id)
                owner = self._sessions.of(node)
                if owner is not None:
                    owner.family.shares[node.origin.role in ANSWERS].use(now - owner.used, node.tokens)
            node = node.parent

    def _age(self, kind: Kind) -> None:
        """Move the leaves on that have reached the age at which their worth begins to fall."""
        now = self._now
        aging = kind.aging
        while aging:
            leaf, used = aging[0]
            if leaf.gone or leaf.used != used or leaf.children or leaf.locks:
                aging.popleft()
            elif now - used >= kind.peak:
                aging.popleft()
                self.again(leaf)
            else:
                return
        self._aging.pop(kind, None)
