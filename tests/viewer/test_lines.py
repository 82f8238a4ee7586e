from __future__ import annotations

from radixa.viewer.lines import marks


def test_what_keeps_a_node_in_a_word_each() -> None:
    node = {"pin": True, "priority": True, "expiry": 59.7, "role": "system", "session_id": "<b>\x1b[2J"}
    assert marks(node) == ["pinned", "high priority", "kept 60 s", "system", "session <b>␛[2J"]
    assert marks({"pin": False, "expiry": None, "role": "", "session_id": None}) == []
