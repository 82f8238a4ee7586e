"""The parts of an ASGI call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Header = tuple[bytes, bytes]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CUT = "radixa.cut"
"""The ASGI extension that ends the request's connection at once, whatever is still to be sent on it."""
