"""What a program's parts hand each other: prompts, options, answers; and what back ends and chat formats have to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol

from radixa.lang.choices import ChoicesMethod, Decision


class Turn(NamedTuple):
    """A finished message of a conversation."""

    role: str
    content: str

    def body(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Options:
    """How an answer is generated. None leaves a value to the run, and there to the back end.

    The names are those of `gen`.
    """

    max_tokens: int | None = None
    min_tokens: int | None = None
    """The answer does not end before it has so many."""
    n: int | None = None
    stop: str | Sequence[str] | None = None
    stop_token_ids: Sequence[int] | None = None
    stop_regex: str | Sequence[str] | None = None
    """The answer ends before the first match."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    ignore_eos: bool | None = None
    return_logprob: bool | None = None
    top_logprobs_num: int | None = None
    return_text_in_logprobs: bool | None = None
    dtype: type | str | None = None
    """The answer reads as a value of it: `int`, `float`, `bool` or `str` (a JSON string, in its quotes)."""
    regex: str | None = None
    json_schema: str | None = None

    def over(self, defaults: Options) -> Options:
        """These, and the defaults for what they leave open."""
        own = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(defaults, **own)

    @property
    def stops(self) -> list[str]:
        return _listed(self.stop)

    @property
    def stop_patterns(self) -> list[str]:
        return _listed(self.stop_regex)

    @property
    def constrained(self) -> bool:
        return self.regex is not None or self.json_schema is not None or self.dtype is not None


def _listed(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that stands before an answer, as text and as messages; a back end takes what it understands."""

    text: str
    turns: tuple[Turn, ...] = ()
    open_role: str | None = None
    """Whose turn it is; None outside of all turns."""
    open_text: str = ""
    """What that turn says already."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `meta` is what `get_meta_info` gives; a figure that the back end does not report is None."""

    text: str
    meta: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[str], bool]
"""Gets an answer's text piece by piece; True ends the answer there."""


class ChatFormat(Protocol):
    """How a model writes the turns of a conversation as one text."""

    @property
    def trims(self) -> bool:
        """White space around a turn's content is not part of it."""
        ...

    def opened(self, text: str, turns: Sequence[Turn], role: str, *, generating: bool) -> str:
        """`text`, in which `turns` are finished, with the beginning of the next turn.

        `generating`: the model begins that turn, rather than a given text.
        """
        ...

    def closed(self, text: str, turns: Sequence[Turn]) -> str:
        """`text` after the last of `turns` was finished."""
        ...


class Backend(Protocol):
    """Whoever answers. Its methods block, and are called from several threads at once."""

    @property
    def format(self) -> ChatFormat:
        """Learned at the first use, which may take requests."""
        ...

    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]:
        """The answers, one unless `options.n` says more. `listener` hears the first answer as it grows."""
        ...

    def select(self, prompt: Prompt, choices: Sequence[str], method: ChoicesMethod) -> Decision:
        """The choice that goes best with the prompt."""
        ...

    def warm(self, prompt: Prompt) -> None:
        """Compute the prompt and keep it, for those that will begin with it; nothing where that cannot be asked for."""
        ...

    def flush_cache(self) -> dict[str, Any]:
        """Drop what the cache holds and nobody uses."""
        ...

    def get_server_info(self) -> dict[str, Any]: ...

    def tree(self) -> list[dict[str, Any]]:
        """The cache's nodes, as `GET /v1/cache/tree` has them."""
        ...

    def search(self, collection: str, query: str, k: int) -> list[str]:
        """The texts of the best passages of a collection of documents."""
        ...

    def shutdown(self) -> None:
        """Let go of connections, threads and processes."""
        ...
