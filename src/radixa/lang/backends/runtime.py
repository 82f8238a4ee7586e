"""A server of our own, for as long as a program needs it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from radixa.core.variables import variable_of
from radixa.lang.backends.endpoint import RuntimeEndpoint
from radixa.lang.serving import started


class Runtime(RuntimeEndpoint):
    """Starts `radixa serve MODEL` on a free port of this machine, without keys and with a database that is thrown away.

    `settings` are by section, such as `engine={"dtype": "float32"}`. `shutdown` stops it, as does the end of the
    program; it is also a context.
    """

    def __init__(self, model_path: str = "smollm2", **settings: dict[str, Any]) -> None:
        variables = {
            variable_of(section, name): str(value).lower() if isinstance(value, bool) else str(value)
            for section, values in settings.items()
            for name, value in values.items()
        }
        self._running = ExitStack()
        self._server = self._running.enter_context(started(model_path, settings=variables))
        super().__init__(self._server.url)

    @property
    def url(self) -> str:
        return self._server.url

    def shutdown(self) -> None:
        super().shutdown()
        self._running.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *reason: object) -> None:
        self.shutdown()
