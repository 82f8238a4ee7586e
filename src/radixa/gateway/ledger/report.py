"""`/v1/usage` as an object (CONTRACT 3.4): what the route answers and `radixa usage` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from radixa.core.errors import InvalidRequest, shown
from radixa.gateway.request import integer
from radixa.store.ledger.base import Group, GroupBy, LedgerRow, Query, Totals, added
from radixa.store.ledger.sql import SqlLedger

PARAMETERS = ("since", "until", "limit", "before", "group_by", "include", "account")
EVERYONE = "*"
"""In place of an account: all of them."""
LIMIT = 100
MOST = 1_000
_FIELD: dict[GroupBy, str] = {
    "model": "model",
    "key": "key_id",
    "session": "session_id",
    "day": "day",
    "account": "account_id",
}
_SECONDS = re.compile(r"\d{1,11}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks for; `account` as it names it, None for the caller's own."""

    since: float | None
    until: float | None
    limit: int
    before: str | None
    group_by: GroupBy | None
    blocks: bool
    account: str | None


def wanted(query: Mapping[str, str]) -> Wanted:
    """The parameters of `/v1/usage`. InvalidRequest names the one that cannot be."""
    for name in query:
        if name not in PARAMETERS:
            raise InvalidRequest(
                f"Unknown parameter: '{shown(name)}'. Usage is asked for with {', '.join(PARAMETERS)}.",
                param=shown(name),
                code="unknown_parameter",
            )
    since, until = _moment(query, "since"), _moment(query, "until")
    if since is not None and until is not None and since >= until:
        raise _invalid("until", query["until"], "a moment after 'since'")
    by = query.get("group_by")
    if by is not None and by not in get_args(GroupBy):
        raise _invalid("group_by", by, f"one of {', '.join(get_args(GroupBy))}")
    before = query.get("before")
    if before is not None and (by is not None or not _name(before)):
        raise _invalid("before", before, "a request's id, and not together with 'group_by'")
    include = query.get("include")
    if include is not None and (include != "blocks" or by is not None):
        raise _invalid("include", include, "'blocks', and not together with 'group_by'")
    account = query.get("account")
    if account is not None and not _name(account):
        raise _invalid("account", account, "an account's name or id")
    return Wanted(
        since=since,
        until=until,
        limit=integer(query, "limit", LIMIT, 1, MOST),
        before=before,
        group_by=by,  # type: ignore[arg-type]  # one of them, as was just seen
        blocks=include is not None,
        account=account,
    )


def report(store: SqlLedger, wish: Wanted, account_id: str | None) -> dict[str, Any]:
    """The answer, of one account or of all. NotFound where the account has no request `before`."""
    query = Query(account_id, None, wish.since, wish.until)
    data: list[dict[str, Any]]
    totals: Totals | None = None
    if wish.group_by is None:
        rows = store.rows(query, limit=wish.limit + 1, before=wish.before, blocks=wish.blocks)
        data = [_row(row, blocks=wish.blocks) for row in rows]
    else:
        groups = store.groups(query, wish.group_by, limit=wish.limit + 1)
        data = [_group(group, wish.group_by) for group in groups]
        if len(groups) <= wish.limit:
            # Each row is in one of them.
            totals = added(group.totals for group in groups)
    return {
        "object": "list",
        "data": data[: wish.limit],
        "totals": _totals(store.totals(query) if totals is None else totals),
        "has_more": len(data) > wish.limit,
    }


def _row(row: LedgerRow, *, blocks: bool) -> dict[str, Any]:
    found = {"object": "usage", **msgspec.structs.asdict(row)}
    return found | {"blocks": row.blocks.hex()} if blocks else {k: v for k, v in found.items() if k != "blocks"}


def _group(group: Group, by: GroupBy) -> dict[str, Any]:
    key = datetime.fromtimestamp(float(group.key), UTC).strftime("%Y-%m-%d") if by == "day" else group.key
    owner = {"account_id": group.account_id} if group.account_id else {}
    return {"object": "usage.group", _FIELD[by]: key, **owner, **_totals(group.totals), "last": group.last}


def _totals(totals: Totals) -> dict[str, Any]:
    """The sums; an amount is null where no price of these requests is known. `ttft_ms` is their average."""
    found = msgspec.structs.asdict(totals) | {"ttft_ms": totals.ttft_ms}
    del found["timed_requests"], found["ttft_us"]
    if totals.requests and totals.unknown_price_requests == totals.requests:
        found |= {"cost_nano_usd": None, "saved_nano_usd": None}
    return found


def _moment(query: Mapping[str, str], name: str) -> float | None:
    """Seconds since 1970 out of a query: as such, or as an ISO date or time, in UTC where it names no offset."""
    text = query.get(name)
    if text is None:
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(
            name, text, "seconds since 1970, or a date or time such as 2026-11-24 or 2026-11-24T10:00:00Z"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _name(text: str) -> bool:
    """Whether it may be that of anything: not every database can even be asked about a zero byte."""
    return bool(text) and "\0" not in text


def _invalid(name: str, text: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{name}': '{shown(text)}'. Expected {expected}.", param=name, code="invalid_value")
