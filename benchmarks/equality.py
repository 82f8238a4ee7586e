"""Law 1 on the real model: reuse never changes an answer.

Greedy answers to 50 mixed prompts with shared prefixes, with the cache on, off and force-missed, alone and batched, in
chunks of 1, 7, 64 and 2048 tokens, with tree attention and without, against `transformers` on the same dequantised
float32 weights: token for token. Then the same in bfloat16, where sums are rounded differently in every batch: the
share of prompts whose text differs is printed.

    python benchmarks/equality.py            # everything, about half an hour on 2 cores
    python benchmarks/equality.py --prompts 12 --chunks 64 2048
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from radixa.core.base import SamplingParams
from radixa.core.tokens import unpack
from radixa.engine.base import EngineRequest, EngineSettings
from radixa.engine.client import EngineClient, start_engine

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder

ANSWER = 16
CACHES = ("radix", "none", "force_miss")
CHUNKS = (1, 7, 64, 2048)


class Way(NamedTuple):
    """One way to compute the same answers."""

    cache: str
    chunk: int
    batched: bool
    attention: str = "auto"


def texts() -> list[str]:
    """Fifty prompts: chats under three system prompts, growing conversations, code, lists, other scripts, single
    words."""
    harbour = (
        "You answer questions about the harbour of Trieste: its piers, its ferries and its opening hours. Be brief."
    )
    plain = "Translate what the user says into plain English. Never explain."
    questions = (
        "What is the capital of France?",
        "When does the first ferry leave?",
        "Write one sentence about the sea.",
        "What is the capital of Italy?",
        "List three fruits.",
        "Wo ist der Bahnhof?",
        "서울은 어디에 있나요?",
        "Explain what a tree is.",
    )
    found = []
    for system in ("You are a helpful assistant.", harbour, plain):
        for question in questions:
            turns = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n"
            found.append(turns + "<|im_start|>assistant\n")
    conversation = f"<|im_start|>system\n{harbour}<|im_end|>\n"
    given = ("Paris.", "At six in the morning.", "It is wide.", "Rome.")
    for question, answer in zip(questions[:4], given, strict=True):
        conversation += f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        found.append(conversation)
        conversation += f"{answer}<|im_end|>\n"
    code = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a - b\n\n\n"
    found += [
        code + "def multiply(a, b):\n",
        code + "def divide(a, b):\n",
        code,
        "def",
        "class Tree:\n    def __init__(self",
    ]
    story = "Once upon a time there was a lighthouse keeper who counted the waves. "
    found += [story * n for n in (1, 2, 3, 6, 12)]
    found += [story * 3 + end for end in ("One night", "One morning", "His daughter", "The waves")]
    found += ["The", "1, 2, 3, 4, 5,", "A B C D", "Zürich ist", "日本の首都は", "🙂🙂🙂", "Question: 2 + 2 =", "Dear"]
    return found[:50]


def prompts(model: ModelFolder, count: int) -> list[bytes]:
    from radixa.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(model.path)
    return [tokenizer.encode(text) for text in texts()[:count]]


def reference(model: ModelFolder, keys: Sequence[bytes]) -> list[list[int]]:
    """What `transformers` answers greedily, one prompt at a time, reading the same GGUF file in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    from radixa.models.catalog import PACKAGED
    from radixa.models.fetch import packaged_file

    gguf = packaged_file(PACKAGED[model.name])
    loaded: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
    answers = []
    with torch.inference_mode():
        for key in keys:
            ids = torch.tensor([unpack(key)])
            out = loaded.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=ANSWER,
                do_sample=False,
                eos_token_id=list(model.config.eos_token_ids),
                pad_token_id=0,
            )
            answers.append(out[0, ids.shape[1] :].tolist())
    return answers


def answers(model: ModelFolder, keys: Sequence[bytes], way: Way, dtype: str) -> list[list[int]]:
    """What the engine answers, computed in this way."""
    settings = EngineSettings(
        model=str(model.path),
        dtype=dtype,  # type: ignore[arg-type]
        cache=way.cache,  # type: ignore[arg-type]
        attention=way.attention,  # type: ignore[arg-type]
        step_tokens=way.chunk,
        kv_tokens=8192,
    )
    return asyncio.run(_answers(settings, keys, way.batched))


async def _answers(settings: EngineSettings, keys: Sequence[bytes], batched: bool) -> list[list[int]]:
    engine = await start_engine(settings, in_process=True)
    try:
        if batched:
            return list(await asyncio.gather(*(_answer(engine, i, key) for i, key in enumerate(keys))))
        return [await _answer(engine, i, key) for i, key in enumerate(keys)]
    finally:
        await engine.close()


async def _answer(engine: EngineClient, index: int, key: bytes) -> list[int]:
    params = SamplingParams(max_tokens=ANSWER, temperature=0)
    found: list[int] = []
    async for output in engine.generate(EngineRequest(f"p{index}", key, sampling=params)):
        found += output.token_ids
    return found


def ways(chunks: Sequence[int]) -> Iterator[Way]:
    for chunk in chunks:
        for cache in CACHES:
            for batched in (False, True):
                yield Way(cache, chunk, batched)
    yield Way("radix", chunks[-1], True, "on")
    yield Way("radix", chunks[-1], True, "off")


def differing(found: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> list[int]:
    """Indices of the prompts whose answers differ."""
    return [i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if list(a) != list(b)]


def main() -> None:
    from radixa.models.prepare import prepare

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--chunks", type=int, nargs="+", default=list(CHUNKS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = prepare("smollm2")
    keys = prompts(model, options.prompts)
    wanted = reference(model, keys)
    rows = []
    for dtype in ("float32", "bfloat16"):
        for way in ways(options.chunks):
            start = time.perf_counter()
            different = differing(answers(model, keys, way, dtype), wanted)
            rows.append({"dtype": dtype, **way._asdict(), "prompts": len(keys), "different": len(different)})
            if not options.json:
                batch = "batched" if way.batched else "alone"
                how = f"{way.cache:10} chunk {way.chunk:4} {batch:8} tree {way.attention:5}"
                took = time.perf_counter() - start
                print(f"{dtype:9} {how} {len(different):3} of {len(keys)} differ  ({took:.1f} s)", flush=True)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
