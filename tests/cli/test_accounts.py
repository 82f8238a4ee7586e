from __future__ import annotations

import json
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.store.sql import open_store

from .conftest import Radixa
from .serving import served


def test_create_list_credit(radixa: Radixa, home: Path) -> None:
    made = json.loads(radixa("accounts", "create", "research", "--rpm", "5", "--json").out)
    assert (made["name"], made["rpm"], made["granted_usd"], made["credit_limit_usd"]) == ("research", 5, 1.0, 0.0)
    assert radixa("accounts", "create", "big", "--unlimited").out.startswith("acct_")
    again = [radixa("accounts", "credit", "research", "2.5", "--once", "invoice-1").out for _ in range(2)]
    assert again[0].startswith("2.5 $ added (cred_")
    assert "was added before" in again[1]
    assert radixa("accounts", "credit", made["id"], "-0.5").out.startswith("-0.5 $ added")
    found = {account["name"]: account for account in json.loads(radixa("accounts", "list", "--json").out)}
    assert found["research"]["granted_nano_usd"] == 3_000_000_000
    assert found["big"]["credit_limit_usd"] is None
    table = radixa("accounts", "list").out
    assert made["id"] in table
    assert "research" in table


def test_an_account_opened_for_a_key_has_free_credits(
    radixa: Radixa, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADIXA_ACCOUNTS_FREE_CREDITS_USD", "0.25")
    radixa("keys", "create", "first")
    radixa("keys", "create", "laptop", "--account", "research")
    found = {account["name"]: account for account in json.loads(radixa("accounts", "list", "--json").out)}
    assert (found["default"]["granted_usd"], found["default"]["credit_limit_usd"]) == (0.0, None)
    assert (found["research"]["granted_usd"], found["research"]["credit_limit_usd"]) == (0.25, 0.0)


def test_what_cannot_be(radixa: Radixa, home: Path) -> None:
    radixa("accounts", "create", "research")
    for arguments, message in [
        (("create", "research"), "already an account named"),
        (("credit", "nobody", "1"), "no account 'nobody'"),
        (("credit", "research", "0"), "other than 0"),
        (("credit", "research", "0.00000000001"), "nine decimals"),
    ]:
        found = radixa("accounts", *arguments)
        assert (found.code, message in found.err) == (1, True)
    radixa("accounts", "credit", "research", "1", "--once", "a")
    assert "has added another entry" in radixa("accounts", "credit", "research", "2", "--once", "a").err
    assert radixa("accounts", "create", "x", "--unlimited", "--credit-limit", "3").code == 2


def test_of_a_server(radixa: Radixa, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        made = json.loads(radixa("accounts", "create", "acme", "--url", url, "--json").out)
        assert radixa("accounts", "credit", "acme", "3", "--once", "a b", "--url", url).out.startswith("3 $ added")
        assert "acme" in radixa("accounts", "list", "--url", url).out
    store = open_store(StoreConfig(), tmp_path / "radixa.db")
    assert store.granted(made["id"]) == {made["id"]: 4_000_000_000}
    actions = [entry.action for entry in store.audit(account_id=made["id"])]
    store.close()
    assert actions == ["credit.add", "account.create"]
