"""The sockets of this process, where the HTTP server gives no hold of them: found among its open files.

Only what is rare is done this way: each call looks at every open file.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress

_OPEN_FILES = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_SPARE_FILES = 256
"""For the database, the log, the libraries, and the engine's process."""


def raise_file_limit() -> int:
    """Let this process open as many files as its hard limit allows; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems say "unlimited" and do not mean it.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if found == resource.RLIM_INFINITY else found


def connections_for(wanted: int, files: int) -> int:
    """`wanted` connections, or as many as `files` open files allow: each may need a second one to an upstream."""
    return max(1, min(wanted, (files - _SPARE_FILES) // 2))


def let_go_of_the_dead(port: int, seconds: float) -> bool:
    """Let the system end connections of the listener at `port` whose client takes nothing that was sent for so long.

    Accepted connections inherit it. False where the listener is not found, or the system has no such option.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None:
        return False
    found = False
    for one in _own_sockets():
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and one.getsockname()[1] == port:
            one.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1e3))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            found = True
    return found


def cut(client: tuple[str, int]) -> bool:
    """End the connection that comes from there, whatever is still to be sent on it. False where there is none."""
    for one in _own_sockets():
        with suppress(OSError):
            if one.getpeername()[:2] == client:
                one.shutdown(socket.SHUT_RDWR)
                return True
    return False


def cut_all(port: int) -> None:
    """End every connection that came to `port`, whatever is still to be sent on it."""
    for one in _own_sockets():
        with suppress(OSError):
            if one.getsockname()[1] == port and one.getpeername():
                one.shutdown(socket.SHUT_RDWR)


def _own_sockets() -> Iterator[socket.socket]:
    """Every internet stream socket of this process, each as a duplicate that is closed when the next one is asked for:
    a number that meanwhile stands for another file does no harm."""
    for name in os.listdir(_OPEN_FILES):
        try:
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with one:
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                yield one
