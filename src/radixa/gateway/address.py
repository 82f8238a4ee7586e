"""Where the server listens: checked before anything is started, so that a taken port is one clear line."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass

from radixa.core.errors import ConfigError

_ANSWERS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """`host` as the user wrote it, the IP address it stands for, and the port, which is no longer 0."""

    host: str
    ip: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def answers(self) -> None:
        """Wait until something accepts connections here. ConfigError where nothing does for long."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                while not await self._accepts():  # noqa: ASYNC110 - a server in Rust sets no event of ours
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise ConfigError(f"nothing accepts connections at {self.url}, though the server was started") from None

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.ip, self.port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True


def bindable(host: str, port: int, *, auth: bool) -> Address:
    """The address to listen on; port 0 becomes a free one.

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
    # The HTTP server shares a port with whoever else wants to share it. This socket does not, and so finds out.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            raise ConfigError(_refusal(host, port, error)) from error
        return Address(host, ip, int(probe.getsockname()[1]))


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or choose another (--port)"
    if error.errno == errno.EACCES:
        return f"port {port} on {host}: not permitted; choose one from 1024 on (--port)"
    return f"cannot listen on {host}, port {port}: {error.strerror}; expected an address of this machine"
