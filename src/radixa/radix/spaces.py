"""The namespaces of a tree."""

from __future__ import annotations

from typing import Generic

from radixa.radix.base import Origin, P
from radixa.radix.node import Node


class Space(Generic[P]):
    """A namespace: a root of its own, so that no two ever meet, and what lies beneath it."""

    __slots__ = ("name", "root", "tokens")

    def __init__(self, name: str, payload: P) -> None:
        self.name = name
        self.tokens = 0
        self.root: Node[P] = Node(0, None, b"", payload, self, 0, Origin(), 0.0, 0.0)


class Spaces(dict[str, Space[P]]):
    """By name; none of them is empty."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, set[str]] = {}
        """The names of these namespaces, by account."""

    def enter(self, space: Space[P]) -> None:
        """It gets its first tokens."""
        self[space.name] = space
        self.accounts.setdefault(account(space.name), set()).add(space.name)

    def leave(self, space: Space[P]) -> None:
        """It has lost its last tokens."""
        del self[space.name]
        owner = account(space.name)
        self.accounts[owner].remove(space.name)
        if not self.accounts[owner]:
            del self.accounts[owner]

    def roots(self, namespace: str | None) -> list[Node[P]]:
        """The roots of one namespace and those beneath it, or of all."""
        return [space.root for space in self.values() if beneath(space.name, namespace)]


def account(namespace: str) -> str:
    """Whose a namespace is: its name up to the first `/`."""
    return namespace.partition("/")[0]


def beneath(name: str, namespace: str | None) -> bool:
    """Whether `name` is `namespace` or lies beneath it ("account/salt" beneath "account"); None has all beneath it."""
    return namespace is None or name == namespace or name.startswith(namespace + "/")
