"""What a server says of the caller's rate limits."""

from __future__ import annotations

from typing import Any

from radixa.lang.client.calls import NOT_REPORTED, Steps, run

_KINDS = ("requests", "tokens")


def check_rate_limit_status(client: Any = None) -> Any:
    """`{"limits": [...]}`: of each limit its `scope` and `model`, and for `requests` and `tokens` the `limit`, what is
    `remaining` and in how many milliseconds all of it is back (`reset_ms`).

    A server of another make is read by its `x-ratelimit-*` headers (`reset` is in its own words then); where it has
    none either, `limits` is "not reported". For an asynchronous client, a coroutine of that.
    """
    return run(client, _status)


def _status(client: Any) -> Steps[dict[str, Any]]:
    import openai

    try:
        found = yield lambda: client.get("/rate_limits", cast_to=object)
        return {"limits": found["data"]}
    except (openai.NotFoundError, openai.BadRequestError, openai.PermissionDeniedError, TypeError, KeyError):
        raw = yield lambda: client.models.with_raw_response.list()
    limit: dict[str, Any] = {"scope": "key", "model": None}
    for kind in _KINDS:
        values = {name: raw.headers.get(f"x-ratelimit-{name}-{kind}") for name in ("limit", "remaining", "reset")}
        if values["limit"] is not None:
            counts = {name: int(values[name]) for name in ("limit", "remaining") if values[name] is not None}
            limit[kind] = {**counts, "reset": values["reset"]}
    return {"limits": [limit] if any(kind in limit for kind in _KINDS) else NOT_REPORTED}
