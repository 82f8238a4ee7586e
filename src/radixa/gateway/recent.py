"""The last requests of each account as the engine answered them: what of their prompts hit, and where they missed.

Kept in memory alone, and only of prompts that the cache may keep too; dropping anything of an account's cache forgets
all of these.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from radixa.core.base import Usage
from radixa.providers.local.prompt import Prompt

MOST = 20
"""Requests of one account."""
ACCOUNT_BYTES = 4 << 20
"""Of one account's prompts, as token ids."""
ALL_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with one prompt, after its answer."""

    request_id: str
    created: float
    """Unix seconds."""
    model: str
    api: str
    session: str
    prompt: Prompt
    usage: Usage

    @property
    def size(self) -> int:
        return len(self.prompt.token_ids)


class Recent:
    """By account, the one that asked longest ago first."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, list[Answered]] = OrderedDict()
        self._bytes = 0

    def note(self, account: str, answered: Answered) -> None:
        own = self._accounts.setdefault(account, [])
        self._accounts.move_to_end(account)
        if answered.size > ACCOUNT_BYTES:
            return
        own.append(answered)
        self._bytes += answered.size
        while len(own) > MOST or sum(one.size for one in own) > ACCOUNT_BYTES:
            self._bytes -= own.pop(0).size
        while self._bytes > ALL_BYTES:
            _, gone = self._accounts.popitem(last=False)
            self._bytes -= sum(one.size for one in gone)

    def of(self, account: str) -> list[Answered]:
        """Newest first."""
        return self._accounts.get(account, [])[::-1]

    def forget(self, account: str | None = None) -> None:
        """What one account asked, or all did."""
        gone = [account] if account is not None else list(self._accounts)
        for name in gone:
            self._bytes -= sum(one.size for one in self._accounts.pop(name, []))
