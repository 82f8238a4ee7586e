"""`enable_visualize_radix_tree`: the cache as a page, written now and after each run."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

from radixa.core.errors import RadixaError
from radixa.lang.base import Backend
from radixa.lang.default import default_backend
from radixa.lang.state import State
from radixa.viewer.page import page

_lock = threading.Lock()
_file: Path | None = None
_warned = False


def enable_visualize_radix_tree(path: str | Path | None = "radix_cache.html") -> None:
    """Write the radix tree of the back end to `path`, one self-contained page, now and after each run; None ends it.

    Where nobody answers it warns once and goes on.
    """
    global _file, _warned
    with _lock:
        _file, _warned = None if path is None else Path(path), False
    if path is not None:
        _write(default_backend())


def view_after_run(state: State) -> None:
    """Write the page again once the run is complete, where one is wanted."""
    if _file is not None:
        state.sync()
        _write(state.executor.backend)


def _write(backend: Backend) -> None:
    global _warned
    with _lock:
        if _file is None:
            return
        try:
            text = page(backend.tree(), str(backend.get_server_info().get("address", "the engine of this process")))
        except RadixaError as error:
            if not _warned:
                warnings.warn(f"the radix tree cannot be shown: {error.message}", stacklevel=3)
            _warned = True
            return
        _file.write_text(text, "utf-8")
