"""A GGUF file's vocabulary, merges and scores as `tokenizer.json` and `tokenizer_config.json`.

A GGUF names how text is cut into words (`tokenizer.ggml.pre`) but does not say it: the rules below are those of the
tokenizers that the names stand for.
"""

from __future__ import annotations

from typing import Any

from radixa.core.errors import ModelError
from radixa.models.gguf_file import GGUFFile

_CONTROL, _USER_DEFINED, _UNUSED = 3, 4, 5
"""Values of `tokenizer.ggml.token_type`."""

_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_LLAMA3 = _ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN2 = _ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _split(pattern: str) -> list[dict[str, Any]]:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return [split, _byte_level(use_regex=False)]


_GPT2 = [_byte_level(use_regex=True)]
_DIGITS = [{"type": "Digits", "individual_digits": True}, *_GPT2]

_WORDS: dict[str, list[dict[str, Any]]] = {
    **dict.fromkeys(("default", "gpt-2", "olmo"), _GPT2),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r"), _DIGITS),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "smaug-bpe"), _split(_LLAMA3)),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen"), _split(_QWEN2)),
    "tekken": _split(_TEKKEN),
}
_WHOLE_WORDS_FIRST = ("llama-bpe", "llama3", "llama-v3", "tekken")
"""Tokenizers that take a word that is itself a token without applying merges."""
_NFC = ("qwen2", "deepseek-r1-qwen")
"""Tokenizers that compose Unicode first."""


def tokenizer_json(file: GGUFFile) -> dict[str, Any]:
    """`tokenizer.json` as the `tokenizers` library reads it. ModelError for a kind of tokenizer not known here."""
    kind = file.get("tokenizer.ggml.model")
    if kind == "gpt2":
        built = _byte_pairs(file)
    elif kind == "llama":
        built = _sentencepiece(file)
    else:
        raise ModelError(f"{file.path}: the tokenizer is of kind {kind!r}; supported are 'gpt2' and 'llama'")
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(file),
        "post_processor": _post_processor(file, default_bos=kind == "llama"),
        **built,
    }


def tokenizer_config(file: GGUFFile) -> dict[str, Any]:
    """`tokenizer_config.json`: the names of the special tokens, which chat templates use."""
    tokens = file.get("tokenizer.ggml.tokens")
    named = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    for name, key in named.items():
        token_id = file.get(f"tokenizer.ggml.{key}_token_id")
        if token_id is not None:
            config[name] = tokens[token_id]
    return config


def _byte_pairs(file: GGUFFile) -> dict[str, Any]:
    pre = file.get("tokenizer.ggml.pre") or ("default" if file.architecture == "llama" else "qwen2")
    if pre not in _WORDS:
        raise ModelError(f"{file.path}: words are cut as {pre!r}; known here are {', '.join(_WORDS)}")
    return {
        "normalizer": {"type": "NFC"} if pre in _NFC else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": _WORDS[pre]},
        "decoder": _byte_level(use_regex=True),
        "model": _bpe(
            file,
            merges=[merge.split(" ") for merge in file.get("tokenizer.ggml.merges")],
            ignore_merges=pre in _WHOLE_WORDS_FIRST,
        ),
    }


def _sentencepiece(file: GGUFFile) -> dict[str, Any]:
    """A SentencePiece BPE model: merges are not written down, a piece's score says how early it is formed."""
    tokens, scores = file.get("tokenizer.ggml.tokens"), file.get("tokenizer.ggml.scores")
    score = dict(zip(tokens, scores, strict=True))
    pairs = [
        (score[token], token[:cut], token[cut:])
        for token in tokens
        for cut in range(1, len(token))
        if token[:cut] in score and token[cut:] in score
    ]
    pairs.sort(key=lambda pair: -pair[0])
    spaces: list[dict[str, Any]] = [{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
    prefix = bool(file.get("tokenizer.ggml.add_space_prefix", True))
    if prefix:
        spaces.insert(0, {"type": "Prepend", "prepend": "▁"})
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    unknown = tokens[file.get("tokenizer.ggml.unknown_token_id", 0)]
    return {
        "normalizer": {"type": "Sequence", "normalizers": spaces},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": _bpe(file, [[left, right] for _, left, right in pairs], unknown=unknown, byte_fallback=True),
    }


def _bpe(
    file: GGUFFile,
    merges: list[list[str]],
    *,
    ignore_merges: bool = False,
    unknown: str | None = None,
    byte_fallback: bool = False,
) -> dict[str, Any]:
    types = _types(file)
    vocab = {token: i for i, token in enumerate(file.get("tokenizer.ggml.tokens")) if types[i] != _UNUSED}
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": unknown is not None,
        "byte_fallback": byte_fallback,
        "ignore_merges": ignore_merges,
        "vocab": vocab,
        "merges": merges,
    }


def _types(file: GGUFFile) -> list[int]:
    tokens = file.get("tokenizer.ggml.tokens")
    return list(file.get("tokenizer.ggml.token_type") or [1] * len(tokens))


def _added_tokens(file: GGUFFile) -> list[dict[str, Any]]:
    """Tokens found in a text before it is cut into words: control tokens are special, user-defined ones are text."""
    tokens, types = file.get("tokenizer.ggml.tokens"), _types(file)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": i, "content": tokens[i], **flags, "special": kind == _CONTROL}
        for i, kind in enumerate(types)
        if kind in (_CONTROL, _USER_DEFINED)
    ]


def _post_processor(file: GGUFFile, *, default_bos: bool) -> dict[str, Any] | None:
    """Puts the first token before a text, where the model expects one."""
    bos = file.get("tokenizer.ggml.bos_token_id")
    if bos is None or not file.get("tokenizer.ggml.add_bos_token", default_bos):
        return None
    token = file.get("tokenizer.ggml.tokens")[bos]
    first = {"SpecialToken": {"id": token, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [first, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [bos], "tokens": [token]}},
    }
