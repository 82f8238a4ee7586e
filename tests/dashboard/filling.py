"""A ledger to look at, and names that are markup."""

from __future__ import annotations

import random
import time

from radixa.store.first import ensure_first_account
from radixa.store.ledger.base import LedgerRow
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import SqlStore

BAD = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"{{7*7}}'


def fill(store: SqlStore) -> None:
    """Three weeks of two accounts, whose hit rate grows; and names that are markup."""
    own, acme = ensure_first_account(store), store.create_account("acme")
    keys = [store.create_key(account.id, name)[0] for account, name in ((own, BAD), (acme, "production"))]
    chance = random.Random(3)
    rows = []
    for number in range(600):
        age = 21 * chance.random()
        prompt = chance.randrange(400, 6_000)
        cached = int(prompt * (0.9 - 0.03 * age))
        which = chance.randrange(2)
        rows.append(
            LedgerRow(
                request_id=f"req_{number}", created=time.time() - 86_400 * age, account_id=(own, acme)[which].id,
                key_id=keys[which].id, session_id=BAD, model=chance.choice(["deepseek-chat", "gpt-4.1", BAD]),
                served_by="m", provider="p", api="chat", prompt_tokens=prompt, cached_tokens=cached,
                completion_tokens=chance.randrange(20, 300), cost_nano_usd=(prompt - cached) * 280 + cached * 28,
                saved_nano_usd=cached * 252, ttft_ms=40 + (prompt - cached) * 0.2,
            )
        )  # fmt: skip
    SqlLedger(store.engine).add(rows)
