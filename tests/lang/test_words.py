"""Importing is light, and the words of the language are checked where they are said."""

from __future__ import annotations

import subprocess
import sys

import pytest

import radixa as rx
from radixa.core.errors import InvalidRequest
from radixa.lang.expressions import Gen, Select, Sequence, Text

PROGRAM = """
import sys
before = set(sys.modules)
import radixa as sgl
light = set(sys.modules) - before
@sgl.function
def f(s): s += sgl.user(sgl.gen("x"))
heavy = {"torch", "numpy", "openai", "anthropic", "httpx", "aiohttp", "sqlalchemy", "tenacity", "rich", "jinja2"}
print(sorted(m for m in light if m.startswith("radixa.")), sorted(heavy & set(sys.modules)))
"""


def test_importing_loads_nothing_and_the_language_nothing_heavy() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert found.stdout == "[] []\n"


def test_every_name_is_there() -> None:
    for name in rx.__all__:
        assert getattr(rx, name) is not None
        assert name in dir(rx)
    with pytest.raises(AttributeError, match="no attribute 'gem'"):
        rx.gem  # noqa: B018


def test_texts_and_words_add_up() -> None:
    found = "a" + rx.gen("x") + "b" + "c"
    assert isinstance(found, Sequence)
    assert [type(part) for part in found.parts] == [Text, Gen, Text, Text]


def test_gen_with_choices_selects() -> None:
    found = rx.gen("x", choices=["a", "b"], choices_method=rx.greedy_token_selection)
    assert isinstance(found, Select)
    assert found.method is rx.greedy_token_selection


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: rx.gen("x", regex="a", dtype=int), "regex and dtype"),
        (lambda: rx.gen("x", logprob_start_len=0), "logprob_start_len"),
        (lambda: rx.select("x", choices=[]), "one or more texts"),
        (lambda: rx.select("x", choices="ab"), "one or more texts"),
        (lambda: rx.select("x", choices=["a"], temperature=0.5), "Expected 0"),
        (lambda: rx.user("a") + 3, "int cannot be appended"),
    ],
)
def test_what_is_wrong_is_said_at_once(wrong: object, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        wrong()  # type: ignore[operator]
