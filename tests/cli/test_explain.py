"""`radixa explain` against a gateway; and its picture of each reason."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from typer.testing import CliRunner, Result

from radixa.cli.explain import body_of, explain, picture
from radixa.cli.misses import words
from radixa.core.errors import CallFailed, RadixaError

from .serving import served


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as address:
        yield address


def chat(url: str, *turns: str) -> None:
    roles = ("system", "user")
    body = {"messages": [{"role": role, "content": text} for role, text in zip(roles, turns, strict=True)]}
    asked = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200


def run(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(explain)
    return CliRunner().invoke(app, arguments, env={"RADIXA_BASE_URL": None, "RADIXA_API_KEY": None})


def write(folder: Path, name: str, content: Any) -> str:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return str(file)


def test_where_a_body_leaves_the_cache(url: str, tmp_path: Path) -> None:
    chat(url, "You sort tickets.", "Where is my parcel, please?")
    messages = [
        {"role": "system", "content": "You sort tickets."},
        {"role": "user", "content": "Where is your parcel?\nHurry."},
    ]
    file = write(tmp_path, "request.json", {"messages": messages, "temperature": 0})
    found = run(file, "--url", url)
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "41 of 72 prompt tokens would hit (57 %): 41 device",
        "█" * 22 + "░" * 18,
        "It leaves the cache at token 41, in message 1: the cache goes on with something else here.",
        "",
        "  yours   your parcel?␊Hurry.␊assi",
        "  cached  my parcel, please?␊assis",
        "          ^^^^",
        "",
        "All that follows is computed again. Put what stays the same first, and what changes after it.",
    ]
    as_json = json.loads(run(file, "--url", url, "--json").output)
    assert (as_json["cached_tokens"], as_json["miss"]["reason"]) == (41, "diverged")
    # A list of messages is a body as well.
    assert run(write(tmp_path, "list.json", messages), "--url", url).output == found.output


def test_a_text_is_a_users_message(url: str, tmp_path: Path) -> None:
    file = write(tmp_path, "question.txt", "Where is it?")
    assert "at token 0: nothing that goes on like this was in the cache before." in run(file, "--url", url).output
    urllib.request.urlopen(
        urllib.request.Request(
            f"{url}/v1/chat/completions",
            json.dumps({"messages": [{"role": "user", "content": "Where is it?"}]}).encode(),
        ),
        timeout=10,
    ).close()
    found = run(file, "--url", url)
    assert found.output.splitlines()[0] == "29 of 30 prompt tokens would hit (97 %): 29 device"
    assert found.output.splitlines()[2] == "All of it is there; a prompt's last token is always computed."


def test_wrong_use(tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run(str(tmp_path / "nothing.json")).exit_code == 2
    assert run(str(tmp_path)).exit_code == 2


def test_failures(url: str, tmp_path: Path) -> None:
    refused = run(write(tmp_path, "body.json", {"messages": []}), "--url", url)
    assert isinstance(refused.exception, CallFailed)
    assert "400 Invalid 'messages'" in refused.exception.message
    unreachable = run(write(tmp_path, "text.txt", "x"), "--url", "http://127.0.0.1:9")
    assert isinstance(unreachable.exception, CallFailed)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RadixaError, match="not valid JSON"):
        body_of(Path(write(tmp_path, "x.json", "{")))
    (tmp_path / "x.txt").write_bytes(b"\xff")
    with pytest.raises(RadixaError, match="not text in UTF-8"):
        body_of(tmp_path / "x.txt")


@pytest.mark.parametrize("text", ["{", "[1, 2]", "42", '"quoted"', "{not json}"])
def test_a_text_may_look_like_anything(tmp_path: Path, text: str) -> None:
    assert body_of(Path(write(tmp_path, "x.txt", text))) == {"messages": [{"role": "user", "content": text}]}


def answer(**fields: Any) -> dict[str, Any]:
    miss = {"at": 10, "reason": "never_seen", "message": None, "yours": "a b", "tree": []} | fields
    tiers = {"device": 8, "host": 0, "disk": 2}
    return {"prompt_tokens": 40, "cached_tokens": 10, "tiers": tiers, "miss": miss, "volatile": None}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reason": "evicted", "evicted_at": time.time() - 9 * 3600}, "until it was evicted 9.0 h ago"),
        ({"reason": "expired", "expired_at": time.time() - 7200}, "until its TTL ran out 2.0 h ago"),
        ({"reason": "namespace", "yours": None}, "under another cache_salt"),
        ({"reason": "disabled", "yours": None}, "does not read the cache"),
        ({"reason": "below_minimum"}, "less than a page"),
        ({"reason": "one of tomorrow's"}, "one of tomorrow's"),
    ],
)
def test_each_reason_in_words(fields: dict[str, Any], told: str) -> None:
    shown = picture(answer(**fields))
    assert "10 of 40 prompt tokens would hit (25 %): 8 device, 2 disk" in shown
    assert told in shown
    assert ("  yours   a b" in shown) == (fields.get("yours", "a b") is not None)


def test_the_volatile_line() -> None:
    found = answer() | {"volatile": {"text": "Time: 10:00", "seen": 7, "cost_tokens": 1200}}
    shown = picture(found)
    assert "  Time: 10:00\n" in shown
    assert "7 requests had something else there; it costs 1,200 tokens each time." in shown


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    found = answer(yours="\x1b[2Jgone", tree=["\x1b]0;title\x07"])
    found["volatile"] = {"text": "\x1b[31m", "seen": 3, "cost_tokens": 40}
    assert not any(ord(sign) < 0x20 for line in picture(found).splitlines() for sign in line)


def test_a_long_text_is_cut() -> None:
    assert f"  yours   {'x' * 72}…" in picture(answer(yours="x" * 100))


def test_a_conversation_says_why_not_more_was_cached() -> None:
    from radixa.bench.client import Answer
    from radixa.cli.chat import summary

    told = Answer(started=1.0, first_token=1.5)
    miss = {"reason": "evicted", "evicted_at": time.time() - 3}
    told.usage = {"prompt_tokens": 9, "cached_tokens": 0, "radixa": {"miss": miss}}
    assert summary(told).startswith("0 of 9 prompt tokens cached (the rest was evicted 3 s ago), ")
    assert words({"reason": "diverged"}).short == "the rest differs from what is cached"


def test_the_help_has_an_example() -> None:
    assert click.unstyle(run("--help").output).count("Example: radixa explain") == 1
