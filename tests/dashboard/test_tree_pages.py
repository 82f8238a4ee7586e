"""The tree's pages without a browser: who gets what, with which token, under which policy."""

from __future__ import annotations

import json
import re
from typing import Any

from radixa.viewer.assets import LANGUAGES, SCRIPTS, words
from tests.dashboard.conftest import Open, Place, Visitor, text

BAD = "</script><script>window.hacked=1</script>"


def settings(page: bytes) -> Any:
    found = re.search(rb'<script type="application/json" id="radixa-settings">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


async def nodes(visitor: Visitor) -> list[dict[str, Any]]:
    return list((await visitor.get("/dashboard/cache/tree?limit=1000")).json["data"])


async def post(visitor: Visitor, path: str, body: Any, token: str | None = None) -> Any:
    await visitor.get("/dashboard/cache")
    return await visitor.post_json(path, json.dumps(body).encode(), x_csrf_token=token or visitor.token)


async def test_the_page_has_the_viewer_and_nothing_that_runs_in_it(place: Place) -> None:
    visitor = await place.admin()
    page = await visitor.get("/dashboard/cache")
    markup = page.body.decode()
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", markup) == []
    assert re.findall(r"\sstyle=|\son\w+=", markup) == []
    for name in SCRIPTS:
        source = re.search(rf'src="(/dashboard/static/viewer/{name}\?v=\w+)"', markup)
        assert source is not None
        assert (await visitor.get(source[1])).status == 200
    found = settings(page.body)
    assert found["taken"] is None
    assert list(found["words"]) == ["en"]
    assert found["facts"]["bytes_per_token"] == 4
    assert found["facts"]["price"]["model"] == "deepseek-chat"


async def test_it_speaks_korean(place: Place) -> None:
    visitor = await place.admin()
    page = await visitor.get("/dashboard/cache", accept_language="ko-KR,ko;q=0.9,en;q=0.5")
    assert settings(page.body)["words"] == {"ko": dict(words("ko"))}
    assert "캐시" in text(page)
    assert "프롬프트 분석" in text(await visitor.get("/dashboard/explain", accept_language="ko"))
    assert set(LANGUAGES) == {"en", "ko"}


async def test_only_an_administrator_is_told_how_much_there_is_room_for(place: Place) -> None:
    assert settings((await (await place.admin()).get("/dashboard/cache")).body)["facts"]["capacity"] == 100_000
    tenant = await place.tenant("acme")
    assert "capacity" not in settings((await tenant.get("/dashboard/cache")).body)["facts"]


async def test_who_is_not_signed_in_gets_nothing(place: Place) -> None:
    visitor = place.visitor()
    for path in ("/dashboard/cache", "/dashboard/explain"):
        assert (await visitor.get(path)).status == 303
    for path in ("/cache/tree", "/cache/events", "/explain/recent", "/explain/recent/req_1"):
        assert (await visitor.get(f"/dashboard{path}")).status == 401
    for path in ("/cache/nodes/1/keep", "/cache/nodes/1/evict", "/cache/warm", "/explain/ask", "/explain/warm"):
        assert (await visitor.post_json(f"/dashboard{path}", b"{}")).status == 401


async def test_actions_need_the_token(place: Place) -> None:
    await place.world.client.chat("mine")
    visitor = await place.admin()
    node = (await nodes(visitor))[0]["id"]
    for path in (
        f"/cache/nodes/{node}/keep",
        f"/cache/nodes/{node}/evict",
        "/cache/warm",
        "/explain/ask",
        "/explain/warm",
    ):
        assert (await post(visitor, f"/dashboard{path}", {"prompt": "x"}, token="wrong")).status == 403
    assert len(await nodes(visitor)) == 2


async def test_pin_ttl_warm_and_evict(place: Place) -> None:
    await place.world.client.chat("mine")
    visitor = await place.admin()
    node = (await nodes(visitor))[0]
    held = (
        await post(visitor, f"/dashboard/cache/nodes/{node['id']}/keep", {"pin": True, "cache_ttl_seconds": 60})
    ).json
    assert held["path"][-1]["pin"] is True
    warmed = (await post(visitor, "/dashboard/cache/warm", {"prompt": node["text"], "pin": False})).json
    assert (warmed["cached_tokens"], warmed["cache_write_tokens"]) == (node["tokens"] - 1, 0)
    gone = (await post(visitor, f"/dashboard/cache/nodes/{node['id']}/evict", {})).json
    assert gone["dropped_tokens"] > 0
    assert await nodes(visitor) == []


async def test_a_tenant_sees_and_changes_its_own_alone(place: Place) -> None:
    acme, other = await place.tenant("acme"), await place.tenant("other")
    client = place.world.client.using(place.key_of("acme"))
    await client.chat("the secret plan")
    node = (await nodes(acme))[0]["id"]
    assert await nodes(other) == []
    for action in ("keep", "evict"):
        assert (await post(other, f"/dashboard/cache/nodes/{node}/{action}", {"pin": True})).status == 404
    (asked,) = (await acme.get("/dashboard/explain/recent")).json["data"]
    assert (await other.get("/dashboard/explain/recent")).json["data"] == []
    assert (await other.get(f"/dashboard/explain/recent/{asked['request_id']}")).status == 404
    assert "secret plan" in (await acme.get("/dashboard/explain")).body.decode()
    for visitor in (other, await place.admin()):
        assert "secret plan" not in (await visitor.get("/dashboard/explain")).body.decode()
    explained = (
        await post(
            other, "/dashboard/explain/ask?include=text", {"messages": [{"role": "user", "content": "the secret"}]}
        )
    ).json
    assert (explained["cached_tokens"], explained["miss"]["tree"]) == (0, [])
    assert {one["text"] for one in await nodes(await place.admin())} == {None}


async def test_prompts_are_no_markup(place: Place) -> None:
    await place.world.client.chat(BAD, session_id=BAD)
    page = (await (await place.admin()).get("/dashboard/explain")).body.decode()
    assert "window.hacked" in page
    assert BAD not in page
    assert "<script>" not in page


async def test_without_an_engine_there_are_pages_all_the_same(opened: Open) -> None:
    place = opened()
    visitor = await place.admin()
    place.world.engine.ready = False
    assert settings((await visitor.get("/dashboard/cache")).body)["facts"] == {}
    assert "no engine of its own that is ready" in text(await visitor.get("/dashboard/explain"))
    place.world.engine.ready = True
