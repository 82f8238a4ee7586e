"""What the loop knows of the files, without asking the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from radixa.kv.tiers.index import Entry


class View:
    """The blocks of one model that are on disk, by name. Whoever calls holds the tier's lock, but for `count`."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._usage: dict[bytes, tuple[int, int]] = {}
        """Blocks and bytes by tag of a namespace or an account."""

    def count(self, names: Sequence[bytes], start: int) -> int:
        """Consecutive blocks that are there, from index `start` on."""
        at = start
        while at < len(names) and names[at] in self.entries:
            at += 1
        return max(0, at - start)

    def alone(self, names: Sequence[bytes]) -> int:
        """As `Tier.alone`. Looks at every block: deletions are rare."""
        inner = set(names[:-1])
        branches = {
            entry.parent for entry in self.entries.values() if entry.parent in inner and entry.name not in names
        }
        at = len(names) - 1
        while at > 0 and names[at - 1] not in branches:
            at -= 1
        return at

    def usage(self, tag: bytes) -> tuple[int, int]:
        """Blocks and bytes of the namespace or the account with this tag."""
        return self._usage.get(tag, (0, 0))

    def add(self, entry: Entry) -> None:
        if entry.name not in self.entries:
            self._tally(entry, 1)
        self.entries[entry.name] = entry

    def remove(self, name: bytes) -> None:
        entry = self.entries.pop(name, None)
        if entry is not None:
            self._tally(entry, -1)

    def reset(self, entries: Iterable[Entry]) -> None:
        self._usage.clear()
        # In one step, for whoever counts without the lock.
        self.entries = {entry.name: entry for entry in entries}
        for entry in self.entries.values():
            self._tally(entry, 1)

    def touch(self, names: Iterable[bytes], session: bytes) -> None:
        """As `Index.touch`."""
        for name in names:
            entry = self.entries.get(name)
            if entry is not None and entry.session not in (b"", session):
                self.entries[name] = entry._replace(session=b"")

    def fitting(
        self, space: bytes | None, account: bytes | None, session: bytes | None, prefix: bytes | None
    ) -> set[bytes]:
        """As `Index.fitting`, by name. Looks at every block: deletions are rare."""
        gone = {
            entry.name
            for entry in self.entries.values()
            if (space is None or entry.space == space)
            and (account is None or entry.account == account)
            and (session is None or entry.session == session)
            and (prefix is None or prefix in (entry.name, entry.parent))
        }
        children: dict[bytes, list[bytes]] = {}
        for entry in self.entries.values():
            children.setdefault(entry.parent, []).append(entry.name)
        pending = list(gone)
        while pending:
            for child in children.get(pending.pop(), ()):
                if child not in gone:
                    gone.add(child)
                    pending.append(child)
        return gone

    def _tally(self, entry: Entry, sign: int) -> None:
        for tag in (entry.space, entry.account):
            blocks, size = self._usage.get(tag, (0, 0))
            if blocks + sign:
                self._usage[tag] = (blocks + sign, size + sign * entry.bytes)
            else:
                del self._usage[tag]
