"""Every page and action in a real Chromium."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from radixa.store.ledger.base import LedgerRow
from tests.dashboard.browser import Window, chromium, window
from tests.dashboard.filling import BAD, fill
from tests.dashboard.serving import Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

PATHS = (
    "",
    "/usage",
    "/usage?by=day",
    "/api-keys",
    "/models",
    "/playground?model=deepseek-chat",
    "/sign-up",
    "/nowhere",
)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    "korean-phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "locale": "ko-KR"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("dashboard"), migrated, prepare=fill) as found:
        yield found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: `RADIXA_TEST_ARTEFACTS`, else pytest's own folder."""
    given = os.environ.get("RADIXA_TEST_ARTEFACTS")
    folder = Path(given) / "dashboard" if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_in_every_look(browser: Browser, place: Served, pictures: Path, look: str) -> None:
    """axe finds nothing serious, nothing breaks the policy, and no page is wider than its window."""
    with window(browser, place.url, expected=("404",), **LOOKS[look]) as view:
        page = view.go("/dashboard")
        page.screenshot(path=pictures / f"{look}-sign-in.png")
        assert view.findings() == []
        view.sign_in(place.key)
        for path in PATHS:
            page = view.go(f"/dashboard{path}")
            if path in ("", "/usage"):
                page.wait_for_selector(".plot canvas")
            name = path.strip("/").replace("?", "-").replace("=", "-") or "overview"
            page.screenshot(path=pictures / f"{look}-{name}.png", full_page=True)
            assert view.findings() == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            view.check()


def test_by_keyboard_alone(browser: Browser, place: Served) -> None:
    with window(browser, place.url) as view:
        page = view.go("/dashboard/usage")
        # The one field has the focus already.
        page.keyboard.type(place.key)
        page.keyboard.press("Enter")
        page.wait_for_selector("#sort-requests")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.focus("#sort-requests")
        page.keyboard.press("Enter")
        page.wait_for_selector('th[aria-sort="descending"] #sort-requests')
        assert page.evaluate("document.activeElement.id") == "sort-requests"
        page.keyboard.press("Enter")
        page.wait_for_selector('th[aria-sort="ascending"] #sort-requests')


def test_the_switches(browser: Browser, place: Served) -> None:
    with window(browser, place.url, locale="ko-KR", color_scheme="dark") as view:
        page = view.sign_in(place.key)
        assert page.get_by_role("heading", level=1).inner_text() == "개요"
        page.get_by_role("button", name="English").click()
        page.wait_for_selector('html[lang="en"]')
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("button", name="Switch to light").click()
        page.wait_for_selector('html[data-theme="light"]')
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        page.get_by_role("button", name="Switch to dark").click()
        page.wait_for_selector('html[data-theme="dark"]')
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")


def test_the_overview_keeps_up(browser: Browser, place: Served) -> None:
    with window(browser, place.url) as view:
        page = view.sign_in(place.key)
        before = page.locator("#now").inner_text()
        account = place.account.id
        row = LedgerRow(
            request_id="req_new", created=time.time(), account_id=account, model="m", served_by="m", provider="p",
            api="chat", prompt_tokens=9_000_000, cost_nano_usd=5, saved_nano_usd=5,
        )  # fmt: skip
        place.gateway.ledger.store.add([row])
        page.wait_for_function("before => document.getElementById('now').innerText !== before", arg=before)
        assert page.locator(".plot canvas").count() == 2


def test_the_overview_says_when_the_server_is_gone(browser: Browser, place: Served) -> None:
    with window(browser, place.url, expected=("ERR_INTERNET_DISCONNECTED", "htmx:")) as view:
        page = view.sign_in(place.key)
        hit_rate = page.inner_text("#now dd.accent >> nth=0")
        view.context.set_offline(True)
        page.wait_for_selector("text=The server does not answer")
        assert page.inner_text("#now dd.accent >> nth=0") == hit_rate
        view.context.set_offline(False)
        page.wait_for_selector("text=fake-model is ready")


def test_usage_is_filtered_in_place_and_exported(browser: Browser, place: Served) -> None:
    with window(browser, place.url) as view:
        view.sign_in(place.key)
        page = view.go("/dashboard/usage")
        page.select_option("#by", "account")
        page.wait_for_url("**/dashboard/usage?by=account&**")
        assert page.locator("tbody th", has_text="acme").count() == 1
        page.select_option("#range", "7")
        page.wait_for_url("**range=7**")
        page.wait_for_selector(".plot canvas")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export as CSV").click()
        lines = Path(download.value.path()).read_text().splitlines()
        assert lines[0].startswith('"account","requests","prompt_tokens"')
        assert len(lines) == 3
        page.go_back()
        page.wait_for_url("**range=30**")


def test_a_key_from_made_to_revoked(browser: Browser, place: Served, pictures: Path) -> None:
    with window(browser, place.url, expected=("400",), permissions=["clipboard-read", "clipboard-write"]) as view:
        view.sign_in(place.key)
        page = view.go("/dashboard/api-keys")
        page.fill("#name", f"made {BAD}")
        page.get_by_text("Limits, budgets and expiry").click()
        page.fill("#new-rpm", "no number")
        page.click("form.panel button.main")
        page.wait_for_selector("p.wrong")
        assert page.input_value("#new-rpm") == "no number"
        page.fill("#new-rpm", "5")
        page.click("form.panel button.main")
        page.wait_for_selector("#secret")
        assert view.findings() == []
        page.screenshot(path=pictures / "key-made.png", full_page=True)
        secret = page.inner_text("#secret")
        page.click("[data-copy]")
        page.wait_for_selector("button:text('Copied')")
        assert page.evaluate("navigator.clipboard.readText()") == secret
        page = view.go("/dashboard/api-keys")
        assert page.locator("#secret").count() == 0
        row = page.locator("tr", has_text="made <img")
        assert "5 rpm" in row.inner_text()
        row.get_by_role("link", name="Change").click()
        page.wait_for_selector("#rpm")
        page.screenshot(path=pictures / "key-changed.png", full_page=True)
        assert view.findings() == []
        page.fill("#name", "renamed")
        page.click("form.panel button.main")
        page.wait_for_url("**/api-keys")
        page.locator("tr", has_text="renamed").get_by_role("link").click()
        page.locator("summary", has_text="Revoke").click()
        page.get_by_role("button", name="for good").click()
        page.wait_for_url("**/api-keys")
        assert "revoked" in page.locator("tr", has_text="renamed").inner_text()
        assert secret not in page.content()


def ask(view: Window, question: str) -> None:
    view.page.fill("#text", question)
    view.page.keyboard.press("Enter")


def test_the_playground(browser: Browser, place: Served, pictures: Path) -> None:
    place.engine.text = f"Here it is: {BAD}"
    with window(browser, place.url) as view:
        view.sign_in(place.key)
        page = view.go("/dashboard/playground?model=deepseek-chat")
        assert page.input_value("#model") == "deepseek-chat"
        page.check("#compare")
        for number, question in enumerate((f"What is it? {BAD}", "And again?"), 1):
            ask(view, question)
            page.wait_for_function(
                "n => document.querySelectorAll('.figures-of').length === n "
                "&& [...document.querySelectorAll('.figures-of')].at(-1).innerText.includes('measured')",
                arg=number,
            )
        texts = page.locator("#talk .text").all_inner_texts()
        assert texts == [f"What is it? {BAD}", place.engine.text, "And again?", place.engine.text]
        figures = page.locator(".figures-of").nth(1).inner_text()
        assert "0 of" not in figures
        assert figures.count("$0.0") >= 3
        assert view.findings() == []
        page.screenshot(path=pictures / "playground.png", full_page=True)
        page.get_by_role("button", name="Start over").click()
        assert page.locator("#talk article").count() == 0


def test_an_answer_streams_and_can_be_stopped(browser: Browser, place: Served) -> None:
    place.engine.text = "abcdefghij"
    gate = place.engine.gate = asyncio.Semaphore(0)
    try:
        with window(browser, place.url) as view:
            view.sign_in(place.key)
            page = view.go("/dashboard/playground")
            ask(view, "hello")
            page.wait_for_selector(".theirs.waiting")
            for _ in range(3):
                place.loop.call_soon_threadsafe(gate.release)
            page.wait_for_function("document.querySelector('.theirs .text').textContent === 'abc'")
            page.get_by_role("button", name="Stop").click()
            page.wait_for_selector("text=Stopped.")
            assert page.inner_text(".theirs .text") == "abc"
            assert page.is_enabled("#send")
    finally:
        place.engine.gate = None
        for _ in range(20):
            place.loop.call_soon_threadsafe(gate.release)


def test_what_the_server_refuses_is_said_in_the_playground(browser: Browser, place: Served) -> None:
    with window(browser, place.url, expected=("400",)) as view:
        view.sign_in(place.key)
        page = view.go("/dashboard/playground")
        ask(view, "too long " * 2_000)
        page.wait_for_selector("#talk .wrong")
        assert "context" in page.inner_text("#talk .wrong")
        place.engine.text = "fine"
        ask(view, "short")
        page.wait_for_selector(".figures-of")


def test_no_tenant_sees_another_s(browser: Browser, place: Served) -> None:
    place.engine.text = "an answer"
    with window(browser, place.url) as one, window(browser, place.url) as other:
        one.sign_in(place.plain_key("one"))
        other.sign_in(place.plain_key("other"))
        for view, cached in ((one, "0 of"), (other, "0 of")):
            view.go("/dashboard/playground?model=gpt-4.1")
            ask(view, "the same secret question of both")
            view.page.wait_for_selector(".figures-of")
            assert cached in view.page.inner_text(".figures-of")
        place.gateway.ledger.flush(10)
        for path in ("/dashboard/usage?by=key&range=all", "/dashboard/api-keys", "/dashboard"):
            assert "production" not in other.go(path).content()
        assert other.go("/dashboard/usage?by=model").locator(".sortable tbody tr").count() == 1


def test_signing_up(browser: Browser, place: Served, pictures: Path) -> None:
    with window(browser, place.url) as view:
        page = view.go("/dashboard")
        page.get_by_role("link", name="Open an account").click()
        page.fill("#name", f"newcomer {BAD}"[:180])
        page.click("button.main")
        page.wait_for_selector("#secret")
        page.screenshot(path=pictures / "signed-up.png", full_page=True)
        assert view.findings() == []
        page.get_by_role("link", name="Open the dashboard").click()
        page.wait_for_url("**/dashboard")
        assert "Left" in view.go("/dashboard/usage").content()


def test_when_the_session_is_over_the_page_goes_to_sign_in(browser: Browser, place: Served) -> None:
    with window(browser, place.url) as view:
        view.sign_in(place.key)
        page = view.go("/dashboard/usage")
        view.context.clear_cookies()
        page.click("#sort-requests")
        page.wait_for_url("**/sign-in")


def test_without_scripts_everything_but_the_playground_works(browser: Browser, place: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(place.url + "/dashboard/api-keys")
        page.fill("#key", place.key)
        page.click("button.main")
        page.fill("#name", "without scripts")
        page.click("form.panel button.main")
        assert page.locator("#secret").count() == 1
        page.goto(place.url + "/dashboard/usage")
        page.click("#sort-requests")
        assert page.locator('th[aria-sort="descending"] #sort-requests').count() == 1
    finally:
        context.close()


def test_forms_do_without_keys_what_they_do_with_them(browser: Browser, tmp_path: Path, migrated: Path) -> None:
    """A browser says on a form's way which page sent it, and a server without keys takes none of other sites'."""
    with served(tmp_path, migrated, auth=False) as open_place, window(browser, open_place.url) as seen:
        seen.page.goto(open_place.url + "/dashboard/usage")
        seen.page.get_by_role("button", name="한국어").click()
        seen.page.wait_for_url("**/dashboard/usage")
        assert seen.page.locator("html").get_attribute("lang") == "ko"
