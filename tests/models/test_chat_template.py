"""Prompts from messages, by the templates that models carry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radixa.core.base import Message
from radixa.core.errors import InvalidRequest, ModelError
from radixa.models.chat_template import load_chat_template

CHATML = (
    "{% for message in messages %}\n"
    "    {%- if message.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}\n"
    "{{ bos_token if loop.first }}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}\n"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def render(folder: Path, source: str, *messages: Message, add_generation_prompt: bool = True, **config: object) -> str:
    (folder / "chat_template.jinja").write_text(source)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return load_chat_template(folder).render(messages, add_generation_prompt=add_generation_prompt)


def test_equals_transformers(tmp_path: Path) -> None:
    """White space, special tokens and helpers as `apply_chat_template` gives them."""
    import tokenizers
    import transformers

    source = (
        CHATML + "{{ {'b': 'é<>', 'a': [1]} | tojson }}{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}"
    )
    source += (
        "{{ i }}{% endfor %}{% generation %}  x{% endgeneration %}{{ tools is none }}{{ strftime_now('%Y') | length }}"
    )
    messages = [Message("system", "Be brief. <&>"), Message("user", "  hi\n")]
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()), bos_token="<s>"
    )
    for generation in (True, False):
        expected = fast.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in messages],
            chat_template=source,
            tokenize=False,
            add_generation_prompt=generation,
        )
        assert render(tmp_path, source, *messages, add_generation_prompt=generation, bos_token="<s>") == expected


def test_special_tokens_may_be_objects(tmp_path: Path) -> None:
    assert render(tmp_path, "{{ eos_token }}", eos_token={"content": "</s>", "special": True}) == "</s>"
    assert render(tmp_path, "{{ eos_token }}|") == "|"


def test_the_name_is_passed_where_there_is_one(tmp_path: Path) -> None:
    source = "{% for m in messages %}{{ m.name | default('-') }}{% endfor %}"
    assert render(tmp_path, source, Message("user", "a", name="Ann"), Message("user", "b")) == "Ann-"


def test_the_templates_own_refusal_reaches_the_user(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no tools here") as caught:
        render(tmp_path, CHATML, Message("tool", "x"))
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[5].content }}",
        "{{ 1 + messages[0].content }}",
        "{{ messages.append(1) }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.mro() }}",
        "{% include 'other' %}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_a_refusal(source: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="chat template"):
        render(tmp_path, source, Message("user", "x"))


def test_where_the_template_is_found(tmp_path: Path) -> None:
    def rendered(config: object) -> str:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
        return load_chat_template(tmp_path).render([Message("user", "x")])

    assert rendered({"chat_template": "one"}) == "one"
    named = [{"name": "tool_use", "template": "two"}, {"name": "default", "template": "three"}]
    assert rendered({"chat_template": named}) == "three"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "four"}))
    assert rendered({"chat_template": "one"}) == "four"
    (tmp_path / "chat_template.jinja").write_text("five")
    assert rendered({"chat_template": "one"}) == "five"


def test_a_model_without_a_template_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="has no chat template; send a plain prompt"):
        load_chat_template(tmp_path).render([Message("user", "x")])


def test_a_template_that_is_not_jinja(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"line 2"):
        render(tmp_path, "a\n{% if %}")
