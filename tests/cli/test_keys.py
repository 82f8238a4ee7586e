from __future__ import annotations

import json
from pathlib import Path

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
