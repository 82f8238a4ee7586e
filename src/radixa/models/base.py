"""What a model is to the layers above: files in a folder, a decoder, a tokenizer, a chat template.

Whatever a user names (`smollm2`, `hf:ORG/NAME`, a GGUF file, a Hugging Face folder) is first *prepared*: it ends as
one folder in Hugging Face layout (`config.json`, `tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`,
safetensors). A GGUF file is converted once, into the cache folder; a Hugging Face folder is used where it lies. So
there is one way to load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from radixa.core.base import Message
from radixa.kv.storage import KVStorage

if TYPE_CHECKING:
    from torch import Tensor

ORIGIN = "radixa.json"
"""In a folder that was converted: what it was made from (`convert.py`)."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of a Llama-family decoder, read from `config.json`. Sizes are counts of elements."""

    family: str
    """`llama`, `mistral`, `qwen2` or `qwen3` (SmolLM2 is of the Llama family)."""
    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate_size: int
    context_length: int
    norm_eps: float
    rope_theta: float
    rope_scaling: dict[str, Any] | None = None
    tied_head: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    eos_token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A prepared model. `name` is what the API calls it."""

    name: str
    path: Path
    config: ModelConfig


@dataclass(frozen=True, slots=True)
class DecoderInput:
    """One step's tokens, packed: the rows of all sequences after each other.

    token_ids [N] int64, positions [N] int64 (each token's index in its sequence), slots [N] int64 (where its K and V
    go), logit_rows [M] int64 (rows whose logits are wanted), plan from the attention backend.
    """

    token_ids: Tensor
    positions: Tensor
    slots: Tensor
    logit_rows: Tensor
    plan: Any = field(repr=False)


class Decoder(Protocol):
    """A model's forward pass over a step."""

    config: ModelConfig

    def forward(self, step: DecoderInput, storage: KVStorage) -> Tensor:
        """Write the step's K and V to their slots and return logits [M, vocab_size] float32."""
        ...


class StreamDecoder(Protocol):
    """Turns one answer's tokens into text as they come."""

    def add(self, token_id: int) -> str:
        """Text that has become certain: empty while a character is incomplete."""
        ...

    def flush(self) -> str:
        """What is left at the end; an incomplete character becomes U+FFFD."""
        ...


class Tokenizer(Protocol):
    """Text to token ids and back. Safe to call from several threads."""

    vocab_size: int

    def encode(self, text: str, *, special: bool = True) -> bytes:
        """Token ids as bytes (`core.tokens`). `special` recognises special tokens written in the text."""
        ...

    def locate(self, text: str, places: Sequence[int]) -> tuple[bytes, list[int]]:
        """The same token ids, and for each of the places, in characters, how many tokens begin before it."""
        ...

    def decode(self, token_ids: Sequence[int], *, skip_special: bool = True) -> str: ...

    def stream(self, *, skip_special: bool = True) -> StreamDecoder: ...

    def is_special(self, token_id: int) -> bool:
        """Whether it is a control token, which text alone never makes."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The raw bytes of one token, as logprobs report it."""
        ...


class ChatTemplate(Protocol):
    """Messages to the prompt text a model was trained on."""

    source: str
    """The template itself; empty where there is none."""
    takes_tools: bool
    """Whether it has a place for tools."""

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = True, tools: Sequence[dict[str, Any]] = ()
    ) -> str:
        """InvalidRequest where the template refuses the messages (it says why). `tools` as OpenAI's API has them."""
        ...
