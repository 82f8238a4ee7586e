"""Why a connection failed, in words that a caller may see."""

from __future__ import annotations

import os

import aiohttp


def reason(error: Exception) -> str:
    """What went wrong, without any address: that is the operator's to know."""
    inner: BaseException = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, aiohttp.ClientPayloadError):
        return "the connection ended too early"
    if isinstance(inner, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate cannot be trusted, or it speaks no TLS"
    if isinstance(inner, OSError) and inner.errno:
        # Its own text has the address in it.
        return os.strerror(inner.errno).lower()
    return type(inner).__name__
