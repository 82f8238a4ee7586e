from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from radixa.cli.common import printable
from radixa.store.secrets import digest

from .conftest import Radixa


def test_create_list_revoke(radixa: Radixa, home: Path) -> None:
    secret = radixa("keys", "create", "laptop", "--account", "research").out.strip()
    assert secret.startswith("rx-")
    made = json.loads(radixa("keys", "create", "--admin", "--json").out)
    assert made["admin"] is True
    assert made["name"] == "key"

    listed = radixa("keys", "list", "--json").out
    assert secret not in listed
    assert digest(secret) not in listed
    keys = json.loads(listed)
    assert [key["name"] for key in keys] == ["laptop", "key"]
    # The first account there is: made by the first command, and taken by the second.
    assert keys[0]["account_id"] == keys[1]["account_id"]
    assert len(json.loads(radixa("keys", "list", "--account", "research", "--json").out)) == 2

    laptop = keys[0]["id"]
    assert radixa("keys", "revoke", laptop).out == f"{laptop} is revoked\n"
    states = {key["id"]: key["revoked"] for key in json.loads(radixa("keys", "list", "--json").out)}
    assert states[laptop] is not None
    assert states[made["id"]] is None


def test_the_table_has_whole_ids(radixa: Radixa) -> None:
    made = json.loads(radixa("keys", "create", "a name that is rather long for a column", "--json").out)
    shown = radixa("keys", "list").out
    assert made["id"] in shown
    assert made["account_id"] in shown
    assert made["key"] not in shown


def test_the_first_key_is_an_administrators(radixa: Radixa) -> None:
    first = radixa("keys", "create", "laptop", "--json")
    assert json.loads(first.out)["admin"] is True
    assert "no administrator's key yet, so this is one" in first.err
    second = radixa("keys", "create", "phone", "--json")
    assert (json.loads(second.out)["admin"], second.err) == (False, "")
    # With the only one gone, the next is one again.
    radixa("keys", "revoke", json.loads(first.out)["id"])
    assert json.loads(radixa("keys", "create", "--json").out)["admin"] is True


def test_the_last_administrators_key_goes_with_a_warning(radixa: Radixa) -> None:
    first, second = (json.loads(radixa("keys", "create", "--admin", "--json").out)["id"] for _ in range(2))
    assert radixa("keys", "revoke", first).err == ""
    gone = radixa("keys", "revoke", second)
    assert gone.code == 0
    assert "No administrator's key works any more" in gone.err
    assert "radixa keys create" in gone.err


def test_accounts_are_listed_by_name(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(radixa("keys", "create", "--account", "research", "--json").out)
    assert made["account"] == "research"
    assert json.loads(radixa("keys", "list", "--json").out)[0]["account"] == "research"
    heading, row = radixa("keys", "list").out.splitlines()
    assert "account id" in heading
    assert " research " in row
    assert made["account_id"] in row
    assert json.loads(radixa("keys", "revoke", made["id"], "--json").out)["account"] == "research"


@pytest.mark.parametrize("name", ["[/x]", ":key:", "\x1b[31mred\x1b]0;title\x07"])
def test_a_name_is_shown_and_not_obeyed(radixa: Radixa, name: str) -> None:
    radixa("keys", "create", name, "--account", name)
    shown = radixa("keys", "list")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count(printable(name)) == 2
    assert "\x1b" not in shown.out
    assert json.loads(radixa("keys", "list", "--json").out)[0]["name"] == name
    missing = radixa("keys", "list", "--account", f"{name}?")
    assert missing.err == f"radixa: There is no account '{printable(name)}?'.\n"


def test_an_accounts_name_is_not_taken_for_an_id(radixa: Radixa) -> None:
    found = radixa("keys", "create", "--account", "acct_mine")
    assert found.code == 1
    assert "no account 'acct_mine'" in found.err


def test_terms(radixa: Radixa) -> None:
    before = int(time.time())
    options = ["--expires", "30d", "--model", "gpt-4.1", "--model", "o3", "--budget-day", "0.5", "--rpm", "10"]
    made = json.loads(radixa("keys", "create", "ci", *options, "--json").out)
    assert before + 30 * 86_400 <= made["expires"] <= int(time.time()) + 30 * 86_400
    assert (made["models"], made["budget_day_usd"], made["rpm"], made["tpm"]) == (["gpt-4.1", "o3"], 0.5, 10, None)
    assert not made["force_include_usage"]
    options = ["--concurrency", "2", "--force-include-usage"]
    stream = json.loads(radixa("keys", "create", "langchain", *options, "--json").out)
    assert (stream["concurrency"], stream["force_include_usage"]) == (2, True)
    radixa("keys", "revoke", stream["id"])
    radixa("keys", "create", "old", "--expires", "2020-01-31")
    listed = json.loads(radixa("keys", "list", "--json").out)
    assert [key["expires"] for key in listed] == [made["expires"], None, 1_580_428_800]
    assert radixa("keys", "list").out.splitlines()[3].split()[-1] == "expired"
    wrong = radixa("keys", "create", "--expires", "soon")
    assert wrong.code == 2
    assert "expected a day such as 2027-01-31" in " ".join(wrong.err.split())
