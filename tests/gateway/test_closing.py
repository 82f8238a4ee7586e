"""The end of a gateway."""

from __future__ import annotations

import pytest

from radixa.core.errors import LedgerUnavailable
from radixa.store.ledger.base import LedgerRow
from tests.gateway.conftest import Build
from tests.gateway.fakes import FakeEngine


class Stuck(FakeEngine):
    """Its first `close` fails."""

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            raise OSError("its process cannot be ended")


async def test_one_part_that_cannot_be_closed_keeps_no_other_open(build: Build) -> None:
    world = build(Stuck())
    row = LedgerRow(request_id="req_1", created=1.0, account_id="a", model="m", served_by="m", provider="p", api="chat")
    world.gateway.ledger.append(row)
    with pytest.raises(OSError, match="cannot be ended"):
        await world.gateway.close()
    assert world.gateway.ledger.waiting == 0
    with pytest.raises(LedgerUnavailable):
        world.gateway.ledger.append(row)
