"""A chat completion that survives limits and hiccups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ATTEMPTS = 6
LONGEST_WAIT_S = 60.0


def robust_completion(
    messages: Sequence[Mapping[str, Any]], model: str = "deepseek-chat", client: Any = None, **options: Any
) -> Any:
    """What `chat.completions.create` gives, asked again on 429, on 5xx and where no connection came about.

    It waits what `retry-after` says, else longer each time. After six attempts, or where the server says that another
    one is pointless, the last error is raised. For an asynchronous client, a coroutine.
    """
    import openai
    import tenacity

    from radixa.lang.client.calls import client_or_default

    policy: dict[str, Any] = {
        "retry": tenacity.retry_if_exception(_passes),
        "wait": _wait,
        "stop": tenacity.stop_after_attempt(ATTEMPTS),
        "reraise": True,
    }
    asked = client_or_default(client)
    # The SDK's own attempts would multiply with these.
    create = asked.with_options(max_retries=0).chat.completions.create
    body = {"model": model, "messages": list(messages), **options}
    if isinstance(asked, openai.AsyncOpenAI):

        async def attempt() -> Any:
            return await create(**body)

        return tenacity.AsyncRetrying(**policy)(attempt)
    try:
        return tenacity.Retrying(**policy)(create, **body)
    finally:
        if client is None and not options.get("stream"):
            asked.close()


def _passes(error: BaseException) -> bool:
    """Whether another attempt may do better."""
    import openai

    if isinstance(error, openai.APIConnectionError):
        return True
    if not isinstance(error, openai.APIStatusError):
        return False
    if error.response.headers.get("x-should-retry") == "false" or error.code == "insufficient_quota":
        return False
    return error.status_code == 429 or error.status_code >= 500


def _wait(attempt: Any) -> float:
    """Seconds before the next attempt: what the server asks for, else about 1, 2, 4 …"""
    import tenacity

    error = attempt.outcome.exception()
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return min(LONGEST_WAIT_S, float(headers[name]) * unit)
        except (KeyError, ValueError):  # absent, or a date
            continue
    return float(tenacity.wait_exponential_jitter(initial=1, max=LONGEST_WAIT_S)(attempt))
