"""What both limiters do: reserve before, settle after, refund what was refused; each in memory and over PostgreSQL."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy.exc import OperationalError

from radixa.core.base import Usage
from radixa.core.errors import QuotaExceeded, RateLimited, StoreUnavailable
from radixa.gateway.limits.base import Bound, Limiter, Reservation, Wanted, bound_of, bounds_of, weighed
from radixa.gateway.limits.headers import duration
from radixa.gateway.limits.local import LocalLimiter
from radixa.gateway.limits.scope import Scope
from radixa.gateway.limits.shared import SharedLimiter
from radixa.gateway.limits.spending import Spending
from radixa.store.base import Budgets, Limits
from radixa.store.sql import SqlStore
from tests.gateway.limits.conftest import NOON, Ledger, Time, wanted


async def admitted(limiter: Limiter, request: Wanted, count: int) -> list[Reservation]:
    """The reservations that so many requests at once get."""
    found = await asyncio.gather(*(limiter.reserve(request) for _ in range(count)), return_exceptions=True)
    assert all(isinstance(one, (Reservation, RateLimited, QuotaExceeded)) for one in found), found
    return [one for one in found if isinstance(one, Reservation)]


async def counted(limiter: Limiter) -> None:
    """Wait until all that has ended is counted: a shared limiter does that behind the answer's back."""
    if isinstance(limiter, SharedLimiter) and limiter._working is not None:
        await limiter._working


async def spent(limiter: Limiter) -> tuple[int, int]:
    await counted(limiter)
    found = await limiter.spent("acct_1")
    return found.total, found.held


async def scope(limiter: Limiter, request: Wanted, kind: str = "model") -> Scope:
    await counted(limiter)
    bounds = bounds_of(request.identity, request.model, request.limits)
    _, found = await limiter.look(bounds)
    return dict(zip([bound.kind for bound in bounds], found, strict=True))[kind]


async def test_concurrent_requests_do_not_pass_a_token_limit(limiter: Limiter) -> None:
    """litellm#18730: without reservations a limit of 100 tokens a minute was passed sixfold."""
    assert len(await admitted(limiter, wanted(tpm=100, tokens=30), 20)) == 3


async def test_concurrent_requests_do_not_pass_a_request_limit(limiter: Limiter) -> None:
    assert len(await admitted(limiter, wanted(rpm=10), 64)) == 10


async def test_requests_and_tokens_have_windows_of_their_own(limiter: Limiter) -> None:
    """litellm#18953: with one window for both, tokens locked out requests at two thirds of their limit."""
    request = wanted(rpm=10, tpm=1000, tokens=90)
    for found in await admitted(limiter, request, 10):
        found.settle(90, 0)
    model = await scope(limiter, request)
    assert (model.requests.total, model.tokens.total) == (10, 900)
    with pytest.raises(RateLimited) as refused:
        await limiter.reserve(request)
    assert refused.value.kind == "requests"


async def test_what_is_refused_counts_nowhere(limiter: Limiter) -> None:
    """litellm#39309: requests refused for their concurrency still used up requests a minute."""
    request = wanted(rpm=10, tpm=100, concurrency=2, tokens=10, key_limits=Limits(rpm=10))
    held = await admitted(limiter, request, 30)
    assert len(held) == 2
    for kind in ("model", "key"):
        found = await scope(limiter, request, kind)
        assert (found.requests.total, found.tokens.total, sum(found.running.values())) == (2, 20, 2)
    with pytest.raises(RateLimited, match="requests at once"):
        await limiter.reserve(request)
    held[0].settle(10, 0)
    assert len(await admitted(limiter, request, 5)) == 1


async def test_a_refusal_in_one_scope_takes_nothing_in_the_others(limiter: Limiter) -> None:
    request = wanted(rpm=100, key_limits=Limits(rpm=1), account_limits=Limits(rpm=100))
    assert len(await admitted(limiter, request, 5)) == 1
    assert (await scope(limiter, request)).requests.total == 1
    assert (await scope(limiter, request, "account")).requests.total == 1


async def test_tokens_are_settled_to_what_was_used(limiter: Limiter) -> None:
    request = wanted(tpm=100, tokens=80)
    (await limiter.reserve(request)).settle(15, 0)
    assert (await scope(limiter, request)).tokens.total == 15
    (await limiter.reserve(request)).settle(80, 0)
    assert (await scope(limiter, request)).tokens.total == 95
    assert (await scope(limiter, request)).running == {}


async def test_a_refund_is_as_if_nothing_had_come(limiter: Limiter) -> None:
    request = wanted(rpm=1, tpm=50, tokens=50, cost=7, allowance=10)
    for _ in range(3):
        (await limiter.reserve(request)).refund()
    found = await scope(limiter, request)
    assert (found.requests.total, found.tokens.total, found.running) == (0, 0, {})
    assert await spent(limiter) == (0, 0)


async def test_a_reservation_ends_once(limiter: Limiter) -> None:
    request = wanted(rpm=5, tpm=100, tokens=10, cost=5, allowance=100)
    other = await limiter.reserve(request)
    found = await limiter.reserve(request)
    found.settle(4, 3)
    found.settle(4, 3)
    found.refund()
    model = await scope(limiter, request)
    assert (model.requests.total, model.tokens.total, sum(model.running.values())) == (2, 14, 1)
    assert (await spent(limiter))[0] == 3
    other.refund()


async def test_the_same_words_as_openai(limiter: Limiter) -> None:
    request = wanted(tpm=6000, tokens=4000)
    await limiter.reserve(request)
    with pytest.raises(RateLimited) as refused:
        await limiter.reserve(request)
    error = refused.value
    start = "Rate limit reached for gpt-4.1 in organization acct_1 on tokens per min (TPM): Limit 6000, Used 4000, "
    assert error.message.startswith(f"{start}Requested 4000. Please try again in ")
    assert (error.status, error.kind, error.code, error.param) == (429, "tokens", "rate_limit_exceeded", None)
    headers = dict(error.headers)
    ms = int(headers[b"retry-after-ms"])
    assert 59_000 < ms <= 61_000
    assert int(headers[b"retry-after"]) == -(-ms // 1000)
    assert (headers[b"x-ratelimit-limit-tokens"], headers[b"x-ratelimit-remaining-tokens"]) == (b"6000", b"2000")
    assert error.message.endswith(f"Please try again in {duration(ms)}.")


async def test_a_request_above_a_whole_minute(limiter: Limiter) -> None:
    with pytest.raises(RateLimited, match=r"Request too large for gpt-4\.1 in organization acct_1") as refused:
        await limiter.reserve(wanted(rpm=5, tpm=100, tokens=101))
    headers = dict(refused.value.headers)
    assert "Limit 100, Requested 101" in refused.value.message
    assert headers[b"x-should-retry"] == b"false"
    assert b"retry-after" not in headers
    assert headers[b"x-ratelimit-remaining-requests"] == b"5"


async def test_a_limit_of_nothing_is_never_waited_for(limiter: Limiter) -> None:
    for limits in (Limits(rpm=0), Limits(concurrency=0)):
        with pytest.raises(RateLimited, match="Limit 0") as refused:
            await limiter.reserve(wanted(account_limits=limits))
        assert (b"x-should-retry", b"false") in refused.value.headers


async def test_each_scope_says_whose_limit_it_is(limiter: Limiter) -> None:
    for request, whom in [
        (wanted(key="key_2", key_limits=Limits(rpm=1)), "key key_2 in organization acct_1"),
        (wanted(account="acct_2", account_limits=Limits(rpm=1)), "all models in organization acct_2"),
        (wanted(account="acct_3", rpm=1), "gpt-4.1 in organization acct_3"),
    ]:
        await limiter.reserve(request)
        with pytest.raises(RateLimited, match=f"reached for {whom} on requests per min"):
            await limiter.reserve(request)


async def test_models_and_accounts_do_not_share_a_models_limit(limiter: Limiter) -> None:
    for request in (wanted(rpm=1), wanted(rpm=1, model="o3"), wanted(rpm=1, account="acct_2", key="key_2")):
        assert len(await admitted(limiter, request, 2)) == 1


async def test_headers_on_what_is_admitted(limiter: Limiter) -> None:
    found = await limiter.reserve(wanted(rpm=500, tpm=1000, tokens=100, key_limits=Limits(rpm=3)))
    headers = {name.decode(): value.decode() for name, value in found.headers()}
    assert list(headers) == [
        f"x-ratelimit-{part}-{of}" for of in ("requests", "tokens") for part in ("limit", "remaining", "reset")
    ]
    # The key's limit of requests is what will be felt first.
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("3", "2")
    assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("1000", "900")
    assert headers["x-ratelimit-reset-tokens"].startswith("1m") or headers["x-ratelimit-reset-tokens"].endswith("s")
    other = {name.decode(): value.decode() for name, value in found.anthropic_headers()}
    assert other["anthropic-ratelimit-tokens-remaining"] == "900"
    assert other["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert (await limiter.reserve(wanted(model="free"))).headers() == ()


async def test_credit_is_reserved_and_settled(limiter: Limiter) -> None:
    request = wanted(cost=40, allowance=100)
    held = await admitted(limiter, request, 10)
    assert len(held) == 2
    assert await spent(limiter) == (0, 80)
    for found in held:
        found.settle(0, 10)
    assert await spent(limiter) == (20, 0)
    assert len(await admitted(limiter, request, 10)) == 2


async def test_no_credit_left(limiter: Limiter, ledger: Ledger) -> None:
    ledger.accounts["acct_1"] = 1_000_000_000
    with pytest.raises(QuotaExceeded) as refused:
        await limiter.reserve(wanted(cost=500_000, allowance=1_000_000_000))
    error = refused.value
    assert (error.status, error.kind, error.code) == (429, "insufficient_quota", "insufficient_quota")
    assert error.message.startswith("You exceeded your current quota, please check your plan and billing details")
    assert "acct_1 has $0 of credit left, and this request may cost up to $0.0005" in error.message
    assert error.headers == ((b"x-should-retry", b"false"),)
    # What costs nothing needs no credit; what costs nobody knows needs some.
    await limiter.reserve(wanted(cost=0, allowance=1_000_000_000))
    with pytest.raises(QuotaExceeded, match="nobody knows"):
        await limiter.reserve(wanted(cost=None, allowance=1_000_000_000))
    await limiter.reserve(wanted(cost=None, allowance=1_000_000_001))


@pytest.mark.parametrize("name", ["day", "month", "total"])
async def test_budgets(limiter: Limiter, name: str) -> None:
    request = wanted(cost=60, budgets=Budgets(**{name: 100}))
    (await limiter.reserve(request)).settle(0, 50)
    with pytest.raises(QuotaExceeded, match=r"key key_1, \$0\.0000001, \$0\.00000005 is left") as refused:
        await limiter.reserve(request)
    assert ("in all" if name == "total" else f"per {name}") in refused.value.message
    assert len(await admitted(limiter, wanted(cost=60, key="key_2", budgets=Budgets(total=100)), 3)) == 1


async def test_an_account_nobody_limits_may_spend(limiter: Limiter) -> None:
    assert len(await admitted(limiter, wanted(cost=10**15), 5)) == 5


async def test_what_was_spent_before_counts(limiter: Limiter, ledger: Ledger) -> None:
    ledger.accounts["acct_1"] = 90
    assert len(await admitted(limiter, wanted(cost=5, allowance=100), 10)) == 2
    assert ledger.asked <= 2


async def test_cached_tokens_weigh_as_configured() -> None:
    usage = Usage(prompt_tokens=100, cached_tokens=81, completion_tokens=10)
    assert [weighed(usage, weight) for weight in (1.0, 0.5, 0.1, 0.0)] == [110, 70, 38, 29]


async def test_a_minute_later_there_is_room_exactly_when_it_was_said(local: LocalLimiter, time: Time) -> None:
    request = wanted(rpm=1)
    time.now += 437
    await local.reserve(request)
    time.now += 10_000
    with pytest.raises(RateLimited) as refused:
        await local.reserve(request)
    assert refused.value.retry_ms is not None
    time.now += refused.value.retry_ms - 1
    with pytest.raises(RateLimited, match="try again in 1ms"):
        await local.reserve(request)
    time.now += 1
    await local.reserve(request)


async def test_the_longest_wait_is_the_one_that_is_said(local: LocalLimiter, time: Time) -> None:
    request = wanted(rpm=2, tpm=10, tokens=5)
    (await local.reserve(request)).settle(0, 0)
    time.now += 30_000
    await local.reserve(wanted(rpm=2, tpm=10, tokens=10))
    with pytest.raises(RateLimited) as refused:
        await local.reserve(request)
    # Requests have room in 31 s, tokens only in 61.
    assert (refused.value.kind, refused.value.retry_ms) == ("tokens", 61_000)


async def test_a_new_day_is_a_new_budget_and_a_clock_put_back_none(local: LocalLimiter, time: Time) -> None:
    request = wanted(cost=100, budgets=Budgets(day=100, month=1000))
    (await local.reserve(request)).settle(0, 100)
    with pytest.raises(QuotaExceeded):
        await local.reserve(request)
    time.now += 86_400_000
    (await local.reserve(request)).settle(0, 100)
    for _ in range(2):
        time.now -= 86_400_000
        with pytest.raises(QuotaExceeded):
            await local.reserve(request)
    time.now += 3 * 86_400_000
    await local.reserve(request)


async def test_a_ledger_that_does_not_answer_admits_nobody_and_is_asked_again(
    sqlite_store: SqlStore, time: Time
) -> None:

    answers: list[Exception | int] = [OperationalError("SELECT", {}, Exception("gone")), 5]

    def account(account_id: str) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    limiter = LocalLimiter(sqlite_store.engine, Spending(account, lambda key, since: 0), time, time)
    with pytest.raises(StoreUnavailable):
        await limiter.reserve(wanted(cost=1, allowance=10))
    await limiter.reserve(wanted(cost=5, allowance=10))
    with pytest.raises(QuotaExceeded):
        await limiter.reserve(wanted(cost=1, allowance=10))


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"), (12, "12ms"), (1000, "1s"), (1500, "1.5s"), (20_174, "20.174s"), (60_000, "1m0s"),
        (360_000, "6m0s"), (61_250, "1m1.25s"), (3_600_000, "1h0m0s"),
    ],
)  # fmt: skip
def test_durations(ms: int, text: str) -> None:
    assert duration(ms) == text


def test_the_scopes_of_a_request() -> None:
    request = wanted()
    names = [bound.name for bound in bounds_of(request.identity, request.model, request.limits)]
    assert names == ["m:acct_1:gpt-4.1", "k:key_1", "a:acct_1"]
    nobody = wanted(key="")
    assert [b.kind for b in bounds_of(nobody.identity, "m", nobody.limits)] == ["model", "account"]
    assert bound_of("acct_1") == Bound("account", "a:acct_1", Limits())
    assert NOON % 1000 == 0


async def test_an_account_that_is_forgotten_while_a_key_is_read_is_read_again(
    local: LocalLimiter, ledger: Ledger, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await local.reserve(wanted(cost=1, allowance=100))).settle(0, 1)
    time.now += 11 * 60_000
    ledger.accounts["acct_1"] = 90
    begun, go_on = threading.Event(), threading.Event()

    def slowly(key_id: str, since: int) -> int:
        begun.set()
        return 0 if go_on.wait(20) else 1

    monkeypatch.setattr(local, "_spending", Spending(ledger.spending.account, slowly))
    asking = asyncio.ensure_future(local.reserve(wanted(cost=20, allowance=100, key="key_2")))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(begun.wait, 20)
    await local._save()
    go_on.set()
    with pytest.raises(QuotaExceeded):
        await asking
