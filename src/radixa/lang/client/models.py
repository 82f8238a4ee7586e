"""Which models a server offers."""

from __future__ import annotations

import difflib
from typing import Any

from radixa.lang.client.calls import Steps, run


def list_supported_models(client: Any = None) -> Any:
    """The ids of the models that the server offers, in its order; for an asynchronous client, a coroutine of that."""
    return run(client, _ids)


def validate_model(name: str, client: Any = None) -> Any:
    """True where the server offers the model; else ValueError names those that it offers."""

    def steps(client: Any) -> Steps[bool]:
        offered = yield from _ids(client)
        if name in offered:
            return True
        near = difflib.get_close_matches(name, offered, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name!r} is not offered.{hint} Supported: {', '.join(offered) or 'none'}.")

    return run(client, steps)


def _ids(client: Any) -> Steps[list[str]]:
    found = yield lambda: client.models.list()
    return [model.id for model in found.data]
