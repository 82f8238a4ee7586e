"""What is left, as headers: OpenAI's and Anthropic's from the same figures."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from radixa.gateway.asgi import Header


class Left(msgspec.Struct, frozen=True):
    """What is left under one limit, and in how many milliseconds all of it is."""

    limit: int
    remaining: int
    reset: int


class Standing(msgspec.Struct, frozen=True):
    """Of the requests and the tokens, the limit that has the least left; None where nothing limits them."""

    now: int
    requests: Left | None = None
    tokens: Left | None = None


def openai_headers(standing: Standing) -> tuple[Header, ...]:
    found: list[Header] = []
    for name, left in ((b"requests", standing.requests), (b"tokens", standing.tokens)):
        if left is not None:
            found += [
                (b"x-ratelimit-limit-" + name, b"%d" % left.limit),
                (b"x-ratelimit-remaining-" + name, b"%d" % left.remaining),
                (b"x-ratelimit-reset-" + name, duration(left.reset).encode()),
            ]
    return tuple(found)


def anthropic_headers(standing: Standing) -> tuple[Header, ...]:
    found: list[Header] = []
    for name, left in ((b"requests", standing.requests), (b"tokens", standing.tokens)):
        if left is not None:
            found += [
                (b"anthropic-ratelimit-" + name + b"-limit", b"%d" % left.limit),
                (b"anthropic-ratelimit-" + name + b"-remaining", b"%d" % left.remaining),
                (b"anthropic-ratelimit-" + name + b"-reset", _instant(standing.now + left.reset)),
            ]
    return tuple(found)


def duration(ms: int) -> str:
    """As OpenAI writes one: `12ms`, `1.5s`, `6m0s`, `1h0m0s`."""
    if ms <= 0:
        return "0s"
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    seconds = f"{rest // 1000}.{rest % 1000:03d}".rstrip("0").rstrip(".") + "s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _instant(ms: int) -> bytes:
    """RFC 3339, to the next whole second."""
    return datetime.fromtimestamp(-(-ms // 1000), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
