"""Texts of others: shown, and never obeyed by the terminal or read as Rich's markup."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.cli.common import console, printable, progress_bars, to_json

HOSTILE = "\x1b[31mred\x1b]0;title\x07 \x9b2J \r \x7f \u202egnirts \ud800"


@given(st.text(st.characters(), max_size=50))
def test_what_is_printable_obeys_nothing_and_fits_any_output(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert not [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cs")]
    shown.encode()
    assert printable(shown) == shown
    safe = [sign for sign in text if unicodedata.category(sign) not in ("Cc", "Cs", "Cf")]
    assert [sign for sign in safe if sign not in shown] == []


def test_signs_stand_for_control_characters() -> None:
    assert printable(HOSTILE) == "␛[31mred␛]0;title␇ �2J ␍ ␡ �gnirts �"
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb␛"
    assert printable("Ω 漢字 👩‍👩‍👧 é") == "Ω 漢字 👩‍👩‍👧 é"


def test_json_is_exact_and_as_harmless() -> None:
    text = to_json({"name": HOSTILE, "Ω": ["漢"]})
    assert json.loads(text) == {"name": HOSTILE, "Ω": ["漢"]}
    assert not [sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs") and sign != "\n"]
    assert "漢" in text


@pytest.mark.parametrize("name", ["[/x]", "[red]x", "[link=http://x]y[/link]", ":key:"])
def test_a_name_is_no_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table(name, box=None)
    table.add_row(name)
    console().print(table)
    console().print(name)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [name, name, name]


def test_where_stderr_is_no_terminal_each_stage_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        for what in ("loading", "measuring"):
            for done in range(3):
                progress(what, done, 2)
    assert capsys.readouterr().err == "loading …\nmeasuring …\n"
