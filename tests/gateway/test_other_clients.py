"""Clients that need another version of OpenAI's SDK, in an environment of their own, against a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.live import KEY, Live
from tests.gateway.test_sdks import blocks, settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PACKAGES = ("llama-index-llms-openai-like", "litellm")
INSTALL_S = 600
SYSTEM = "You are brief. Answer in one short sentence. " * 3

LLAMA = """
import json, sys
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike

url, key, system = sys.argv[1:]
common = dict(api_base=url, api_key=key, temperature=0, max_tokens=12)
model = OpenAILike(model="deepseek-chat", is_chat_model=True, context_window=8192, **common)
messages = [
    ChatMessage(role="system", content=system), ChatMessage(role="user", content="What is the capital of France?")
]

def chat(model):
    answer = model.chat(messages)
    usage = answer.raw.usage
    return answer.message.content, usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens

def stream(**fields):
    pieces = list(model.stream_chat(messages, **fields))
    usage = pieces[-1].raw.usage
    cached = None if usage is None else usage.prompt_tokens_details.cached_tokens
    return "".join(piece.delta or "" for piece in pieces), cached

text = OpenAILike(model="deepseek-chat", is_chat_model=False, **common).complete("One two three four")
try:
    OpenAI(model="smollm2", **common).chat(messages)
    strict = ""
except ValueError as error:
    strict = str(error)
print(json.dumps({
    "first": chat(model), "second": chat(model), "text": text.text, "strict": strict,
    "stream": stream(), "stream_with_usage": stream(stream_options={"include_usage": True}),
}))
"""

LITELLM = """
import json, sys
import litellm

url, key, system = sys.argv[1:]
common = dict(model="openai/deepseek-chat", api_base=url, api_key=key, temperature=0, max_tokens=12, num_retries=0)
messages = [{"role": "system", "content": system}, {"role": "user", "content": "What is the capital of France?"}]

def counts(usage):
    return None if usage is None else (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens)

def chat():
    answer = litellm.completion(messages=messages, **common)
    return answer.choices[0].message.content, *counts(answer.usage)

def stream(**fields):
    chunks = list(litellm.completion(messages=messages, stream=True, **common, **fields))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    found = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    return text, counts(found[-1] if found else None)

text = litellm.text_completion(
    prompt="One two three four", **common | {"model": "text-completion-openai/deepseek-chat"}
)
refused = []
for fields in ({"model": "openai/gpt-17"}, {"api_key": "rx-nobody"}, {"max_tokens": -1}):
    try:
        litellm.completion(messages=messages, **common | fields)
    except Exception as error:
        refused.append(type(error).__name__)
print(json.dumps({
    "first": chat(), "second": chat(), "text": text.choices[0].text, "refused": refused,
    "stream": stream(), "stream_with_usage": stream(stream_options={"include_usage": True}),
}))
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with these clients. Skips where pip cannot install them."""
    folder = tmp_path_factory.mktemp("clients") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    found = folder / "bin" / "python"
    made = subprocess.run(
        [str(found), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_S,
    )
    if made.returncode:
        pytest.skip(f"pip cannot install {' and '.join(PACKAGES)}: {made.stderr.strip()[-300:]}")
    return found


def run(python: Path, code: str, *arguments: str) -> str:
    """What the code prints, run away from the sources and the settings of the tests."""
    # LiteLLM would fetch its table of prices at import otherwise.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENAI_"))}
    environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1"}
    found = subprocess.run(
        [str(python), "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environ,
        cwd=python.parent,
    )
    assert found.returncode == 0, found.stderr[-4000:]
    return found.stdout


def told(python: Path, code: str, live: Live, salt: str) -> dict[str, Any]:
    return dict(json.loads(run(python, code, f"{live.url}/v1", KEY, SYSTEM + salt).splitlines()[-1]))


def test_llama_index(python: Path, server: Live) -> None:
    found = told(python, LLAMA, server, "LlamaIndex.")
    (text, prompt, cached), (again, same, reused) = found["first"], found["second"]
    assert "Paris" in text
    assert (again, same) == (text, prompt)
    assert cached < reused == prompt - 1
    assert found["text"].strip()
    # The reason for OpenAILike.
    assert "Unknown model" in found["strict"]
    assert found["stream"] == [text, None]
    assert found["stream_with_usage"] == [text, prompt - 1]


def test_litellm(python: Path, server: Live) -> None:
    found = told(python, LITELLM, server, "LiteLLM.")
    (text, prompt, cached), (again, same, reused) = found["first"], found["second"]
    assert "Paris" in text
    assert (again, same) == (text, prompt)
    assert cached < reused == prompt - 1
    assert found["text"].strip()
    assert found["refused"] == ["NotFoundError", "AuthenticationError", "BadRequestError"]
    assert found["stream"][0] == text
    assert found["stream_with_usage"] == [text, [prompt, prompt - 1]]


def test_the_example(python: Path, server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_BASE_URL", server.url)
    monkeypatch.setenv("RADIXA_API_KEY", KEY)
    code = (Path(__file__).parents[2] / "examples" / "llama_index_chat.py").read_text("utf-8")
    cached = [int(count) for count in re.findall(r"(\d+) of them cached", run(python, code))]
    assert len(cached) == 3
    assert cached[0] < cached[1] < cached[2]


@pytest.mark.parametrize("client", ["LlamaIndex", "LiteLLM"])
def test_the_documents_examples(python: Path, server: Live, client: str) -> None:
    (block,) = blocks(client, "py")
    assert re.search(r"\d+ prompt tokens were cached", run(python, settings(block, server, KEY)))
