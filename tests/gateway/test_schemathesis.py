"""Schemathesis reads the server's own description and sends what it allows, and what it does not, over a socket.

It holds every answer against the description: no failure of the server, no status, content type or shape that is not
described, nothing accepted that is not allowed, no route that answers without its key.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from radixa.gateway.routes import every_route
from tests.gateway.conftest import Build, World
from tests.gateway.dialects.scripted import listening

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
OPERATIONS = sum(len(route.methods) for route in every_route())
LIMIT = 16 << 20
"""The usual one: arrays longer than the description allows must be refused for that, not for their bytes."""


def client_key(world: World, *, admin: bool) -> str:
    found = world.client if admin else world.account_client("plain")[1]
    assert found.key is not None
    return found.key


async def run(world: World, folder: Path, key: str, *options: str) -> str:
    """What it reports of all operations. AssertionError with its log's end where it found anything."""
    async with listening(world.app) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS)]
        command += ["--generation-with-security-parameters", "false", "--generation-database", "none"]
        command += ["--seed", "1", "--no-shrink", "--no-color", "--warnings", "off", *options]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    text = output.decode()
    shown = "\n".join(line[:400] for line in text.splitlines())
    assert process.returncode == 0, shown[-8000:]
    # It has the description already, and does not ask for it again.
    assert f"Tested: {OPERATIONS - 1}" in text, shown[-2000:]
    return text


def cases(report: str) -> int:
    found = re.search(r"(\d+) generated", report)
    assert found is not None, report[-2000:]
    return int(found[1])


async def test_a_few_of_all_requests(build: Build, tmp_path: Path) -> None:
    world = build(max_body_bytes=LIMIT)
    report = await run(world, tmp_path, client_key(world, admin=True), "--phases", "fuzzing", "--max-examples", "2")
    assert cases(report) > OPERATIONS


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("admin", [True, False])
async def test_many_requests(build: Build, tmp_path: Path, admin: bool) -> None:
    world = build(max_body_bytes=LIMIT)
    options = ("--phases", "coverage,fuzzing,stateful", "--max-examples", "15")
    assert cases(await run(world, tmp_path, client_key(world, admin=admin), *options)) > 5_000
