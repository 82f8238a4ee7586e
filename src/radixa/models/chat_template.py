"""Messages to prompt text, by the model's own chat template in a sandbox that can change nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from radixa.core.base import Message
from radixa.core.errors import InvalidRequest, ModelError

_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


def load_chat_template(folder: Path) -> FolderChatTemplate:
    """The chat template of a prepared model. ModelError where it is not valid Jinja.

    A model without one is served all the same: `render` then says that it takes only plain prompts.
    """
    config: dict[str, Any] = {}
    if (folder / "tokenizer_config.json").is_file():
        config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    return FolderChatTemplate(_find(folder, config), _special_tokens(config), folder)


def _find(folder: Path, config: dict[str, Any]) -> str | None:
    """The template's text: a file of its own, or in the tokenizer's configuration, alone or among named ones."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text("utf-8")
    old = folder / "chat_template.json"
    found = json.loads(old.read_text("utf-8")).get("chat_template") if old.is_file() else config.get("chat_template")
    if isinstance(found, list):
        named = {entry["name"]: entry["template"] for entry in found}
        found = named.get("default")
    return found


def _special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """Their texts by name; older files wrap the text in an object."""
    found = {}
    for name in _SPECIAL_TOKENS:
        value = config.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        if text is not None:
            found[name] = text
    return found


class FolderChatTemplate:
    """`models.base.ChatTemplate` over the template that came with the model."""

    def __init__(self, source: str | None, special_tokens: dict[str, str], folder: Path) -> None:
        self._special_tokens = special_tokens
        self.source = source or ""
        self.takes_tools = False
        self._template: jinja2.Template | None = None
        if source is not None:
            try:
                environment = _environment()
                parsed = environment.parse(source)
                self.takes_tools = "tools" in jinja2.meta.find_undeclared_variables(parsed)
                self._template = environment.from_string(parsed)
            except jinja2.TemplateSyntaxError as error:
                raise ModelError(
                    f"the chat template in {folder} is not valid (line {error.lineno}): {error}"
                ) from error

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = True, tools: Sequence[dict[str, Any]] = ()
    ) -> str:
        """The prompt text. InvalidRequest where the template refuses the messages, in its own words."""
        if self._template is None:
            raise InvalidRequest(
                "this model has no chat template; send a plain prompt (/v1/completions)", param="model"
            )
        try:
            return self._template.render(
                messages=list(map(_turn, messages)),
                tools=list(tools) or None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except (
            jinja2.TemplateError,
            TypeError,
            ValueError,
            KeyError,
            IndexError,
            AttributeError,
            RecursionError,
        ) as error:
            raise InvalidRequest(
                f"the model's chat template refuses these messages: {error}", param="messages"
            ) from error


def _turn(message: Message) -> dict[str, Any]:
    """A message as templates expect it: what it does not have is not there."""
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        found["name"] = message.name
    if message.tool_calls:
        found["tool_calls"] = [
            {"type": "function", "id": c.id, "function": {"name": c.name, "arguments": json.loads(bytes(c.arguments))}}
            for c in message.tool_calls
        ]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    return found


def _environment() -> ImmutableSandboxedEnvironment:
    """What templates are written for: blocks that leave no blank lines, and a few functions."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    # Jinja's own filter escapes for HTML, which a prompt is not.
    return json.dumps(value, ensure_ascii=options.pop("ensure_ascii", False), indent=indent, **options)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


class _Generation(Extension):
    """`{% generation %}` marks what the assistant wrote, for training; here its body stands as it is."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it as an instance attribute

    def parse(self, parser: Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)
