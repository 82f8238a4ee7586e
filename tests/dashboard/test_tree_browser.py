"""The tree, live, and prompts explained, in a real Chromium."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from radixa.core.tokens import pack
from tests.dashboard.browser import Window, chromium, window
from tests.dashboard.serving import Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

BAD = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>\'"{{7*7}}'
SYSTEM = "You are a careful support agent. Answer briefly and cite the order number."
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1600, "height": 1000}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True},
    "korean-phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "locale": "ko-KR"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("tree"), migrated) as found:
        yield found


@pytest.fixture
def tree(place: Served) -> Iterator[Served]:
    """Some conversations, one of them pinned."""
    for number in range(4):
        chat(place, f"Ticket {number}: where is my order?", session_id=f"ticket-{number}", pin=number == 3)
    yield place
    call(place, "DELETE", "/v1/cache")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("RADIXA_TEST_ARTEFACTS")
    folder = Path(given) / "tree" if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def call(place: Served, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
    headers = {"authorization": f"Bearer {key or place.key}", "content-type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(place.url + path, sent, headers, method=method), timeout=20
    ) as answer:
        return json.load(answer)


def chat(place: Served, content: str, key: str | None = None, **fields: Any) -> Any:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
    return call(place, "POST", "/v1/chat/completions", {"messages": messages, "max_tokens": 3} | fields, key)


def opened(found: Window, key: str) -> Page:
    found.sign_in(key)
    page = found.go("/dashboard/cache")
    page.locator("#radixa-tree[data-pictured]").wait_for(state="attached")
    page.locator("[data-state=live]").wait_for()
    return page


def rows(page: Page) -> Any:
    return page.locator("#rt-outline tbody .rt-link")


def named(page: Page, part: str) -> Any:
    return rows(page).filter(has_text=part).first


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_serious_is_found_and_it_is_there_in_every_look(
    browser: Browser, tree: Served, pictures: Path, look: str
) -> None:
    with window(browser, tree.url, **LOOKS[look]) as found:
        page = opened(found, tree.key)
        page.screenshot(path=pictures / f"tree-{look}.png", full_page=True)
        assert found.findings() == []
        named(page, "Ticket").click()
        page.locator(".rt-actions").wait_for()
        page.wait_for_timeout(400)  # the glide, for the picture's sake
        page.screenshot(path=pictures / f"node-{look}.png", full_page=True)
        assert found.findings() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page = found.go("/dashboard/explain")
        page.locator("#ex-recent button").first.click()
        page.locator(".ex-text").wait_for()
        page.screenshot(path=pictures / f"explain-{look}.png", full_page=True)
        assert found.findings() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_happens_is_seen_as_it_happens_and_can_be_gone_back_over(browser: Browser, tree: Served) -> None:
    with window(browser, tree.url) as found:
        page = opened(found, tree.key)
        before = page.evaluate("radixaViewer.layout.nodes.length")
        chat(tree, "A question that nobody asked")
        named(page, "A question that nobody asked").wait_for()
        assert page.evaluate("radixaViewer.layout.nodes.length") > before
        page.locator(".rt-pause").click()
        page.locator("[data-state=past]").wait_for()
        chat(tree, "While it was paused")
        page.wait_for_timeout(800)  # longer than an event takes
        assert rows(page).filter(has_text="While it was paused").count() == 0
        page.locator(".rt-pause").click()
        named(page, "While it was paused").wait_for()
        # The slider, by key: as far back as there is anything, where nothing had come yet.
        page.locator(".rt-track input").focus()
        page.keyboard.press("Home")
        page.locator("[data-state=past]").wait_for()
        page.wait_for_function("() => radixaViewer.layout.nodes.length === " + str(before))
        assert page.locator(".rt-track input").get_attribute("aria-valuetext") not in ("", "Live")
        page.keyboard.press("End")
        page.locator("[data-state=live]").wait_for()


def test_actions_do_what_they_say(browser: Browser, tree: Served) -> None:
    with window(browser, tree.url) as found:
        page = opened(found, tree.key)
        named(page, "Ticket").click()
        selected = page.evaluate("radixaViewer.selected")

        def node() -> Any:
            return call(tree, "GET", f"/v1/cache/nodes/{selected}")["path"][-1]

        said = page.locator(".rt-said")
        leaf = "0: where is my order"
        named(page, leaf).click()
        selected = page.evaluate("radixaViewer.selected")
        page.locator("[data-act=pin]").click()
        page.locator("[data-act=unpin]").wait_for()
        assert node()["pin"] is True
        assert said.inner_text() == "Pinned."
        # Who works by keys is where they were.
        assert page.evaluate("document.activeElement.dataset.act") == "unpin"
        page.locator(".rt-pair select").select_option("1800")
        page.locator("[data-act=ttl]").click()
        page.locator(".rt-tag", has_text="kept 30 min").wait_for()
        assert 1700 < node()["expiry"] <= 1800
        page.locator("[data-act=unpin]").click()
        page.locator("[data-act=pin]").wait_for()
        assert (node()["pin"], node()["expiry"] is not None) == (False, True)
        page.locator("[data-act=warm]").click()
        said.filter(has_text="tokens were there").wait_for()
        page.locator("[data-act=evict]").click()
        assert page.locator("[data-act=evict]").inner_text() == "Evict it and all below?"
        page.locator("[data-act=evict]").click()
        said.filter(has_text="dropped").wait_for()
        rows(page).filter(has_text=leaf).wait_for(state="detached")
        assert leaf not in {one["text"] for one in call(tree, "GET", "/v1/cache/tree")["data"]}


def test_a_pin_below_is_told(browser: Browser, tree: Served) -> None:
    with window(browser, tree.url) as found:
        page = opened(found, tree.key)
        named(page, "You are a careful").click()
        page.locator("[data-act=unpin]").click()
        page.locator(".rt-said.rt-wrong", has_text="for the sake of a node below it").wait_for()


def test_keys_and_search_are_enough(browser: Browser, tree: Served) -> None:
    with window(browser, tree.url) as found:
        page = opened(found, tree.key)
        page.locator("#rt-canvas").focus()
        for key in ("ArrowDown", "ArrowDown"):
            page.keyboard.press(key)
        level = page.evaluate("radixaViewer.layout.level(radixaViewer.layout.index.get(radixaViewer.selected))")
        assert level == 1
        spoken = page.locator(".rt-hidden[role=status]").inner_text()
        assert "Level 2" in spoken
        page.keyboard.press("Enter")
        page.wait_for_function("() => !radixaViewer.viewport.whole() && radixaViewer.viewport.goal === null")
        page.keyboard.press("0")
        page.wait_for_function("() => radixaViewer.viewport.whole()")
        page.keyboard.press("/")
        page.keyboard.type("2: WHERE")
        page.locator(".rt-matches", has_text="1 found").wait_for()
        page.keyboard.press("Enter")
        page.locator(".rt-text", has_text="2: where is my order").wait_for()


def test_a_prompt_is_text_wherever_it_shows(browser: Browser, tree: Served) -> None:
    chat(tree, BAD, session_id=BAD)
    with window(browser, tree.url) as found:
        page = opened(found, tree.key)
        named(page, "onerror").click()
        page.locator(".rt-text", has_text="window.hacked=1").wait_for()
        page.locator("#rt-search").fill("onerror")
        page.locator(".rt-matches", has_text="found").wait_for()
        page = found.go("/dashboard/explain")
        page.locator("#ex-recent button", has_text="onerror").first.click()
        page.locator(".ex-text", has_text="window.hacked=1").wait_for()
        page.locator("#ex-prompt").fill(BAD + "!")
        page.locator("#ex-form button[type=submit]").click()
        page.locator(".ex-miss").wait_for()


def test_an_explained_prompt_is_coloured(browser: Browser, tree: Served) -> None:
    with window(browser, tree.url) as found:
        found.sign_in(tree.key)
        page = found.go("/dashboard/explain")
        other = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Ticket 2: why is it late?"}]
        page.locator("#ex-prompt").fill(json.dumps(other))
        page.keyboard.press("Control+Enter")
        page.locator(".ex-text").wait_for()
        assert page.locator("mark.device").inner_text().endswith("Ticket 2: wh")
        assert page.locator("mark.computed").inner_text().startswith("y is it late?")
        assert "something else follows there" in page.locator(".ex-miss h3").inner_text()
        assert page.locator(".ex-sides dd").all_inner_texts()[1].startswith("ere is my order?")
        page.locator("#ex-warm").click()
        page.locator(".ex-found", has_text="Warmed:").wait_for()
        # Up to where the template would open the answer.
        assert page.locator("mark.computed").inner_text().strip() == "assistant:"


def test_two_tenants_see_nothing_of_each_other(browser: Browser, tree: Served) -> None:
    one, other = tree.plain_key("acme"), tree.plain_key("globex")
    chat(tree, "the secret of acme", one)
    with window(browser, tree.url) as first, window(browser, tree.url) as second:
        acme, globex = opened(first, one), second
        named(acme, "secret of acme").wait_for()
        globex.sign_in(other)
        page = globex.go("/dashboard/cache")
        page.locator(".rt-empty").wait_for()
        chat(tree, "more secrets of acme", one)
        named(acme, "more secrets of acme").wait_for()
        chat(tree, "a word of globex", other)
        named(page, "a word of globex").wait_for()
        assert "acme" not in page.content().replace("acme-", "")
        assert "globex" not in acme.content()
        assert page.evaluate("JSON.stringify([...radixaViewer.store.nodes.values()])").count("acme") == 0
    with window(browser, tree.url) as admins:
        page = opened(admins, tree.key)
        page.wait_for_function("() => new Set(radixaViewer.layout.nodes.map((node) => node.namespace)).size === 3")
        assert "secret" not in page.evaluate("JSON.stringify([...radixaViewer.store.nodes.values()])")


def test_a_large_tree_is_read_page_by_page_and_still_live(browser: Browser, tree: Served) -> None:
    async def fill() -> None:
        cache = tree.engine.cache
        for number in range(10_000):
            lease = cache.bare(tree.account.id)
            assert cache.extend(lease, 3)
            cache.finish(lease, pack([128 + number // 100, 128 + number % 100, 65]))

    tree.do(fill())
    with window(browser, tree.url) as found:
        page = opened(found, tree.key)
        page.wait_for_function("() => radixaViewer.layout.nodes.length > 10100")
        whole = page.evaluate("radixaViewer.layout.nodes.length")
        chat(tree, "While there is so much")
        page.wait_for_function(f"() => radixaViewer.layout.nodes.length > {whole}")
