"""What is learned of a template writes conversations as the template itself does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import Message
from radixa.core.errors import InvalidRequest
from radixa.lang.base import ChatFormat, Turn
from radixa.lang.formats import PiecedFormat, RenderedFormat, learned
from radixa.models.chat_template import FolderChatTemplate

CHATML = """{% if messages[0]['role'] != 'system' %}<|im_start|>system
Be good.<|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}
{{ m['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
TRIMMING = """<s>{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}<|end|>{% endfor -%}
{% if add_generation_prompt %}<|assistant|>{% endif %}"""
THINKING = """{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor -%}
{% if add_generation_prompt %}<|assistant|><think>{% endif %}"""
SYSTEM_IN_USER = """{% if messages[0]['role'] == 'system' %}{% set told = messages[0]['content'] + '\\n\\n' %}
{% set rest = messages[1:] %}{% else %}{% set told = '' %}{% set rest = messages %}{% endif %}
{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}
{% if m['role'] == 'user' %}[INST] {{ told if loop.first else '' }}{{ m['content'] }} [/INST]{% else %}
{{ m['content'] }}</s>{% endif %}{% endfor %}"""

TEXTS = st.text(st.characters(codec="ascii", exclude_characters="<|>[]"), min_size=1, max_size=12)


def format_of(source: str) -> tuple[ChatFormat, FolderChatTemplate]:
    template = FolderChatTemplate(source, {}, Path("t"))
    return learned(lambda turns, opened: rendered(template, turns, opened)), template


def rendered(template: FolderChatTemplate, turns: Sequence[Turn], opened: bool) -> str:
    return template.render([Message(*turn) for turn in turns], add_generation_prompt=opened)


def written(form: ChatFormat, turns: Sequence[Turn]) -> str:
    """As a program writes them: turn by turn, and then an answer opened."""
    text = ""
    for count, turn in enumerate(turns):
        text = form.opened(text, turns[:count], turn.role, generating=turn.role == "assistant")
        text += turn.content.strip() if form.trims else turn.content
        text = form.closed(text, turns[: count + 1])
    return form.opened(text, turns, "assistant", generating=True)


@pytest.mark.parametrize(
    ("source", "kind"), [(CHATML, PiecedFormat), (TRIMMING, PiecedFormat), (SYSTEM_IN_USER, RenderedFormat)]
)
@settings(deadline=None)
@given(contents=st.lists(TEXTS, min_size=2, max_size=6), system=st.booleans())
def test_conversations_come_out_as_the_template_writes_them(
    source: str, kind: type, contents: list[str], system: bool
) -> None:
    form, template = format_of(source)
    assert isinstance(form, kind)
    roles = ["user", "assistant"] * 3
    count = len(contents) - (len(contents) - system + 1) % 2
    turns = [Turn("system", contents[0])] if system else []
    turns += [Turn(roles[i], text) for i, text in enumerate(contents[system:count])]
    if not turns or turns[-1].role != "user":
        turns.append(Turn("user", "last"))
        if len(turns) > 1 and turns[-2].role == "user":
            turns.pop()
    assert written(form, turns) == rendered(template, turns, True)


def test_white_space_around_turns_goes_where_the_template_takes_it() -> None:
    assert format_of(TRIMMING)[0].trims
    assert not format_of(CHATML)[0].trims


def test_a_turn_that_a_text_begins_is_opened_as_history_is() -> None:
    """What the template adds for the model to begin with is no part of a turn whose first words are given."""
    form, _ = format_of(THINKING)
    turns = [Turn("user", "hi")]
    assert form.opened("", turns, "assistant", generating=True).endswith("<|assistant|><think>")
    assert form.opened("", turns, "assistant", generating=False).endswith("<|assistant|>")


def test_a_role_that_no_template_knows() -> None:
    for source in (CHATML, SYSTEM_IN_USER):
        with pytest.raises(InvalidRequest, match="'tool'"):
            format_of(source)[0].opened("", [], "tool", generating=False)


def test_text_of_its_own_before_the_turns_of_a_template_in_one_piece() -> None:
    with pytest.raises(InvalidRequest, match="in one piece"):
        format_of(SYSTEM_IN_USER)[0].opened("once", [], "user", generating=False)


def test_a_model_without_a_template_says_so() -> None:
    template = FolderChatTemplate(None, {}, Path("t"))
    form = learned(lambda turns, opened: rendered(template, turns, opened))
    with pytest.raises(InvalidRequest, match="no turn of 'user'"):
        form.opened("", [], "user", generating=False)
