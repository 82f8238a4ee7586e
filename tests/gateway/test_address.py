"""Where the server may listen, and what it says where it may not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from radixa.core.errors import ConfigError
from radixa.gateway.address import Address, take


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody listens on, willing to share it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_port_0_is_a_free_one() -> None:
    found = take("127.0.0.1", 0, auth=True)
    with found.listener:
        assert found.port > 0
        assert found.url == f"http://127.0.0.1:{found.port}"


def test_a_name_is_resolved() -> None:
    found = take("localhost", 0, auth=False)
    with found.listener:
        assert found.listener.getsockname()[0] in ("127.0.0.1", "::1")
        assert found.url.startswith("http://localhost:")


def test_a_taken_port(taken: int) -> None:
    with pytest.raises(ConfigError, match=rf"port {taken} on 127\.0\.0\.1 is in use: .*--port"):
        take("127.0.0.1", taken, auth=True)


@pytest.mark.parametrize("host", ["nowhere.invalid", "256.1.1.1", "192.0.2.1", "a" * 300])
def test_an_address_of_nobody_or_of_somebody_else(host: str) -> None:
    with pytest.raises(ConfigError, match="expected an address of this machine"):
        take(host, 0, auth=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_no_keys_on_loopback_only(host: str) -> None:
    with pytest.raises(ConfigError, match=r"--no-auth on .*refused"):
        take(host, 0, auth=False)
    with take("127.0.0.1", 0, auth=False).listener as listener:
        assert listener.getsockname()[1] > 0


def test_it_is_taken_from_then_on() -> None:
    with take("127.0.0.1", 0, auth=True).listener as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match="is in use"):
            take("127.0.0.1", port, auth=True)
    take("127.0.0.1", port, auth=True).listener.close()


def test_urls_of_ipv6() -> None:
    with socket.socket() as listener:
        assert Address("::1", 80, listener).url == "http://[::1]:80"
