"""What `/metrics` says of upstreams, limits, the ledger and the requests of this moment, on a real server."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.engineless import MODEL, answer_to, chat, connected, engineless, figures, head, until
from tests.gateway.live import KEY
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

AWAY = """
[providers.away]
kind = "openai-compatible"
base_url = "http://127.0.0.1:1/v1"
retries = 0
[[models]]
id = "first-choice"
provider = "away"
fallbacks = ["house-model"]
[[models]]
id = "narrow"
provider = "house"
rpm = 1
"""


def named(model: str) -> bytes:
    body = b'{"model": "%s", "messages": [{"role": "user", "content": "say 2"}]}' % model.encode()
    return head("POST", "/v1/chat/completions", content_length=str(len(body))) + body


def test_upstreams_limits_and_fallbacks(tmp_path: Path) -> None:
    stand_in = OpenAIStandIn()
    with engineless(tmp_path, stand_in, toml=AWAY) as live:
        found = figures(live)
        # There before anything has happened, so that a rate can be taken of it.
        assert found["radixa_upstream_requests_total{provider=house}"] == 0
        assert found["radixa_upstream_failures_total{kind=timeout,provider=house}"] == 0
        assert found["radixa_refused_total{kind=requests}"] == 0
        assert found["radixa_upstream_servers{provider=house}"] == 1

        stand_in.faults = [Fault("status", 500), Fault("status", 429, headers={"retry-after": "0"})]
        assert answer_to(live, named(MODEL))[0] == 200
        stand_in.faults = [Fault("status", 400)]
        assert answer_to(live, named(MODEL))[0] == 400
        stand_in.faults = [Fault("cut_middle", after=2)]
        assert b"error" in answer_to(live, chat("say 5", stream=True))[2]
        found = figures(live)
        assert found["radixa_upstream_requests_total{provider=house}"] == 5
        assert found["radixa_upstream_retries_total{provider=house}"] == 2
        assert found["radixa_upstream_failures_total{kind=unavailable,provider=house}"] == 2
        assert found["radixa_upstream_failures_total{kind=limited,provider=house}"] == 1
        assert found["radixa_upstream_failures_total{kind=refused,provider=house}"] == 1

        # Five failures in a row, and its breaker opens; each time another model answers.
        for _ in range(6):
            assert answer_to(live, named("first-choice"))[0] == 200
        found = figures(live)
        assert found[f"radixa_fallbacks_total{{from_model=first-choice,to_model={MODEL}}}"] == 6
        assert found["radixa_upstream_requests_total{provider=away}"] == 5
        assert found["radixa_upstream_open_breakers{provider=away}"] == 1
        assert found["radixa_upstream_open_breakers{provider=house}"] == 0

        assert answer_to(live, named("narrow"))[0] == 200
        assert answer_to(live, named("narrow"))[0] == 429
        assert figures(live)["radixa_refused_total{kind=requests}"] == 1

        # Names that nobody offers make no series.
        answer_to(live, named("made-up-name"))
        _, _, text = answer_to(live, head("GET", "/metrics"))
        for secret in (b"made-up-name", b"key_", b"acct_", KEY.encode()):
            assert secret not in text


def test_what_runs_now_and_what_waits_for_the_database(tmp_path: Path) -> None:
    stand_in = OpenAIStandIn()
    stand_in.faults = [Fault("stall_middle", after=3)]
    with engineless(tmp_path, stand_in) as live:
        with connected(live) as client:
            client.sendall(chat("say 9", stream=True))
            assert client.recv(16)
            # The stream, and the request that asks.
            until(lambda: figures(live)["radixa_requests_running{}"] == 2)
        until(lambda: figures(live)["radixa_requests_running{}"] == 1)
        until(lambda: figures(live)["radixa_ledger_waiting_rows{}"] == 0)
        assert figures(live)["radixa_requests_total{route=/v1/chat/completions,status=499}"] == 1
