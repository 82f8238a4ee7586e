"""Passages of a collection of documents, for a prompt."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from radixa.core.errors import InvalidRequest
from radixa.lang.client.calls import Steps, run
from radixa.lang.default import backend_or_default
from radixa.lang.text_backend import missing_collection

BETWEEN = "\n\n"
"""Stands between two passages."""


def retrieve(collection: str, query: str, k: int = 4, client: Any = None) -> Any:
    """The text of the `k` best passages of a collection for `query`, in the order that the cache holds already.

    The back end of the running program is asked, else the default one; or `client`, an `openai.OpenAI` of a server of
    ours. For an asynchronous client, a coroutine. A collection that is not there: an error that says how to make one.
    """
    if k < 1:
        raise InvalidRequest(f"retrieve: k is {k}. Expected 1 or more.", param="k")
    if client is None:
        return BETWEEN.join(backend_or_default(None).search(collection, query, k))
    return run(client, lambda client: _steps(client, collection, query, k))


def _steps(client: Any, collection: str, query: str, k: int) -> Steps[str]:
    import openai

    path = f"/collections/{quote(collection, safe='')}/search"
    try:
        found = yield lambda: client.post(path, body={"query": query, "k": k}, cast_to=object)
    except openai.NotFoundError as error:
        raise missing_collection(collection, str(client.base_url)) from error
    return BETWEEN.join(passage["text"] for passage in found["data"])
