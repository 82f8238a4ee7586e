"""Where the server listens: taken before anything is started, so that a port in use is one clear line."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from radixa.core.errors import ConfigError

BACKLOG = 2048
"""Connections that may wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Address:
    """`host` as the user wrote it, the port, which is no longer 0, and the socket that has both, not yet listening."""

    host: str
    port: int
    listener: socket.socket

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def take(host: str, port: int, *, auth: bool) -> Address:
    """The address to listen on; port 0 becomes a free one. Its `listener` is the caller's to close.

    ConfigError where it cannot be had, and where keys are off (`auth` false) on an address that others can reach.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(f"server.host = {host!r}: expected an address of this machine ({error})") from error
    ip = str(place[0])
    if not auth and not ipaddress.ip_address(ip.partition("%")[0]).is_loopback:
        raise ConfigError(
            f"--no-auth on {host}: refused, since anyone who reaches that address could use the server. "
            "Keep the keys, or listen on 127.0.0.1"
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        # Two sockets may be bound to one port as long as neither listens.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(_refusal(host, port, error)) from error
    return Address(host, int(listener.getsockname()[1]), listener)


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or choose another (--port)"
    if error.errno == errno.EACCES:
        return f"port {port} on {host}: not permitted; choose one from 1024 on (--port)"
    return f"cannot listen on {host}, port {port}: {error.strerror}; expected an address of this machine"
