"""The client over a real model: in a thread, in a child process, and when that process dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from radixa.core.base import SamplingParams
from radixa.core.errors import EngineUnavailable, ModelError, NotFound
from radixa.engine.base import EngineInfo, EngineOutput, EngineRequest, EngineSettings, TreeQuery
from radixa.engine.child import ChildConnection
from radixa.engine.client import EngineClient, start_engine
from radixa.engine.messages import FromEngine, Ready, ToEngine
from radixa.radix import Keep

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder

QUESTION = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


def settings(model: ModelFolder, **changes: object) -> EngineSettings:
    return EngineSettings(model=str(model.path), dtype="float32", kv_tokens=2048, **changes)  # type: ignore[arg-type]


def question(model: ModelFolder, name: str, max_tokens: int = 16, **changes: object) -> EngineRequest:
    from radixa.models.tokenizer import load_tokenizer

    prompt = load_tokenizer(model.path).encode(QUESTION)
    sampling = SamplingParams(max_tokens=max_tokens, temperature=0, **changes)  # type: ignore[arg-type]
    return EngineRequest(name, prompt, sampling=sampling)


async def collect(client: EngineClient, request: EngineRequest) -> list[EngineOutput]:
    return [output async for output in client.generate(request)]


def pid(client: EngineClient) -> int:
    assert isinstance(client.connection, ChildConnection)
    return client.connection.pid


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def child(smollm2: ModelFolder) -> AsyncIterator[EngineClient]:
    client = await start_engine(settings(smollm2))
    yield client
    await client.close()


async def test_a_child_process_answers(child: EngineClient, smollm2: ModelFolder) -> None:
    await child.flush()
    outputs = await collect(child, question(smollm2, "one"))
    assert "Paris" in "".join(o.text for o in outputs)
    assert outputs[-1].finish_reason == "stop"
    assert outputs[-1].usage is not None
    again = await collect(child, question(smollm2, "two"))
    assert [o.token_ids for o in again] == [o.token_ids for o in outputs]
    usage = again[-1].usage
    assert usage is not None
    assert usage.cached_tokens == usage.prompt_tokens - 1
    assert sum(len(node.token_ids) // 4 for node in (await child.tree(TreeQuery())).nodes) == (await child.stats()).tree
    assert (await child.flush()).tokens == usage.prompt_tokens + usage.completion_tokens - 1


async def test_requests_side_by_side_and_one_that_leaves(child: EngineClient, smollm2: ModelFolder) -> None:
    leaving = child.generate(question(smollm2, "leaving", 500, ignore_eos=True))
    await anext(leaving)
    staying = asyncio.create_task(collect(child, question(smollm2, "staying")))
    await leaving.aclose()
    assert "Paris" in "".join(o.text for o in await staying)
    stats = await child.stats()
    assert (stats.running, stats.waiting, stats.leased) == (0, 0, 0)
    assert stats.free + stats.tree == stats.capacity


async def test_a_refused_request_raises_what_the_engine_said(child: EngineClient) -> None:
    with pytest.raises(Exception, match="empty"):
        await collect(child, EngineRequest("r", b""))


async def test_a_dead_engine_fails_its_requests_and_is_started_again(child: EngineClient, smollm2: ModelFolder) -> None:
    stream = child.generate(question(smollm2, "victim", 500, ignore_eos=True))
    await anext(stream)
    first = pid(child)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineUnavailable, match=r"died \(signal 9, SIGKILL\)"):
        async for _ in stream:
            pass
    assert not child.ready
    with pytest.raises(EngineUnavailable, match="started again"):
        await anext(child.generate(question(smollm2, "too early")))
    for _ in range(600):
        if child.ready:
            break
        await asyncio.sleep(0.1)
    assert "Paris" in "".join(o.text for o in await collect(child, question(smollm2, "after")))
    assert pid(child) != first
    assert child.restarts == 1


async def test_an_engine_in_this_process(smollm2: ModelFolder) -> None:
    client = await start_engine(settings(smollm2), in_process=True)
    assert "Paris" in "".join(o.text for o in await collect(client, question(smollm2, "one")))
    await client.close()
    with pytest.raises(EngineUnavailable):
        await collect(client, question(smollm2, "two"))


@pytest.mark.parametrize("in_process", [True, False])
async def test_a_model_that_is_not_there(tmp_path: Path, in_process: bool) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        await start_engine(EngineSettings(model=str(tmp_path / "nowhere")), in_process=in_process)


async def test_nothing_is_imported_from_the_current_folder(
    shallow: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong random')")
    monkeypatch.chdir(tmp_path)
    client = await start_engine(settings(shallow))
    assert client.ready
    await client.close()


async def test_a_signal_to_the_group_leaves_the_end_to_the_parent(child: EngineClient, smollm2: ModelFolder) -> None:
    stream = child.generate(question(smollm2, "going on", 30, ignore_eos=True))
    await anext(stream)
    os.kill(pid(child), signal.SIGTERM)
    os.kill(pid(child), signal.SIGINT)
    assert len([output async for output in stream]) == 29


async def test_whatever_hinders_a_restart_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from radixa.engine import client as module

    monkeypatch.setattr(module, "RESTART_SECONDS", (0.0,))
    info = EngineInfo("m", "float32", 100, 10, 100, 4, "none", "none")
    tries = 0

    class Dying:
        """Ready at once, and gone with the next message."""

        def __init__(self) -> None:
            self.messages: list[FromEngine] = [Ready(info)]

        async def receive(self) -> FromEngine:
            if self.messages:
                return self.messages.pop()
            if tries < 5:
                raise EngineUnavailable("it died")
            await asyncio.Event().wait()
            raise AssertionError

        def send(self, message: ToEngine) -> None: ...

        async def close(self) -> None: ...

    async def connect(settings: EngineSettings) -> Dying:
        nonlocal tries
        tries += 1
        if tries in (2, 3):
            raise BlockingIOError("no more processes")
        return Dying()

    client = EngineClient(EngineSettings(model="m"), connect, restart=True)
    await client.start()
    for _ in range(200):
        if tries >= 5 and client.ready:
            break
        await asyncio.sleep(0.01)
    assert client.ready
    assert client.restarts == 2
    await client.close()


async def test_a_folder_too_long_for_a_socket_is_said_and_left_clean(
    smollm2: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(EngineUnavailable, match="could not be started"):
        await start_engine(settings(smollm2))
    assert list(deep.iterdir()) == []


async def test_what_happens_in_the_tree_is_told_across_processes(child: EngineClient, smollm2: ModelFolder) -> None:
    await child.flush()
    await child.changes()
    await collect(child, question(smollm2, "told", 4))
    told = await child.changes()
    assert sum(len(node.token_ids) for node in told.nodes) >= len(question(smollm2, "told").token_ids)
    assert told.locked == []
    last = told.nodes[-1]
    path = await child.node(last.id)
    assert path[-1].token_ids == last.token_ids
    assert all(node.keep == Keep(pin=True) for node in await child.keep(last.id, None, Keep(pin=True)))
    assert {touch.id for touch in (await child.changes()).touches} == {node.id for node in path}
    await child.flush()
    assert {gone.id for gone in (await child.changes()).removals} >= {node.id for node in path}
    with pytest.raises(NotFound, match="no such node"):
        await child.node(last.id)
