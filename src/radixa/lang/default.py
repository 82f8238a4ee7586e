"""The back end of programs that name none."""

from __future__ import annotations

import threading
from typing import Any

from radixa.lang.base import Backend
from radixa.lang.current import running

_chosen: Backend | None = None
_made: Backend | None = None
_lock = threading.Lock()


def set_default_backend(backend: Backend | None) -> None:
    """Answer programs by `backend` from now on; None goes back to the server that the environment names."""
    global _chosen, _made
    with _lock:
        made, _made, _chosen = _made, None, backend
    if made is not None:
        made.shutdown()


def default_backend() -> Backend:
    """The one that was set, else `RADIXA_BASE_URL`, else a server on this machine's port 8000."""
    global _made
    with _lock:
        if _chosen is not None:
            return _chosen
        if _made is None:
            from radixa.lang.backends.endpoint import RuntimeEndpoint

            _made = RuntimeEndpoint()
        return _made


def backend_or_default(backend: Backend | None) -> Backend:
    """`backend`, else that of the program that runs here, else the default."""
    if backend is not None:
        return backend
    now = running()
    return now.backend if now is not None and now.backend is not None else default_backend()


def flush_cache(backend: Backend | None = None) -> dict[str, Any]:
    """Drop what the back end's cache holds and nobody uses."""
    return backend_or_default(backend).flush_cache()


def get_server_info(backend: Backend | None = None) -> dict[str, Any]:
    """What the back end tells of itself: its model, and its cache's counters where it has one."""
    return backend_or_default(backend).get_server_info()
