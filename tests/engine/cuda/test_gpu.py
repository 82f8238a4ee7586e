"""The engine on a real GPU: against `transformers`, and against itself without reuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from radixa.attention.base import SequenceLayout
from radixa.core.base import SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest, EngineSettings
from radixa.engine.load import load_engine
from radixa.engine.loop import EngineLoop
from radixa.kv.base import Segment
from radixa.models.base import DecoderInput, ModelConfig
from radixa.models.shapes import SHAPES, random_reader, weight_shapes
from tests.engine.content import Collected, drain

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]

LLAMA = replace(
    SHAPES["llama-3-8b"],
    layers=4,
    hidden_size=512,
    heads=8,
    kv_heads=2,
    head_size=64,
    intermediate_size=1024,
    vocab_size=1000,
)
QWEN = replace(
    SHAPES["qwen3-0.6b"],
    layers=4,
    hidden_size=256,
    heads=4,
    kv_heads=2,
    head_size=128,
    intermediate_size=768,
    vocab_size=1000,
)


@pytest.fixture(autouse=True)
def _shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "small-llama", LLAMA)
    monkeypatch.setitem(SHAPES, "small-qwen", QWEN)


def settings(model: str, **changes: Any) -> EngineSettings:
    options = {"dtype": "float32", "kv_tokens": 20_000, "step_tokens": 512, "max_running": 32}
    return EngineSettings(model=f"random:{model}", device="cuda", **{**options, **changes})


def reference(config: ModelConfig, dtype: torch.dtype) -> Any:
    """The same weights in `transformers`."""
    import transformers

    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    options = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.context_length,
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied_head,
        "rope_parameters": rope,
        "attn_implementation": "sdpa",
    }
    kind = "Qwen3" if config.qk_norm else "Llama"
    model = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**options))
    read = random_reader(config, torch.bfloat16, device="cuda")
    state = {name: read(name) for name, _ in weight_shapes(config)}
    if config.tied_head:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model.to("cuda", dtype).eval()


@pytest.mark.parametrize("shape", ["small-llama", "small-qwen"])
def test_logits_are_those_of_transformers(shape: str) -> None:
    """In bfloat16, against float32 on the same weights; `transformers` in bfloat16 is held to the same."""
    config = SHAPES[shape]
    runner = load_engine(settings(shape, dtype="bfloat16")).runner
    tokens = torch.randint(config.vocab_size, (300,), device="cuda", generator=torch.Generator("cuda").manual_seed(0))
    layouts = [SequenceLayout(300, [Segment(0, 40, 200), Segment(0, 900, 100)])]
    slots = torch.cat([torch.arange(40, 240), torch.arange(900, 1000)]).cuda()
    rows = torch.arange(300, device="cuda")
    runner.storage.k.fill_(float("nan"))
    runner.storage.v.fill_(float("nan"))
    found = runner.forward(DecoderInput(tokens, rows, slots, rows, runner.attention.plan(layouts)))
    with torch.inference_mode():
        wanted = reference(config, torch.float32)(tokens[None]).logits[0]
        theirs = reference(config, torch.bfloat16)(tokens[None]).logits[0].float()
    error = ((found - wanted).norm() / wanted.norm()).item()
    theirs_error = ((theirs - wanted).norm() / wanted.norm()).item()
    print(f"{shape}: relative error {error:.4f}, transformers in bfloat16 {theirs_error:.4f}")
    assert error < max(1e-2, 1.2 * theirs_error)
    assert not found.isnan().any()


def answers(sampling: dict[str, Any], *, together: bool = True, **changes: Any) -> dict[str, list[int]]:
    """Answers to prompts that begin alike, two generations of them."""
    loop = load_engine(settings("small-llama", **changes))
    generator = torch.Generator().manual_seed(1)
    head = torch.randint(1000, (400,), generator=generator).tolist()
    found: dict[str, list[int]] = {}
    for turn in range(2):
        for i in range(12):
            own = torch.randint(1000, (3 + 7 * i,), generator=generator).tolist()
            params = SamplingParams(max_tokens=20 + 5 * i, ignore_eos=True, seed=i, **sampling)
            made = EngineRequest(f"{turn}-{i}", pack(head[: 100 * (i % 4 + 1)] + own), sampling=params)
            assert loop.submit(made) is None
            if not together:
                found |= finished(loop)
        found |= finished(loop)
    loop.cache.check_integrity()
    stats = loop.stats()
    assert stats.leased == 0
    assert stats.free + stats.tree == stats.capacity
    assert (stats.host_tokens > 0) == ("host_bytes" in changes)
    return found


def finished(loop: EngineLoop) -> dict[str, list[int]]:
    """The answers to all that was submitted; what waits for the host's memory keeps nobody busy meanwhile."""
    collected = Collected()
    while loop.busy or loop.waiting:
        loop.scheduler.take_freed()
        drain(loop, collected)
    assert loop.scheduler.tiering.tier.flush(10)
    loop.scheduler.take_freed()
    return collected.tokens


@pytest.mark.parametrize("sampling", [{"temperature": 0.0}, {"temperature": 0.8, "top_p": 0.9}, {"temperature": 1.0}])
def test_reuse_and_company_change_no_answer(sampling: dict[str, Any]) -> None:
    alone = answers(sampling, together=False, cache="none", attention="off")
    for changes in ({}, {"attention": "on"}, {"cache": "force_miss"}, {"step_tokens": 60, "page_size": 16}):
        assert differing(answers(sampling, **changes), alone) <= NEARLY[sampling["temperature"] > 0], changes


def test_what_comes_back_from_the_host_changes_no_answer() -> None:
    greedy = {"temperature": 0.0}
    alone = answers(greedy, together=False, cache="none", attention="off")
    assert answers(greedy, together=False, kv_tokens=700, host_bytes=64 << 20) == alone


def differing(found: dict[str, list[int]], wanted: dict[str, list[int]]) -> int:
    assert found.keys() == wanted.keys()
    return sum(found[name] != wanted[name] for name in wanted)


NEARLY = {False: 0, True: 3}
"""Answers of 24 that may differ, by whether they are drawn at random. A thousand borders of the cumulative distribution
lie where float32 puts them, and sums in another order move each by about 1e-7: of some thousand numbers one may fall
between."""


def test_device_and_host_draw_the_same() -> None:
    """Log-probabilities make the host draw."""
    for sampling in (
        {"temperature": 0.7, "top_k": 20},
        {"temperature": 1.2, "top_p": 0.8},
        {"temperature": 1.0, "min_p": 0.05},
        {"temperature": 1.0},
    ):
        assert differing(answers(sampling), answers({**sampling, "logprobs": 0})) <= NEARLY[True], sampling
