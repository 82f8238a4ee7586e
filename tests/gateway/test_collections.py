"""`/v1/collections` over HTTP: whose documents they are, in which forms they come, in which order they are found."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

import radixa as rx
from radixa.core.errors import InvalidRequest
from tests.documents.test_reading import pdf
from tests.gateway.conftest import Build, World
from tests.gateway.dialects.scripted import listening
from tests.gateway.fakes import Answer

APPLE = "A red fruit that grows on trees."
CHERRY = "A red fruit in pairs."
BEET = "A red root."


def document(name: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "text": text, **fields}


@asynccontextmanager
async def asking(world: World) -> AsyncIterator[openai.AsyncOpenAI]:
    """The SDK before a socket of that world's."""
    async with (
        listening(world.app) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=world.client.key or "") as client,
    ):
        yield client


async def filled(world: World) -> Answer:
    documents = [document("apple", APPLE), document("cherry", CHERRY), document("beet.md", f"# Beet\n\n{BEET}")]
    return await world.client.post("/v1/collections/garden", {"documents": documents})


async def search(world: World, query: str, **fields: Any) -> dict[str, Any]:
    answer = await world.client.post("/v1/collections/garden/search", {"query": query, **fields})
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def test_a_collection_from_its_beginning_to_its_end(world: World) -> None:
    made = await world.client.post("/v1/collections", {"name": "garden"})
    assert made.status == 200
    assert made.json["object"] == "collection"
    assert (made.json["documents"], made.json["passages"]) == (0, 0)
    added = (await filled(world)).json
    assert [(one["name"], one["format"], one["passages"]) for one in added["data"]] == [
        ("apple", "text", 1),
        ("cherry", "text", 1),
        ("beet.md", "markdown", 1),
    ]
    (listed,) = (await world.client.get("/v1/collections")).json["data"]
    assert (listed["name"], listed["documents"], listed["passages"]) == ("garden", 3, 3)
    shown = (await world.client.get("/v1/collections/garden")).json
    assert [one["name"] for one in shown["data"]] == ["apple", "beet.md", "cherry"]
    gone = await world.client.delete("/v1/collections/garden/documents?document=beet.md")
    assert gone.json == {
        "id": added["data"][2]["id"],
        "object": "collection.document",
        "name": "beet.md",
        "deleted": True,
    }
    assert (await world.client.delete("/v1/collections/garden")).json["deleted"] is True
    assert (await world.client.get("/v1/collections")).json["data"] == []


async def test_what_is_found_says_where_it_stands(world: World) -> None:
    await filled(world)
    found = await search(world, "a root", k=1)
    (passage,) = found["data"]
    assert passage["text"] == f"Beet\n\n{BEET}"
    assert (passage["document"], passage["position"], passage["heading"], passage["rank"]) == ("beet.md", 0, "Beet", 1)
    assert (found["collection"], found["order"], found["held"]) == ("garden", "cache", 0)


async def test_the_order_that_was_handed_out_comes_first(world: World) -> None:
    await filled(world)
    first = [one["document"] for one in (await search(world, "red fruit on trees", k=2))["data"]]
    ranked = await search(world, "red root, pairs", k=3, order="rank")
    found = await search(world, "red root, pairs", k=3)
    assert {one["id"] for one in ranked["data"]} == {one["id"] for one in found["data"]}
    assert [one["rank"] for one in ranked["data"]] == [1, 2, 3]
    assert [one["document"] for one in found["data"]][:2] == first
    assert found["held"] == 2


async def test_documents_come_in_several_forms(world: World) -> None:
    file = pdf("words of a page")
    whole = {"documents": [{"name": "a.pdf", "data": base64.b64encode(file).decode()}]}
    answers = [await world.client.post("/v1/collections/forms", whole)]
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="b.pdf"\r\n\r\n%b\r\n--x--\r\n' % file
    answers.append(
        await world.client.post("/v1/collections/forms", form, content_type="multipart/form-data; boundary=x")
    )
    for name, kind, data in (
        ("c", "application/pdf", file),
        ("d", "text/html; charset=utf-8", b"<h1>T</h1><p>words</p>"),
        ("e.md", "text/plain", b"# T\n\nwords"),
    ):
        answers.append(await world.client.post(f"/v1/collections/forms?document={name}", data, content_type=kind))
    made = await world.client.post("/v1/collections", {"name": "two", "documents": [document("f", "words")]})
    assert made.json["documents"] == 1
    assert [answer.json["data"][0]["format"] for answer in answers] == ["pdf", "pdf", "pdf", "html", "markdown"]
    found = await world.client.post("/v1/collections/forms/search", {"query": "words", "k": 10})
    assert {one["document"] for one in found.json["data"]} == {"a.pdf", "b.pdf", "c", "d", "e.md"}


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("", {}, 400, "name"),
        ("", {"name": "a/b"}, 400, "name"),
        ("", {"name": "x" * 201}, 400, "name"),
        ("", {"name": "taken"}, 409, "name"),
        ("/new", {"documents": []}, 400, "documents"),
        ("/new", {"documents": [{"text": "x"}]}, 400, "documents[0].name"),
        ("/new", {"documents": [{"name": "a"}]}, 400, "documents[0].text"),
        ("/new", {"documents": [{"name": "a", "text": "x", "data": "eA=="}]}, 400, "documents[0].text"),
        ("/new", {"documents": [{"name": "a", "data": "%"}]}, 400, "documents[0].data"),
        ("/new", {"documents": [{"name": "a", "text": "x", "format": "docx"}]}, 400, "documents[0].format"),
        ("/new", {"documents": [{"name": "a.pdf", "text": "x"}]}, 400, "documents[0].text"),
        ("/new", {"documents": [{"name": "a", "text": " "}]}, 400, "documents"),
        ("/new", {"documents": [{"name": "a\n", "text": "x"}]}, 400, "name"),
        ("/taken/search", {}, 400, "query"),
        ("/taken/search", {"query": ""}, 400, "query"),
        ("/taken/search", {"query": "x", "k": 0}, 400, "k"),
        ("/taken/search", {"query": "x", "k": 101}, 400, "k"),
        ("/taken/search", {"query": "x", "order": "any"}, 400, "order"),
        ("/absent/search", {"query": "x"}, 404, "name"),
    ],
)
async def test_what_cannot_be_names_its_field(world: World, path: str, body: Any, status: int, param: str) -> None:
    await world.client.post("/v1/collections", {"name": "taken"})
    answer = await world.client.post(f"/v1/collections{path}", body)
    assert (answer.status, answer.error["param"]) == (status, param), answer.body


async def test_uploads_that_cannot_be(world: World) -> None:
    unnamed = await world.client.post("/v1/collections/new", b"words", content_type="text/plain")
    assert (unnamed.status, unnamed.error["param"]) == (400, "document")
    empty = await world.client.post("/v1/collections/new", b"--x--", content_type="multipart/form-data; boundary=x")
    assert "0 files" in empty.error["message"]
    assert (await world.client.delete("/v1/collections/new/documents")).error["param"] == "document"
    assert (await world.client.delete("/v1/collections/new/documents?document=a")).status == 404


async def test_a_body_over_the_limit_is_refused(build: Build) -> None:
    world = build(max_body_bytes=1_000)
    answer = await world.client.post("/v1/collections/new", {"documents": [document("a", "x" * 1_000)]})
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


async def test_accounts_see_their_own(world: World) -> None:
    await filled(world)
    _, other = world.account_client("other")
    assert (await other.get("/v1/collections")).json["data"] == []
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("DELETE", "/documents?document=apple"),
        ("POST", "/search"),
    ):
        answer = await other.call(method, f"/v1/collections/garden{path}", b'{"query": "red"}')
        assert (answer.status, answer.error["code"]) == (404, "collection_not_found" if answer.status == 404 else None)
    await other.post("/v1/collections/garden", {"documents": [document("mine", "red")]})
    found = (await other.post("/v1/collections/garden/search", {"query": "red"})).json
    assert [one["document"] for one in found["data"]] == ["mine"]


async def test_names_of_any_script(world: World) -> None:
    name = "문서 안내"
    made = await world.client.post(
        "/v1/collections", {"name": name, "documents": [document("환불", "환불을 신청하려면")]}
    )
    assert made.json["name"] == name
    async with asking(world) as client:
        assert await rx.retrieve(name, "환불은?", client=client) == "환불을 신청하려면"
        with pytest.raises(InvalidRequest, match=r"has no collection '없음'.*radixa docs add"):
            await rx.retrieve("없음", "?", client=client)


async def test_retrieve_gives_one_text(world: World) -> None:
    await filled(world)
    async with asking(world) as client:
        found = await rx.retrieve("garden", "red root", k=2, client=client)
    assert found.split("\n\n")[:2] == ["Beet", BEET]
    assert found.count(BEET) == 1
    with pytest.raises(InvalidRequest, match="k is 0"):
        rx.retrieve("garden", "red", k=0)
