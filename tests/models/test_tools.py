"""The forms of tool calls: chosen from templates, written by them, held to by grammars, read piece by piece."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llguidance
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import Message, ToolUse
from radixa.core.errors import InvalidRequest
from radixa.core.tokens import unpack
from radixa.engine.grammar import _Vocabulary
from radixa.models.chat_template import FolderChatTemplate
from radixa.models.prepare import prepare
from radixa.models.tokenizer import load_tokenizer
from radixa.models.tools.base import OfferedTool, ToolForm
from radixa.models.tools.hermes import HERMES
from radixa.models.tools.llama import LLAMA
from radixa.models.tools.mistral import MISTRAL
from radixa.models.tools.select import tool_form
from radixa.models.tools.smollm import SMOLLM

# As the families' own templates are built, without what has nothing to do with tools.
QWEN = """\
{%- if tools %}<|im_start|>system
{{ messages[0].content if messages[0].role == 'system' }}<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
For each call return <tool_call>\n{"name": <name>, "arguments": <object>}\n</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.tool_calls %}<|im_start|>assistant
{{ message.content }}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% elif message.role != 'system' or not tools %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
LLAMA3 = """\
{%- for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>
{% if 'tool_calls' in message %}
{%- if message.tool_calls | length != 1 %}{{ raise_exception("only single tool-calls at once!") }}{% endif %}
{%- set call = message.tool_calls[0].function %}
{{- '{"name": "' + call.name + '", "parameters": ' }}{{ call.arguments | tojson }}{{ "}" }}<|eot_id|>
{%- else %}{{ message.content }}{% if loop.first and tools %}
Respond with {"name": function name, "parameters": dictionary of argument name and its value}.
{% for tool in tools %}{{ tool | tojson(indent=4) }}{% endfor %}{% endif %}<|eot_id|>{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}"""
MISTRAL3 = """\
{{ bos_token }}{% for message in messages %}
{%- if message.role == 'user' %}
{%- if tools and loop.first %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{{- '[INST]' + message.content + '[/INST]' }}
{%- elif message.tool_calls is defined and message.tool_calls is not none %}[TOOL_CALLS][
{%- for call in message.tool_calls %}
{%- if call.id | length != 9 %}{{ raise_exception("ids should be alphanumeric with length 9!") }}{% endif %}
{{- '{"name": "' + call.function.name + '", "arguments": ' }}{{ call.function.arguments | tojson }}
{{- ', "id": "' + call.id + '"}' }}
{%- if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}
{%- elif message.role == 'tool' %}
{%- if message.tool_call_id | length != 9 %}{{ raise_exception("ids too!") }}{% endif %}
{{- '[TOOL_RESULTS]{"content": ' + message.content + ', "call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
{%- else %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"""
PLAIN = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"

WEATHER = OfferedTool(
    "get_weather",
    "The weather.",
    {"properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}}},
)
CLOCK = OfferedTool('say "now", "arguments": x', "A name that looks like what is around it.", {})
TOOLS = [WEATHER, CLOCK]
FORMS = [HERMES, LLAMA, MISTRAL, SMOLLM]
DIALOGUE = [
    Message("user", "Weather?"),
    Message(
        "assistant", "", tool_calls=(ToolUse("call_0123456789", "get_weather", msgspec.Raw(b'{"city": "S\xc3\xa3o"}')),)
    ),
    Message("tool", "21", "get_weather", tool_call_id="call_0123456789"),
]


def template(source: str) -> FolderChatTemplate:
    return FolderChatTemplate(source, {"bos_token": "<s>", "eos_token": "</s>"}, Path("nowhere"))


@pytest.mark.parametrize(
    ("source", "form"),
    [
        (QWEN, HERMES),
        (LLAMA3, LLAMA),
        (MISTRAL3, MISTRAL),
        (PLAIN, SMOLLM),
        # Forms not known here are described in words.
        (MISTRAL3 + "{{ '[ARGS]' }}", SMOLLM),
        (QWEN + "{# <function=name> #}", SMOLLM),
        # It speaks of tools, and takes none.
        ("{{ messages }}<tool_call>", SMOLLM),
        ("", SMOLLM),
    ],
)
def test_the_form_is_what_the_template_shows(source: str, form: ToolForm) -> None:
    assert tool_form(template(source)) is form


def rendered(source: str, messages: list[Message], tools: list[OfferedTool]) -> str:
    made = template(source)
    form = tool_form(made)
    specs = [tool.spec() for tool in tools] if form.in_template else []
    return made.render(form.messages(messages, tools), tools=specs)


@pytest.mark.parametrize(
    ("source", "call", "result"),
    [
        (QWEN, '<tool_call>\n{"name": "get_weather", "arguments": {"city": "São"}}\n</tool_call>', "\n21\n</tool_"),
        (LLAMA3, '\n{"name": "get_weather", "parameters": {"city": "São"}}<|eot_id|>', "tool<|end_header_id|>\n21"),
        (MISTRAL3, '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "São"}, "id": "', '{"content": 21, '),
        (
            PLAIN,
            'assistant: <tool_call>[{"name": "get_weather", "arguments": {"city": "São"}}]</tool_call>',
            "user: <tool_response>21</tool_response>",
        ),
    ],
    ids=["qwen", "llama", "mistral", "plain"],
)
def test_calls_and_results_are_written_as_the_family_writes_them(source: str, call: str, result: str) -> None:
    text = rendered(source, DIALOGUE, TOOLS)
    assert call in text
    assert result in text
    assert '"description": "The weather."' in text
    assert text.index("The weather.") < text.index("21")
    bare = rendered(source, DIALOGUE, [])
    assert "The weather." not in bare
    assert call in bare


def test_a_plain_template_keeps_the_callers_system_prompt() -> None:
    text = rendered(PLAIN, [Message("system", "Be brief."), *DIALOGUE], TOOLS)
    assert text.startswith("system: Be brief.\n\nYou can call functions.")
    assert text.count("system: ") == 1


def test_mistral_gets_ids_it_takes_and_the_same_for_the_same() -> None:
    made = MISTRAL.messages(DIALOGUE, [])
    assert made[1].tool_calls[0].id == made[2].tool_call_id
    assert made[2].tool_call_id is not None
    assert len(made[2].tool_call_id) == 9
    own = [Message("tool", "x", tool_call_id="abcDEF123")]
    assert MISTRAL.messages(own, []) == own


def test_what_a_template_refuses_it_says() -> None:
    twice = Message("assistant", "", tool_calls=DIALOGUE[1].tool_calls * 2)
    with pytest.raises(InvalidRequest, match="only single tool-calls at once"):
        rendered(LLAMA3, [DIALOGUE[0], twice], TOOLS)


@cache
def vocabulary() -> tuple[llguidance.LLTokenizer, Callable[[str], list[int]]]:
    tokenizer = load_tokenizer(prepare("smollm2").path)
    made = _Vocabulary(tokenizer, tokenizer.vocab_size, [2])
    return llguidance.LLTokenizer(
        llguidance.TokenizerWrapper(made), n_vocab=tokenizer.vocab_size, eos_token=[2]
    ), lambda text: list(unpack(tokenizer.encode(text, special=False)))


def as_text(text: str) -> str:
    return json.dumps(text)


def accepts(form: ToolForm, answer: str, need: Any = "may", several: bool = True) -> bool | None:
    """Whether the grammar takes the whole answer; None where it takes it and wants more."""
    tokenizer, ids = vocabulary()
    text = form.lark(TOOLS, need, several, as_text)
    matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(text), log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    for token in ids(answer):
        if not matcher.consume_token(token):
            return False
    return True if matcher.is_accepting() else None


def written(form: ToolForm, calls: list[tuple[str, dict[str, Any]]]) -> str:
    field = "parameters" if form is LLAMA else "arguments"
    texts = [json.dumps({"name": name, field: arguments}, ensure_ascii=False) for name, arguments in calls]
    match form.name:
        case "hermes":
            return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in texts)
        case "llama":
            return texts[0]
        case "mistral":
            return f"[TOOL_CALLS][{', '.join(texts)}]"
    return f"<tool_call>[{', '.join(texts)}]</tool_call>"


ONE: list[tuple[str, dict[str, Any]]] = [("get_weather", {"city": 'a "}]', "days": [1, 2]})]
TWO = [*ONE, (CLOCK.name, {"x": {"y": ["{", None]}})]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_grammar_takes_what_the_family_writes(form: ToolForm) -> None:
    one, two = written(form, ONE), written(form, TWO)
    for need in ("may", "must"):
        assert accepts(form, one, need)
        assert accepts(form, one, need, several=False)
        assert accepts(form, two, need)
        assert accepts(form, one[: len(one) - 4], need) is not True
    if not form.one_call:
        assert accepts(form, two, several=False) is False
        assert accepts(form, f"Let me see.\n{one}")
    assert accepts(form, "It is warm.") is True
    assert accepts(form, "It is warm.", "must") is False
    for wrong in (one.replace("get_weather", "get_money"), one.replace("[1, 2]", '["a"]'), one.replace("{", "{{", 1)):
        assert accepts(form, wrong) is False


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_marker_may_be_a_token_of_its_own(form: ToolForm) -> None:
    tokenizer, ids = vocabulary()
    text = form.lark(TOOLS, "may", True, lambda wanted: "<[5]>" if wanted == form.marker else as_text(wanted))
    matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(text), log_level=0)
    answer = written(form, ONE)
    found = ids(answer) if form is LLAMA else [*ids("So: "), 5, *ids(answer.removeprefix(form.marker))]
    assert matcher.consume_tokens(found), matcher.get_error()
    assert matcher.is_accepting()


def read(form: ToolForm, pieces: list[str]) -> tuple[str, dict[int, list[str]]]:
    """The text and, by position, each call's id, name and arguments."""
    numbers = itertools.count()
    reader = form.reader(lambda: f"id{next(numbers)}")
    text, calls = "", {}
    for found in [*map(reader.add, pieces), reader.end()]:
        text += found.text
        for delta in found.calls:
            call = calls.setdefault(delta.position, ["", "", ""])
            assert bool(delta.id) == bool(delta.name) == (call[1] == "")
            call[0], call[1] = call[0] or delta.id, call[1] or delta.name
            call[2] += delta.arguments
    assert reader.called == bool(calls)
    return text, calls


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_pieces_read_as_the_whole_does(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMS))
    values = st.recursive(
        st.none() | st.integers(-9, 9) | st.text(st.sampled_from('a"\\{}[]<é\n'), max_size=6),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["k", '"', "}"]), inner, max_size=2)
        ),
        max_leaves=5,
    )
    calls = data.draw(
        st.lists(
            st.tuples(st.sampled_from(["f", CLOCK.name]), st.dictionaries(st.sampled_from("ab"), values, max_size=2)),
            max_size=1 if form.one_call else 3,
        )
    )
    words = "" if form is LLAMA and calls else data.draw(st.sampled_from(["", "Hi <tool", "a\n", "[TOOL_CALLS", " {"]))
    whole = words + (written(form, calls) if calls else "")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)])]
    text, found = read(form, pieces)
    assert text == words
    assert [(name, json.loads(arguments)) for _, name, arguments in found.values()] == calls
    assert [call_id for call_id, _, _ in found.values()] == [f"id{i}" for i in range(len(calls))]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_what_was_cut_off_is_told_as_far_as_it_came(form: ToolForm) -> None:
    whole = written(form, ONE)
    for end in range(len(whole)):
        text, calls = read(form, [whole[:end]])
        told = "".join(arguments for _, _, arguments in calls.values())
        assert json.dumps(ONE[0][1]).startswith(told)
        assert text == "" or (not calls and whole.startswith(text))
