"""Signing in by key: who gets in, how long, and what of it other sites or copies of a cookie can use."""

from __future__ import annotations

import time

import pytest
from itsdangerous import URLSafeTimedSerializer

from radixa.dashboard.session import LASTS_S
from radixa.dashboard.site import CSP, TRIES
from radixa.store.base import KeyTerms
from radixa.store.secrets import digest
from tests.dashboard.conftest import Open, Place, text

PAGES = ("/dashboard", "/dashboard/usage", "/dashboard/api-keys", "/dashboard/models", "/dashboard/playground")


async def test_who_is_not_signed_in_is_sent_to_sign_in(place: Place) -> None:
    for path in (*PAGES, "/dashboard/usage.csv", "/dashboard/api-keys/key_1"):
        answer = await place.visitor().get(path)
        assert (answer.status, answer.headers["location"]) == (303, f"/dashboard/sign-in?next={path}")


async def test_and_from_there_back(place: Place) -> None:
    visitor, path = place.visitor(), "/dashboard/usage"
    answer = await visitor.get(path)
    assert (answer.status, answer.headers["location"]) == (303, f"/dashboard/sign-in?next={path}")
    page = await visitor.get(answer.headers["location"])
    assert f'name="next" value="{path}"' in page.body.decode()
    answer = await visitor.send("/dashboard/sign-in", key=place.admin_key, next=path)
    assert (answer.status, answer.headers["location"]) == (303, path)
    assert (await visitor.get(path)).status == 200


async def test_the_cookie_is_of_this_site_out_of_scripts_reach_and_holds_no_key(place: Place) -> None:
    visitor = place.visitor()
    answer = await visitor.sign_in(place.admin_key)
    cookie = answer.headers["set-cookie"]
    assert cookie.endswith(f"; Path=/dashboard; Max-Age={LASTS_S}; HttpOnly; SameSite=Strict")
    assert place.admin_key not in cookie
    behind = place.visitor(x_forwarded_proto="https")
    assert (await behind.sign_in(place.admin_key)).headers["set-cookie"].endswith("; SameSite=Strict; Secure")


async def test_every_page_forbids_what_it_does_not_use(place: Place) -> None:
    visitor = await place.admin()
    for path in (*PAGES, "/dashboard/sign-up", "/dashboard/nowhere"):
        headers = (await visitor.get(path)).headers
        assert headers["content-security-policy"] == CSP.decode()
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert "unsafe" not in CSP.decode()


async def test_a_wrong_key_gets_nobody_in(place: Place) -> None:
    for key in ("", "rx-wrong", "rx-\U0001f511", "a" * 5_000, "rx-with space", "rx-\r\nset-cookie: a=b"):
        visitor = place.visitor()
        answer = await visitor.sign_in(key)
        assert answer.status == 401
        assert "No key of this server" in text(answer)
        assert (await visitor.get("/dashboard")).status == 303


async def test_an_administrator_s_and_a_tenant_s_key_both_do(place: Place) -> None:
    assert "administrator" in text(await (await place.admin()).get("/dashboard/api-keys"))
    assert (await (await place.tenant("acme")).get("/dashboard")).status == 200


async def test_tries_are_limited(place: Place) -> None:
    visitor = place.visitor()
    for _ in range(TRIES):
        assert (await visitor.sign_in("rx-wrong")).status == 401
    answer = await visitor.sign_in(place.admin_key)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many tries" in text(answer)


async def test_a_session_ends_with_its_key(place: Place) -> None:
    visitor = await place.tenant("acme")
    assert (await visitor.get("/dashboard")).status == 200
    key = place.world.store.keys()[-1]
    place.world.store.revoke_key(key.id)
    place.world.gateway.keys.forget(key.digest)
    assert (await visitor.get("/dashboard")).status == 303


async def test_a_key_that_has_expired_ends_its_session(place: Place) -> None:
    secret = place.key_of("acme", terms=KeyTerms(expires=int(time.time()) + 1_000))
    visitor = place.visitor()
    await visitor.sign_in(secret)
    key = place.world.store.keys()[-1]
    place.world.store.change_key(key.id, key.name, KeyTerms(expires=int(time.time()) - 1))
    place.world.gateway.keys.forget(key.digest)
    assert (await visitor.get("/dashboard")).status == 303


async def test_a_session_ends_by_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await place.admin()
    now = time.time
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now() + LASTS_S - 60)
    assert (await visitor.get("/dashboard")).status == 200
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now() + LASTS_S + 60)
    assert (await visitor.get("/dashboard")).status == 303


async def test_signing_out_ends_copies_of_the_cookie_too(place: Place) -> None:
    visitor = await place.admin()
    await visitor.get("/dashboard")
    copy = place.visitor()
    copy.cookies = dict(visitor.cookies)
    assert (await copy.get("/dashboard")).status == 200
    answer = await visitor.send("/dashboard/sign-out")
    assert (answer.status, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert (await visitor.get("/dashboard")).status == 303
    assert (await copy.get("/dashboard")).status == 303


async def test_signing_in_begins_a_session_that_nobody_knew(place: Place) -> None:
    visitor = place.visitor()
    await visitor.get("/dashboard/sign-in")
    before, token = dict(visitor.cookies), visitor.token
    await visitor.sign_in(place.admin_key)
    await visitor.get("/dashboard")
    assert visitor.cookies != before
    assert visitor.token != token


async def test_a_cookie_of_somebody_else_s_making_is_none(place: Place) -> None:
    forged = URLSafeTimedSerializer(b"another secret", salt="radixa.dashboard.session")
    for value in (forged.dumps(["nonce", digest(place.admin_key)]), "nonsense", "", "a.b.c"):
        visitor = place.visitor()
        visitor.cookies["radixa_session"] = str(value)
        assert (await visitor.get("/dashboard")).status == 303


async def test_signing_in_goes_on_at_a_page_of_the_dashboard_only(place: Place) -> None:
    for wanted, got in {
        "/dashboard/usage": "/dashboard/usage",
        "//evil.example": "/dashboard",
        "https://evil.example/dashboard": "/dashboard",
        "/dashboardevil": "/dashboard",
        "/dashboard/\r\nset-cookie: a=b": "/dashboard",
        "/dashboard/\\evil": "/dashboard",
        "/v1/models": "/dashboard",
    }.items():
        visitor = place.visitor()
        await visitor.get("/dashboard/sign-in")
        answer = await visitor.send("/dashboard/sign-in", key=place.admin_key, next=wanted)
        assert (answer.status, answer.headers["location"]) == (303, got)
        await visitor.get("/dashboard/usage")
        answer = await visitor.send("/dashboard/preferences", theme="dark", next=wanted)
        assert (answer.status, answer.headers["location"]) == (303, got)


async def test_a_form_without_its_token_does_nothing(place: Place) -> None:
    visitor = await place.admin()
    await visitor.get("/dashboard")
    keys = len(place.world.store.keys())
    for path in ("/dashboard/api-keys", "/dashboard/sign-out", "/dashboard/preferences"):
        for token in ("", "wrong", "\u00e9"):
            answer = await visitor.send(path, csrf=token, name="made by another site", theme="dark")
            assert answer.status == 403
    assert len(place.world.store.keys()) == keys
    assert (await visitor.get("/dashboard")).status == 200


async def test_a_token_is_good_for_its_own_session_only(place: Place) -> None:
    one, other = await place.admin(), await place.tenant("acme")
    await one.get("/dashboard")
    await other.get("/dashboard")
    assert (await one.send("/dashboard/api-keys", csrf=other.token, name="x")).status == 403


async def test_a_body_that_is_no_form_is_refused(place: Place) -> None:
    visitor = await place.admin()
    await visitor.get("/dashboard")
    answer = await visitor.post_json("/dashboard/api-keys", b"{}", x_csrf_token=visitor.token)
    assert answer.status == 400


async def test_a_part_of_a_page_takes_the_whole_page_to_sign_in(place: Place) -> None:
    answer = await place.visitor().get("/dashboard", hx_request="true")
    assert (answer.status, answer.headers["hx-redirect"]) == (204, "/dashboard/sign-in")


async def test_a_server_without_keys_asks_for_none(opened: Open) -> None:
    place = opened(auth=False)
    visitor = place.visitor(host="127.0.0.1:8000")
    page = await visitor.get("/dashboard")
    assert page.status == 200
    assert "Sign out" not in text(page)
    answer = await visitor.send("/dashboard/preferences", theme="dark", next="/dashboard")
    assert answer.status == 303
    assert (await place.visitor(host="evil.example").get("/dashboard")).status == 403
    stranger = place.visitor(host="127.0.0.1:8000", origin="http://evil.example")
    stranger.cookies = visitor.cookies
    assert (await stranger.send("/dashboard/preferences", csrf=visitor.token, theme="light")).status == 403


async def test_what_is_not_there_and_what_is_not_allowed_are_pages_too(place: Place) -> None:
    visitor = await place.admin()
    answer = await visitor.get("/dashboard/nowhere")
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    answer = await visitor.get("/dashboard/sign-out")
    assert (answer.status, answer.headers["content-type"]) == (405, "text/html; charset=utf-8")


async def test_files_are_kept_by_the_browser_as_long_as_they_are_the_same(place: Place) -> None:
    page = (await place.visitor().get("/dashboard/sign-in")).body.decode()
    start = page.index("/dashboard/static/app.css?v=")
    url = page[start : page.index('"', start)]
    answer = await place.visitor().get(url)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    assert (await place.visitor().get("/dashboard/static/app.css?v=other")).headers["cache-control"] == "no-cache"
    for name in ("nothing.css", "../base.py", "..%2fbase.py"):
        assert (await place.visitor().get(f"/dashboard/static/{name}")).status == 404
