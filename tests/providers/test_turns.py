"""Where a template put each message, in characters and in tokens."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import Message
from radixa.core.tokens import unpack
from radixa.models.chat_template import FolderChatTemplate
from radixa.models.tokenizer import FolderTokenizer
from radixa.providers.local.prompt import Prompt, of_messages, of_text
from radixa.providers.local.turns import Turn, spans, turns
from tests.gateway.fakes import ByteTokenizer

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n"
    "{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TRIMMED = CHATML.replace("m.content", "(m.content | trim)")
SYSTEM_LAST = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.last and messages[0].role == 'system' %}"
    "{{ messages[0].content + '\n\n' }}{% endif %}{{ m.content }} [/INST]{% elif m.role == 'assistant' %}"
    " {{ m.content }}</s>{% endif %}{% endfor %}"
)
THOUGHTLESS = CHATML.replace("m.content", "m.content.split('</think>')[-1].lstrip('\n')")
QUOTED = "{% for m in messages %}{{ m.content | tojson }}\n{% endfor %}"
PICKY = (
    "{% for m in messages %}{% if 'x' not in m.content %}{{ raise_exception('x!') }}{% endif %}{{ m.content }}"
    "{% endfor %}"
)


@cache
def template(source: str) -> FolderChatTemplate:
    return FolderChatTemplate(source, {}, Path("nowhere"))


def found(source: str, *messages: Message, opened: bool = True) -> tuple[str, list[Turn]]:
    given = template(source)
    text = given.render(messages, add_generation_prompt=opened)
    return text, turns(given, messages, text, add_generation_prompt=opened)


def contents(source: str, *messages: Message, opened: bool = True) -> list[tuple[int, str]]:
    text, places = found(source, *messages, opened=opened)
    return [(turn.message, text[turn.start : turn.end]) for turn in places]


SYSTEM, USER, ANSWER = Message("system", "Be brief."), Message("user", " hi "), Message("assistant", "yes")


@pytest.mark.parametrize("opened", [True, False])
def test_as_it_is(opened: bool) -> None:
    assert contents(CHATML, SYSTEM, USER, ANSWER, opened=opened) == [(0, "Be brief."), (1, " hi "), (2, "yes")]


def test_a_default_system_prompt_is_the_templates_own() -> None:
    text, (turn,) = found(CHATML, Message("user", "Be kind."))
    assert text.count("Be kind.") == 2
    assert text[: turn.start].count("Be kind.") == 1
    assert text[turn.start : turn.end] == "Be kind."


def test_trimmed() -> None:
    assert contents(TRIMMED, SYSTEM, USER) == [(0, "Be brief."), (1, "hi")]


def test_a_word_of_the_template_is_no_message() -> None:
    text, places = found(CHATML, Message("system", "user"), Message("user", "assistant"), Message("assistant", "user"))
    assert [text[turn.start - 1 : turn.end] for turn in places] == ["\nuser", "\nassistant", "\nuser"]


def test_moved() -> None:
    assert contents(SYSTEM_LAST, SYSTEM, USER, ANSWER, Message("user", "more")) == [
        (1, " hi "),
        (2, "yes"),
        (0, "Be brief."),
        (3, "more"),
    ]


def test_thoughts_that_the_template_leaves_out() -> None:
    asked = [USER, Message("assistant", "<think>\nhm\n</think>\n\nyes"), Message("user", "sure?")]
    assert contents(THOUGHTLESS, *asked) == [(0, " hi "), (1, "yes"), (2, "sure?")]


def test_what_cannot_be_found_is_missing() -> None:
    assert contents(QUOTED, Message("user", 'a "b"'), Message("user", "c")) == [(1, "c")]


def test_a_template_that_refuses_the_marks() -> None:
    assert contents(PICKY, Message("user", "axe"), Message("user", "xylophone")) == [(0, "axe"), (1, "xylophone")]


def test_many_that_cannot_be_found_cost_little() -> None:
    """Each is a search of the whole text, so after some of them no more are looked for."""
    assert contents(QUOTED, *[Message("user", f'"{i}"') for i in range(16)], Message("user", "found")) == []


WORDS = st.text(st.sampled_from("ab \n\x00é0"), max_size=6)


@settings(deadline=None)
@given(st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), WORDS), min_size=1, max_size=6))
def test_whatever_the_contents(messages: list[Message]) -> None:
    text, places = found(CHATML, *messages)
    assert [turn.message for turn in places] == list(range(len(messages)))
    assert [text[turn.start : turn.end] for turn in places] == [message.content for message in messages]
    # What is left are the template's words alone.
    ends = [0, *(turn.end for turn in places)]
    between = [text[end : turn.start] for end, turn in zip(ends, places, strict=False)]
    assert between[1:] == [f"<|im_end|>\n<|im_start|>{message.role}\n" for message in messages[1:]]


def roles(*messages: Message, source: str = CHATML) -> list[tuple[str, str]]:
    text, places = found(source, *messages)
    pieces, start = [], 0
    for end, role in spans(places, messages, text):
        pieces.append((role, text[start:end]))
        start = end
    return pieces


def test_the_words_before_a_message_are_of_its_span() -> None:
    assert roles(SYSTEM, Message("tool", "{}"), Message("function", "[]"), Message("other", "?")) == [
        ("system", "<|im_start|>system\nBe brief."),
        ("tool", "<|im_end|>\n<|im_start|>tool\n{}"),
        ("tool", "<|im_end|>\n<|im_start|>function\n[]"),
        ("", "<|im_end|>\n<|im_start|>other\n?"),
    ]


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ("<think>a</think>b", [("assistant", ""), ("thinking", "<think>a</think>"), ("assistant", "b")]),
        ("a<think>b</think>", [("assistant", "a"), ("thinking", "<think>b</think>")]),
        ("<think>never ends", [("assistant", ""), ("thinking", "<think>never ends")]),
        ("no </think> here", [("assistant", "no </think> here")]),
    ],
)
def test_thoughts_are_spans_of_their_own(content: str, pieces: list[tuple[str, str]]) -> None:
    opening = "<|im_end|>\n<|im_start|>assistant\n"
    expected = [(pieces[0][0], opening + pieces[0][1]), *pieces[1:]]
    assert roles(SYSTEM, Message("assistant", content))[1:] == expected
    # Nobody else thinks aloud.
    assert [role for role, _ in roles(SYSTEM, Message("user", content))] == ["system", "user"]


def prompt(*messages: Message, source: str = CHATML) -> Prompt:
    given = template(source)
    text = given.render(messages)
    return of_messages(ByteTokenizer(), given, messages, text, add_generation_prompt=True)  # type: ignore[arg-type]


def test_in_tokens() -> None:
    made = prompt(Message("system", "é"), Message("user", ""), Message("user", "ab"))
    opening = len("<|im_start|>system\n")
    words = len("<|im_end|>\n<|im_start|>user\n")
    first = (opening, opening + 2)
    second = (first[1] + words, first[1] + words)
    third = (second[1] + words, second[1] + words + 2)
    assert made.turns == (Turn(*first, 0), Turn(*second, 1), Turn(*third, 2))
    assert made.spans == ((first[1], "system"), (second[1], "user"), (third[1], "user"))
    assert made.opening == opening
    at = {
        opening - 1: None,
        opening: 0,
        opening + 1: 0,
        opening + 2: None,
        second[0]: None,
        third[0]: 2,
        third[1]: None,
    }
    assert {token: turn.message if (turn := made.turn(token)) else None for token in at} == at


def test_plain_text_has_no_turns() -> None:
    assert of_text(ByteTokenizer(), "ab") == Prompt(ByteTokenizer().encode("ab"))  # type: ignore[arg-type]


def bpe(folder: Path, *, bos: bool) -> FolderTokenizer:
    """A real tokenizer, whose tokens run over the borders of words."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    special = ["<s>", "<|im_start|>", "<|im_end|>"]
    made.train_from_iterator(
        ["system user assistant hello there Be brief. naïve é" * 9],
        tokenizers.trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=special,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if bos:
        made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    made.save(str(folder / "tokenizer.json"))
    return FolderTokenizer(folder / "tokenizer.json")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "bos"])
def tokenizer(request: Any, tmp_path_factory: pytest.TempPathFactory) -> FolderTokenizer:
    return bpe(tmp_path_factory.mktemp("bpe"), bos=request.param)


@settings(deadline=None)
@given(text=st.text(st.sampled_from("hello é日 \n<|im_end|>"), max_size=40), data=st.data())
def test_places_in_a_real_tokenizer(tokenizer: FolderTokenizer, text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    ids, tokens = tokenizer.locate(text, places)
    assert ids == tokenizer.encode(text)
    (opening,) = tokenizer.locate(text, [0])[1]
    raw = [tokenizer.token_bytes(token_id) for token_id in unpack(ids)[opening:]]
    for place, token in zip(places, tokens, strict=True):
        # Those that begin before the place reach it, and without the last of them they do not.
        before, wanted = raw[: token - opening], len(text[:place].encode())
        assert len(b"".join(before)) >= wanted
        assert not before or len(b"".join(before[:-1])) < wanted


def test_a_message_in_a_real_tokenizer(tokenizer: FolderTokenizer) -> None:
    given = template(CHATML)
    messages = [Message("system", "Be brief."), Message("user", "hello there")]
    text = given.render(messages)
    made = of_messages(tokenizer, given, messages, text, add_generation_prompt=True)
    ids = unpack(made.token_ids)
    told = [tokenizer.decode(ids[turn.start : turn.end]) for turn in made.turns]
    assert told == ["Be brief.", "hello there"]
    assert [role for _, role in made.spans] == ["system", "user"]
    assert tokenizer.decode(ids[: made.opening], skip_special=False).endswith("<|im_start|>system\n")
