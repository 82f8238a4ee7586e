"""What the pages show, to whom, and what their forms do: each over the gateway's own routes."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from datetime import UTC, datetime

from radixa.dashboard.base import Page, Visit
from radixa.dashboard.mount import dashboard
from radixa.dashboard.pages import PAGES
from radixa.gateway.app import App
from radixa.gateway.base import Response, json_response
from radixa.gateway.routes import accounts
from radixa.store.base import ApiKey, Budgets, KeyTerms, Limits
from radixa.store.ledger.base import LedgerRow, Query
from tests.dashboard.conftest import Open, Place, Visitor, text

BAD = "<script>alert(1)</script>\"'{{7*7}}"


def used(place: Place, account_id: str, **fields: object) -> None:
    """One row in the ledger, now unless told otherwise."""
    number = len(place.world.gateway.ledger.store.rows(Query(), limit=1_000))
    row: dict[str, object] = {
        "request_id": f"req_{number}", "created": time.time(), "account_id": account_id, "key_id": "", "model": "m",
        "served_by": "m", "provider": "p", "api": "chat", "prompt_tokens": 1_000, "cached_tokens": 600,
        "completion_tokens": 50, "cost_nano_usd": 400_000_000, "saved_nano_usd": 1_500_000_000, "ttft_ms": 20.0,
    }  # fmt: skip
    place.world.gateway.ledger.store.add([LedgerRow(**(row | fields))])  # type: ignore[arg-type]


def keys_of(place: Place) -> list[ApiKey]:
    return list(place.world.store.keys())


async def test_the_overview_says_what_is_served_and_what_today_saved(place: Place) -> None:
    used(place, place.world.account.id)
    used(place, place.world.account.id, created=time.time() - 86_400)
    said = text(await (await place.admin()).get("/dashboard"))
    assert "fake-model is ready" in said
    assert "Hit rate 60.0 % 600 of 1,000 prompt tokens" in said
    assert "Saved by reuse $1.50 paid $0.4" in said
    assert "First token after 20 ms" in said
    assert "deepseek-chat" in said


async def test_nothing_of_another_account_is_in_a_tenant_s_pages(place: Place) -> None:
    acme = place.world.store.create_account("acme")
    secret = place.world.store.create_key(acme.id, "production")[0]
    used(place, acme.id, model="secret-model", key_id=secret.id, session_id="secret-session")
    stranger, owner, admin = await place.tenant("stranger"), await place.tenant("acme"), await place.admin()
    for path in (
        "",
        "/api-keys",
        "/models",
        *(f"/usage?by={by}" for by in ("model", "key", "account", "day", "session")),
    ):
        for account in ("", "&account=*", "&account=acme", f"&account={acme.id}"):
            said = (await stranger.get(f"/dashboard{path}{account if 'usage' in path else ''}")).body.decode()
            for word in ("secret-model", "secret-session", "production", acme.id, secret.id, "$1.50"):
                assert word not in said
    assert "secret-model" in text(await owner.get("/dashboard/usage"))
    assert "secret-model" in text(await admin.get("/dashboard/usage"))
    assert "acme" in text(await admin.get("/dashboard/usage?by=account"))
    assert (await stranger.get(f"/dashboard/api-keys/{secret.id}")).status == 404
    await stranger.get("/dashboard/api-keys")
    assert (await stranger.send(f"/dashboard/api-keys/{secret.id}/revoke")).status == 404
    assert (await stranger.send(f"/dashboard/api-keys/{secret.id}", name="mine now")).status == 404
    assert next(key for key in keys_of(place) if key.id == secret.id).revoked is None


async def test_usage_is_grouped_sorted_and_limited_to_a_time(place: Place) -> None:
    own = place.world.account.id
    used(place, own, model="dear", cost_nano_usd=9_000_000_000, cached_tokens=0)
    used(place, own, model="cheap", cost_nano_usd=1_000_000, cached_tokens=900, ttft_ms=None)
    used(place, own, model="unknown", cost_nano_usd=None, saved_nano_usd=None)
    used(place, own, model="old", created=time.time() - 20 * 86_400)
    admin = await place.admin()

    async def order(query: str) -> list[str]:
        page = (await admin.get(f"/dashboard/usage.csv?{query}")).body.decode()
        return [row[0] for row in csv.reader(io.StringIO(page))][1:]

    assert await order("range=7") == ["dear", "cheap", "unknown"]
    assert await order("range=7&sort=cost_nano_usd&up=1") == ["cheap", "dear", "unknown"]
    assert await order("range=7&sort=hit_rate") == ["cheap", "unknown", "dear"]
    assert await order("range=7&sort=name&up=1") == ["cheap", "dear", "unknown"]
    assert (await order("range=30&sort=ttft_ms&up=1"))[-1] == "cheap"
    assert set(await order("range=30")) == {"dear", "cheap", "unknown", "old"}
    page = await admin.get("/dashboard/usage?range=7&sort=hit_rate")
    assert 'aria-sort="descending"><a id="sort-hit_rate"' in page.body.decode()
    today = datetime.now(UTC).date().isoformat()
    assert today in text(await admin.get("/dashboard/usage?by=day&range=1"))


async def test_what_an_address_cannot_mean_is_taken_for_the_usual(place: Place) -> None:
    used(place, place.world.account.id)
    admin = await place.admin()
    page = await admin.get("/dashboard/usage?by=nonsense&range=-1&sort=drop%20table&up=x")
    assert page.status == 200
    assert "Hit rate 60.0 %" in text(page)
    assert (await admin.get("/dashboard/usage?account=nobody")).status == 404


async def test_csv_has_exact_dollars_and_no_formulas(place: Place) -> None:
    used(place, place.world.account.id, model="=1+1", cost_nano_usd=1_234_567_891, saved_nano_usd=-3)
    answer = await (await place.admin()).get("/dashboard/usage.csv?by=model")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="radixa-usage-by-model.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert rows[0]["model"] == "'=1+1"
    assert (rows[0]["cost_usd"], rows[0]["requests"]) == ("1.234567891", "1")
    assert rows[0]["saved_usd"] == "-0.000000003"
    used(place, place.world.account.id, session_id="a;=1+1")
    answer = await (await place.admin()).get("/dashboard/usage.csv?by=session")
    assert '"a;=1+1",1,' in answer.body.decode()


async def test_limits_and_credits_of_who_asks(place: Place) -> None:
    acme = place.world.store.create_account("acme", limits=Limits(rpm=7), credit_limit=0)
    place.world.store.add_credit(acme.id, 2_500_000_000, kind="grant")
    visitor = await place.tenant("acme", terms=KeyTerms(limits=Limits(tpm=900)))
    said = text(await visitor.get("/dashboard/usage"))
    assert "Granted $2.50" in said
    assert "Left $2.50" in said
    assert "The account 7 / 7" in said
    assert "This key – 900 / 900" in said


async def test_a_key_is_made_shown_once_limited_and_revoked(place: Place) -> None:
    admin = await place.admin()
    await admin.get("/dashboard/api-keys")
    page = await admin.send(
        "/dashboard/api-keys",
        name=BAD, account=place.world.account.id, expires="2031-05-04", models="deepseek-chat, fake-model",
        budget_day_usd="1.5", rpm="10", tpm="", concurrency="2",
    )  # fmt: skip
    assert page.status == 200
    key = next(key for key in keys_of(place) if key.name == BAD)
    assert key.terms == KeyTerms(
        expires=int(datetime(2031, 5, 5, tzinfo=UTC).timestamp()),
        models=("deepseek-chat", "fake-model"),
        limits=Limits(10, None, 2),
        budgets=Budgets(day=1_500_000_000),
    )
    shown = page.body.decode()
    secret = shown[shown.index('<code id="secret">') + 18 :].partition("<")[0]
    assert (await place.world.client.using(secret).get("/v1/models")).status == 200
    listed = await admin.get("/dashboard/api-keys")
    assert secret not in listed.body.decode()
    assert "<script>alert" not in shown + listed.body.decode()
    assert "$1.5 a day · 10 rpm · 2 at once · only deepseek-chat, fake-model" in text(listed)
    form = (await admin.get(f"/dashboard/api-keys/{key.id}")).body.decode()
    assert 'value="2031-05-04"' in form
    answer = await admin.send(f"/dashboard/api-keys/{key.id}", name="renamed", expires="2031-05-04", rpm="20")
    assert (answer.status, answer.headers["location"]) == (303, "/dashboard/api-keys")
    changed = next(found for found in keys_of(place) if found.id == key.id)
    assert (changed.name, changed.terms) == ("renamed", KeyTerms(expires=key.terms.expires, limits=Limits(rpm=20)))
    assert (await admin.send(f"/dashboard/api-keys/{key.id}/revoke")).status == 303
    assert (await place.world.client.using(secret).get("/v1/models")).status == 401
    assert "revoked" in text(await admin.get("/dashboard/api-keys"))


async def test_a_form_that_cannot_be_comes_back_with_what_was_wrong(place: Place) -> None:
    admin = await place.admin()
    await admin.get("/dashboard/api-keys")
    before = len(keys_of(place))
    for fields, said in (
        ({"rpm": "many"}, "Requests a minute: this is not a value it can have."),
        ({"rpm": "-1"}, "rpm"),
        ({"budget_day_usd": "nan"}, "Budget a day, $: this is not a value it can have."),
        ({"budget_day_usd": "1e999"}, "Budget a day, $: this is not a value it can have."),
        ({"expires": "tomorrow"}, "Last day: this is not a value it can have."),
        ({"name": "x" * 300}, "name"),
        ({"expires": "9999-12-31"}, ""),
    ):
        answer = await admin.send("/dashboard/api-keys", **({"name": "kept"} | fields))
        if not said:
            assert answer.status == 200
            continue
        assert answer.status == 400
        assert said in text(answer)
        assert f'value="{next(iter(fields.values()))}"' in answer.body.decode()
    assert len(keys_of(place)) == before + 1


async def test_the_last_administrator_s_key_stays(place: Place) -> None:
    admin = await place.admin()
    await admin.get("/dashboard/api-keys")
    own = next(key for key in keys_of(place) if key.admin)
    answer = await admin.send(f"/dashboard/api-keys/{own.id}/revoke")
    assert answer.status == 400
    assert "last administrator" in text(answer)


async def test_a_plain_key_makes_none_of_more_power_than_its_own(place: Place) -> None:
    visitor = await place.tenant("acme")
    page = await visitor.get("/dashboard/api-keys")
    assert 'name="admin"' not in page.body.decode()
    await visitor.send("/dashboard/api-keys", name="mine", admin="on", account="default")
    made = next(key for key in keys_of(place) if key.name == "mine")
    acme = place.world.store.find_account("acme")
    assert acme is not None
    assert (made.admin, made.account_id) == (False, acme.id)
    limited = await place.tenant("acme", name="limited", terms=KeyTerms(limits=Limits(rpm=50)))
    page = await limited.get("/dashboard/api-keys")
    assert "This key makes no other keys" in text(page)
    answer = await limited.send("/dashboard/api-keys", name="unlimited")
    assert answer.status == 403


async def test_models_have_prices_providers_and_for_administrators_what_is_missing(place: Place) -> None:
    said = text(await (await place.admin()).get("/dashboard/models"))
    assert "radixa answers" in said
    assert "deepseek-chat" in said
    assert "$0.042" in said
    assert "Not on offer" not in text(await (await place.tenant("acme")).get("/dashboard/models"))


async def test_the_playground_answers_as_the_api_does(place: Place) -> None:
    visitor = await place.tenant("acme")
    await visitor.get("/dashboard/playground")
    body = b'{"model":"deepseek-chat","messages":[{"role":"user","content":"hi"}],"stream":true}'
    for token in ({}, {"x_csrf_token": "wrong"}):
        answer = await visitor.post_json("/dashboard/playground/chat", body, **token)
        assert (answer.status, answer.error["code"]) == (403, "form_expired")
    answer = await visitor.post_json("/dashboard/playground/chat", body, x_csrf_token=visitor.token)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in answer.events) == "forty-two"
    answer = await place.visitor().post_json("/dashboard/playground/chat", body)
    assert answer.status == 401
    answer = await visitor.post_json("/dashboard/playground/chat", b"{", x_csrf_token=visitor.token)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    acme = place.world.store.find_account("acme")
    assert acme is not None
    assert await asyncio.to_thread(place.world.gateway.ledger.flush, 10)
    assert "deepseek-chat" in text(await visitor.get("/dashboard/usage"))


async def test_an_account_is_opened_where_anyone_may(opened: Open) -> None:
    place = opened(self_signup=True)
    visitor = place.visitor()
    assert "Open an account" in text(await visitor.get("/dashboard/sign-in"))
    await visitor.get("/dashboard/sign-up")
    page = await visitor.send("/dashboard/sign-up", name=BAD)
    assert page.status == 200
    assert "<script>alert" not in page.body.decode()
    assert "begins with $1" in text(page)
    shown = page.body.decode()
    secret = shown[shown.index('<code id="secret">') + 18 :].partition("<")[0]
    assert (await place.world.client.using(secret).get("/v1/models")).status == 200
    assert "Left $1" in text(await visitor.get("/dashboard/usage"))
    again: Visitor = place.visitor()
    await again.get("/dashboard/sign-up")
    answer = await again.send("/dashboard/sign-up", name=BAD)
    assert answer.status == 400
    assert "name" in text(answer)
    for number in range(10):
        answer = await again.send("/dashboard/sign-up", name=f"n{number}")
        if answer.status == 429:
            break
    assert answer.status == 429


async def test_no_account_is_opened_where_the_operator_does_not_let_them(place: Place) -> None:
    visitor = place.visitor()
    assert "sign-up" not in (await visitor.get("/dashboard/sign-in")).body.decode()
    assert "Ask its administrator" in text(await visitor.get("/dashboard/sign-up"))
    assert (await visitor.send("/dashboard/sign-up", name="me")).status == 403


async def test_a_page_that_asks_what_is_for_administrators_is_refused_as_a_client_is(opened: Open) -> None:
    place = opened()

    async def show(visit: Visit) -> Response:
        return json_response(await visit.ask(accounts.index))

    place.app = App(place.world.gateway, mounted=dashboard(place.world.gateway, (*PAGES, Page("/dashboard/all", show))))
    assert (await (await place.admin()).get("/dashboard/all")).status == 200
    assert (await (await place.tenant("acme")).get("/dashboard/all")).status == 403


async def test_no_name_is_taken_for_markup(place: Place) -> None:
    own = place.world.account.id
    used(place, own, model=BAD, session_id=BAD)
    place.world.store.create_account(BAD)
    key, _ = place.world.store.create_key(own, BAD)
    used(place, own, model="m", key_id=key.id)
    admin = await place.admin()
    for path in ("usage", "usage?by=session", "usage?by=key", "api-keys", f"api-keys/{key.id}", "models", "playground"):
        page = (await admin.get(f"/dashboard/{path}")).body.decode()
        assert "<script>alert" not in page
    assert BAD in text(await admin.get("/dashboard/usage"))
