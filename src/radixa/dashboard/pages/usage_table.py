"""The table of usage: what was asked for, its columns, its rows in order."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from radixa.dashboard.base import Visit
from radixa.dashboard.figures import share
from radixa.gateway.ledger.report import EVERYONE

_DAY_S = 86_400
RANGES: dict[str, int | None] = {"1": 1, "7": 7, "30": 30, "90": 90, "all": None}
"""Days, today among them."""
GROUPS = ("model", "key", "account", "day", "session")


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    shown: str
    """The filter that makes its text."""
    money: bool = False


COLUMNS = (
    Column("requests", "number"),
    Column("prompt_tokens", "short"),
    Column("cached_tokens", "short"),
    Column("completion_tokens", "short"),
    Column("hit_rate", "percent"),
    Column("ttft_ms", "ms"),
    Column("cost_nano_usd", "money", money=True),
    Column("saved_nano_usd", "money", money=True),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page's address asks for. What it cannot mean is taken for what it is without."""

    by: str
    range: str
    account: str | None
    """An id or `*`; None for the visitor's own."""
    sort: str
    """A column's name, or `name`. Unless asked otherwise days are sorted by date, all else by cost."""
    up: bool
    """The smallest first."""
    admin: bool

    @classmethod
    def of(cls, visit: Visit) -> Asked:
        query, admin = visit.request.query(), visit.known.admin
        by = query.get("by", "model")
        groups = [group for group in GROUPS if admin or group != "account"]
        by = by if by in groups else "model"
        sort = query.get("sort", "")
        known = {"name", *(column.name for column in COLUMNS)}
        return cls(
            by=by,
            range=query.get("range", "30") if query.get("range") in RANGES else "30",
            account=(query.get("account") or EVERYONE) if admin else None,
            sort=sort if sort in known else "name" if by == "day" else "cost_nano_usd",
            up=query.get("up") == "1",
            admin=admin,
        )

    @property
    def groups(self) -> list[str]:
        return [group for group in GROUPS if self.admin or group != "account"]

    @property
    def ranges(self) -> list[str]:
        return list(RANGES)

    @property
    def since(self) -> int | None:
        """Midnight (UTC), so that whole days are asked for."""
        days = RANGES[self.range]
        return None if days is None else (int(time.time()) // _DAY_S - days + 1) * _DAY_S

    def link(self, path: str, **changed: str) -> str:
        """The address of the same table with something else."""
        found = {"by": self.by, "range": self.range, "sort": self.sort, "up": str(int(self.up))}
        if self.account is not None:
            found["account"] = self.account
        return f"{path}?{urlencode(found | changed)}"

    def sorting(self, name: str) -> str:
        """The address that sorts by a column, the other way round where it does already."""
        up = not self.up if self.sort == name else name == "name"
        return self.link("/dashboard/usage", sort=name, up=str(int(up)))

    def direction(self, name: str) -> str:
        """For `aria-sort`."""
        return "none" if self.sort != name else "ascending" if self.up else "descending"


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    detail: str
    """What tells apart two of the same label."""
    values: Mapping[str, Any]

    @classmethod
    def of(cls, label: str, sums: Mapping[str, Any], detail: str = "") -> Row:
        values = {column.name: sums.get(column.name) for column in COLUMNS}
        return cls(label, detail, values | {"hit_rate": share(sums["cached_tokens"], sums["prompt_tokens"])})


_FIELD = {"model": "model", "key": "key_id", "account": "account_id", "day": "day", "session": "session_id"}


def rows_of(groups: Iterable[Mapping[str, Any]], by: str, names: Mapping[str, str]) -> list[Row]:
    """A row a group, in their order."""
    rows = []
    for group in groups:
        key = group[_FIELD[by]]
        name = names.get(key)
        rows.append(Row.of(key if name is None else name, group, "" if name is None else key))
    return rows


def ordered(rows: list[Row], asked: Asked) -> list[Row]:
    """As asked; what is not known comes last."""
    if asked.sort == "name":
        return sorted(rows, key=lambda row: (row.label, row.detail), reverse=not asked.up)
    name = asked.sort
    known = [row for row in rows if row.values[name] is not None]
    unknown = [row for row in rows if row.values[name] is None]
    return sorted(known, key=lambda row: row.values[name], reverse=not asked.up) + unknown
