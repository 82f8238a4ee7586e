"""Which addresses events may be published at."""

from __future__ import annotations

import ipaddress
import re

from radixa.core.errors import ConfigError

_TCP = re.compile(r"tcp://(?P<host>\[[^\]]+\]|[^:\[\]/]+):(?P<port>\d{1,5}|\*)")


def checked(name: str, endpoint: str, allow_remote: bool) -> str:
    """The address to bind to. ConfigError for what is none, and for what other machines reach unless that is allowed.

    `name` is what the setting is called in the error.
    """
    if endpoint.startswith("ipc://") and len(endpoint) > len("ipc://"):
        return endpoint
    found = _TCP.fullmatch(endpoint)
    if found is None or (found["port"] != "*" and int(found["port"]) > 65535):
        raise ConfigError(
            f"KV events: {name} = {endpoint!r} is no address; expected tcp://127.0.0.1:PORT or ipc:///a/file"
        )
    host = "127.0.0.1" if found["host"] == "localhost" else found["host"]
    if not allow_remote and not _is_loopback(host):
        raise ConfigError(
            f"KV events: {name} = {endpoint!r} is reached from other machines, and the events hold everyone's prompts "
            "for whoever connects; expected a loopback address such as tcp://127.0.0.1:5557"
        )
    return f"tcp://{host}:{found['port']}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
