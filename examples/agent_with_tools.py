"""An agent: the model calls functions, the last of which is its answer. Each call sends the whole conversation again.

radixa serve --sandbox
RADIXA_API_KEY=rx-… python examples/agent_with_tools.py
"""

from __future__ import annotations

import json
import os

from openai import OpenAI

MODEL = "gpt-4.1-mini"  # In the sandbox the engine answers under this name, at its price.
MOST_CALLS = 3
ORDERS = {"1042": {"item": "a lamp", "state": "lost"}, "1043": {"item": "a chair", "state": "on its way"}}
RULES = {"lost": "refund in full", "on its way": "no refund, ask the customer to wait"}
ANSWER = "answer_customer"


def tool(name: str, about: str, **arguments: list[str]) -> dict:
    """What the model is told of a function. The engine holds its calls to the values that each argument may have."""
    schema = {
        "type": "object",
        "properties": {argument: {"type": "string", "enum": values} for argument, values in arguments.items()},
        "required": list(arguments),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": about, "parameters": schema, "strict": True},
    }


FUNCTIONS = {"look_up_order": lambda number: ORDERS[number], "look_up_rule": lambda state: {"rule": RULES[state]}}
TOOLS = [
    tool("look_up_order", "What was ordered, and the state it is in.", number=list(ORDERS)),
    tool("look_up_rule", "What a customer gets where an order is in this state.", state=list(RULES)),
    tool(ANSWER, "Answer, once the order and the rule are known.", decision=list(RULES.values())),
]


def answer(client: OpenAI, question: str) -> str:
    messages = [
        {"role": "system", "content": "You are a shop's help desk. Look up the order, then the rule, then answer."},
        {"role": "user", "content": question},
    ]
    for call in range(1, MOST_CALLS + 1):
        # A small model would answer at once, or look things up for ever: the first call and the last are chosen for it.
        forced = {1: "look_up_order", MOST_CALLS: ANSWER}.get(call)
        found = client.chat.completions.create(
            model=MODEL,
            messages=messages,
            tools=TOOLS,
            tool_choice={"type": "function", "function": {"name": forced}} if forced else "required",
            parallel_tool_calls=False,
            temperature=0,
        )
        usage, message = found.usage, found.choices[0].message
        (called,) = message.tool_calls
        arguments = json.loads(called.function.arguments)
        print(
            f"  {called.function.name}({', '.join(arguments.values())}): {usage.prompt_tokens} prompt tokens, "
            f"{usage.prompt_tokens_details.cached_tokens} of them cached, ${usage.radixa['saved_usd']:.6f} saved"
        )
        if called.function.name == ANSWER:
            return arguments["decision"]
        result = FUNCTIONS[called.function.name](**arguments)
        messages.append(message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": called.id, "content": json.dumps(result)})
    raise AssertionError("the last call can only be the answer")


if __name__ == "__main__":
    url = os.environ.get("RADIXA_BASE_URL", "http://127.0.0.1:8000")
    with OpenAI(base_url=f"{url}/v1", api_key=os.environ["RADIXA_API_KEY"]) as client:
        for question in ("My order 1042 never came.", "Where is order 1043?"):
            print(question)
            print(f"  Answer: {answer(client, question)}")
