"""A LlamaIndex conversation over the gateway: each turn's history is cached but for what is new.

pip install llama-index-llms-openai-like
radixa serve --sandbox
RADIXA_API_KEY=rx-… python examples/llama_index_chat.py
"""

from __future__ import annotations

import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

MODEL = "gpt-4.1-mini"  # In the sandbox the engine answers under this name, at its price.
QUESTIONS = ["Name a river in France.", "Which city lies on it?", "And which sea does it reach?"]

if __name__ == "__main__":
    url = os.environ.get("RADIXA_BASE_URL", "http://127.0.0.1:8000")
    model = OpenAILike(
        model=MODEL,
        api_base=f"{url}/v1",
        api_key=os.environ["RADIXA_API_KEY"],
        is_chat_model=True,
        context_window=8192,
        temperature=0,
        max_tokens=32,
    )
    messages = [ChatMessage(role="system", content="You teach geography. You answer in one short sentence.")]
    for question in QUESTIONS:
        messages.append(ChatMessage(role="user", content=question))
        answer = model.chat(messages)
        messages.append(answer.message)
        usage = answer.raw.usage
        print(answer.message.content)
        print(
            f"  {usage.prompt_tokens} prompt tokens, {usage.prompt_tokens_details.cached_tokens} of them cached: "
            f"${usage.radixa['saved_usd']:.6f} saved"
        )
