"""Small GGUF files, written by the `gguf` package the way llama.cpp's converter lays them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

HIDDEN, MLP, LAYERS, HEADS, KV_HEADS, HEAD, VOCAB = 256, 512, 2, 8, 4, 32, 320
"""Multiples of 256, the block of the K-quants."""

QUANTISED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16", "F32")
"""Types that the package quantises to; the K-quants it only reads."""
USER_DEFINED = 4
"""Of `tokenizer.ggml.token_type`."""
K_QUANTS = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")


def permute(weight: Array, heads: int) -> Array:
    """What llama.cpp's converter does to the rows of q and k: halves become neighbours."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def random_weights(*, architecture: str = "llama", seed: int = 0, tied: bool = False) -> dict[str, Array]:
    """Weights by GGUF name, in Hugging Face's row order."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (VOCAB, HIDDEN), "output_norm.weight": (HIDDEN,)}
    if not tied:
        shapes["output.weight"] = (VOCAB, HIDDEN)
    for i in range(LAYERS):
        shapes |= {
            f"blk.{i}.attn_norm.weight": (HIDDEN,),
            f"blk.{i}.attn_q.weight": (HEADS * HEAD, HIDDEN),
            f"blk.{i}.attn_k.weight": (KV_HEADS * HEAD, HIDDEN),
            f"blk.{i}.attn_v.weight": (KV_HEADS * HEAD, HIDDEN),
            f"blk.{i}.attn_output.weight": (HIDDEN, HEADS * HEAD),
            f"blk.{i}.ffn_norm.weight": (HIDDEN,),
            f"blk.{i}.ffn_gate.weight": (MLP, HIDDEN),
            f"blk.{i}.ffn_up.weight": (MLP, HIDDEN),
            f"blk.{i}.ffn_down.weight": (HIDDEN, MLP),
        }
        if architecture == "qwen2":
            shapes |= {
                f"blk.{i}.attn_q.bias": (HEADS * HEAD,),
                f"blk.{i}.attn_k.bias": (KV_HEADS * HEAD,),
                f"blk.{i}.attn_v.bias": (KV_HEADS * HEAD,),
            }
        if architecture == "qwen3":
            shapes |= {f"blk.{i}.attn_q_norm.weight": (HEAD,), f"blk.{i}.attn_k_norm.weight": (HEAD,)}
    return {name: (0.1 * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}


def byte_tokens() -> tuple[list[str], list[int], list[str]]:
    """A byte-level vocabulary: three control tokens, the 256 bytes, a few merges, a user-defined token, padding."""
    from radixa.models.tokenizer import _byte_alphabet

    merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r"]
    # Pairs that a rule for cutting words either lets meet or keeps apart.
    merges += ["1 2", "12 3", "123 4", "Ġ Ġ", "Ġ 1", "Ċ Ċ", "' s", "! !", "! Ċ", "s s", "h H", "/ /"]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *_byte_alphabet()]
    tokens += [merge.replace(" ", "") for merge in merges]
    types = [3, 3, 3] + [1] * (len(tokens) - 3)
    tokens += ["<think>"]
    types += [USER_DEFINED]
    padding = VOCAB - len(tokens)
    return tokens + [f"[PAD{i}]" for i in range(padding)], types + [5] * padding, merges


def write_gguf(
    path: Path,
    weights: Mapping[str, Array],
    *,
    architecture: str = "llama",
    kind: str = "F32",
    values: Mapping[str, Any] | None = None,
    pre: str = "smollm",
    pieces: Mapping[str, float] | None = None,
) -> dict[str, Array]:
    """Write the file; matrices are stored as `kind`. Returns what each tensor is after dequantising, in HF row order.

    `values` adds metadata: strings, integers, floats or booleans by key (`{arch}` is replaced). With `pieces` the
    tokenizer is SentencePiece's: those with their scores, after `<unk>`, `<s>`, `</s>` and the single bytes.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(1024)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    if architecture == "qwen3":
        writer.add_key_length(HEAD)
    if pieces is None:
        tokens, types, merges = byte_tokens()
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_merges(merges)
    else:
        tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
        types = [2, 3, 3, *[6] * 256, *[1] * len(pieces)]
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([0.0] * 259 + list(pieces.values()))
        writer.add_unk_token_id(0)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}")
    add = {str: writer.add_string, bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32}
    for key, value in (values or {}).items():
        add[type(value)](key.format(arch=architecture), value)
    stored = {}
    for name, weight in weights.items():
        stored[name] = _add_tensor(writer, name, weight, kind if weight.ndim == 2 else "F32", architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


def _add_tensor(writer: gguf.GGUFWriter, name: str, weight: Array, kind: str, architecture: str) -> Array:
    """Add one tensor and return its values as they read back."""
    heads = HEADS if ".attn_q." in name else KV_HEADS if ".attn_k." in name else 0
    permuted = bool(heads) and architecture == "llama"
    laid_out = permute(weight, heads) if permuted else weight
    quantisation = gguf.GGMLQuantizationType[kind]
    if kind in K_QUANTS:
        data = _random_blocks(quantisation, laid_out.shape, seed=len(name))
    else:
        data = gguf.quantize(laid_out, quantisation)
    writer.add_tensor(name, data, raw_dtype=quantisation)
    values = gguf.dequantize(data, quantisation).reshape(laid_out.shape).astype(np.float32)
    return unpermute(values, heads) if permuted else values


def unpermute(weight: Array, heads: int) -> Array:
    """The inverse of `permute`, found by permuting row numbers rather than by undoing its steps."""
    rows = permute(np.arange(weight.shape[0], dtype=np.float32)[:, None], heads)[:, 0].astype(int)
    restored = np.empty_like(weight)
    restored[rows] = weight
    return restored


def _random_blocks(kind: gguf.GGMLQuantizationType, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.uint8]:
    """Bytes that are a valid tensor of a K-quant: any bits, but scales that are small numbers."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (shape[0], shape[1] // block, size), dtype=np.uint8)
    scale = np.frombuffer(np.float16(0.01).tobytes(), dtype=np.uint8)
    # Where the half-precision scales lie in a block.
    where = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}[kind.name]
    for start in where:
        blocks[:, :, start : start + 2] = scale
    return blocks.reshape(shape[0], -1)
