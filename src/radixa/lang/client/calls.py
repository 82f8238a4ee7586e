"""One implementation for `openai.OpenAI` and `openai.AsyncOpenAI`.

A helper is written as steps: a generator that yields what is to be called and gets its result. For a client that blocks
they are run here; for an asynchronous one the helper gives a coroutine that runs them.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from radixa.core.addresses import DEFAULT_URL, root_url

if TYPE_CHECKING:
    import openai

T = TypeVar("T")

Steps = Generator[Callable[[], Any], Any, T]

NOT_REPORTED = "not reported"
"""Stands where a server does not say a figure: never 0, which would be one."""


def client_or_default(client: Any) -> Any:
    """`client`, or one made from `RADIXA_BASE_URL` (with or without `/v1`) and `RADIXA_API_KEY`."""
    return _default() if client is None else client


def _default() -> openai.OpenAI:
    import openai

    url = root_url(os.environ.get("RADIXA_BASE_URL") or DEFAULT_URL)
    # The SDK wants a key; a server without keys looks at none.
    return openai.OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("RADIXA_API_KEY") or "none")


def run(client: Any, steps: Callable[[Any], Steps[T]]) -> Any:
    """The steps' result, or for an asynchronous client a coroutine of it. A client made here is closed again."""
    import openai

    if isinstance(client, openai.AsyncOpenAI):
        return _awaited(steps(client))
    if client is not None:
        return _blocking(steps(client))
    with _default() as made:
        return _blocking(steps(made))


def _blocking(steps: Steps[T]) -> T:
    result: Any = None
    try:
        while True:
            result = _attempted(steps, result)
    except StopIteration as end:
        value: T = end.value
        return value


def _attempted(steps: Steps[Any], sent: Any) -> Any:
    """Run the next step; what it raises is raised inside the helper."""
    call = steps.throw(sent.error) if isinstance(sent, _Raised) else steps.send(sent)
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - raised again where the helper waits for the result
        return _Raised(error)


async def _awaited(steps: Steps[T]) -> T:
    result: Any = None
    try:
        while True:
            result = _attempted(steps, result)
            if inspect.isawaitable(result):
                try:
                    result = await result
                except Exception as error:  # noqa: BLE001 - raised again where the helper waits for the result
                    result = _Raised(error)
    except StopIteration as end:
        value: T = end.value
        return value


class _Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error
