"""A LangChain conversation over the gateway, streamed: each turn's history is cached but for what is new.

pip install langchain-openai
radixa serve --sandbox
RADIXA_API_KEY=rx-… python examples/langchain_chat.py
"""

from __future__ import annotations

import os

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_openai import ChatOpenAI

MODEL = "gpt-4.1-mini"  # In the sandbox the engine answers under this name, at its price.
QUESTIONS = ["Name a river in France.", "Which city lies on it?", "And which sea does it reach?"]

if __name__ == "__main__":
    url = os.environ.get("RADIXA_BASE_URL", "http://127.0.0.1:8000")
    model = ChatOpenAI(
        model=MODEL,
        base_url=f"{url}/v1",
        api_key=os.environ["RADIXA_API_KEY"],
        temperature=0,
        max_tokens=32,
        stream_usage=True,
    )
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "You teach geography. You answer in one short sentence."),
            MessagesPlaceholder("history"),
            ("human", "{question}"),
        ]
    )
    chain = prompt | model
    history: list[HumanMessage | AIMessage] = []
    price = next(each for each in model.root_client.models.list() if each.id == MODEL).radixa["prices_usd_per_mtok"]
    for question in QUESTIONS:
        whole = None
        for piece in chain.stream({"history": history, "question": question}):
            print(piece.content, end="", flush=True)
            whole = piece if whole is None else whole + piece
        usage = whole.usage_metadata
        cached = usage["input_token_details"]["cache_read"]
        saved = cached * (price["input"] - price["cached_input"]) / 1e6
        print(f"\n  {usage['input_tokens']} prompt tokens, {cached} of them cached: ${saved:.6f} saved")
        history += [HumanMessage(question), AIMessage(whole.content)]
