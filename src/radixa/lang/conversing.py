"""`set_system_prompt`: a word that is called inside a program, with or without `s`."""

from __future__ import annotations

import warnings

from radixa.core.errors import CallFailed, EngineUnavailable
from radixa.lang.base import Prompt, Turn
from radixa.lang.current import running
from radixa.lang.default import backend_or_default
from radixa.lang.expressions import SystemPrompt

_warned = False


def set_system_prompt(text: str) -> None:
    """The system message of the conversation that the running program builds; said before anything else.

    In a function without `s`, or outside of all, the back end computes that message and keeps it, so that the requests
    that begin with it find it there; no message of anybody's client is changed. Where no server answers it warns once.
    """
    global _warned
    now = running()
    if now is not None and now.state is not None:
        now.state.executor.submit(SystemPrompt(text))
        return
    backend = backend_or_default(None)
    try:
        form = backend.format
        opened = form.opened("", (), "system", generating=False)
        turns = (Turn("system", text),)
        backend.warm(Prompt(form.closed(opened + text, turns), turns))
    except (CallFailed, EngineUnavailable) as error:
        if not _warned:
            warnings.warn(f"set_system_prompt: the message could not be warmed: {error.message}", stacklevel=2)
        _warned = True
