"""`radix_cache.html` in a real Chromium, opened from disk with the network off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from radixa.viewer.page import page as written
from tests.dashboard.browser import Window, chromium, window
from tests.viewer.trees import tree

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

BAD = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>\'"'
FACTS: Any = {"bytes_per_token": 4, "capacity": 50_000, "price": {"model": "deepseek-chat", "usd_per_mtok": 0.252}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("RADIXA_TEST_ARTEFACTS")
    folder = Path(given) / "viewer" if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def opened(found: Window) -> Page:
    found.page.goto(found.url)
    found.page.locator("#radixa-tree[data-pictured]").wait_for(state="attached")
    found.page.wait_for_function("() => performance.getEntriesByName('radixa:texts').length === 1")
    return found.page


def file(folder: Path, nodes: list[dict[str, Any]]) -> str:
    (folder / "radix_cache.html").write_text(written(nodes, "http://127.0.0.1:8000", FACTS), "utf-8")
    return (folder / "radix_cache.html").as_uri()


def view(page: Page) -> Any:
    return page.evaluate("({...radixaViewer.viewport.view, total: radixaViewer.layout.total})")


def settled(page: Page) -> Any:
    page.wait_for_function("() => radixaViewer.viewport.goal === null")
    return view(page)


@pytest.mark.parametrize(
    ("look", "options"),
    [
        ("dark", {"color_scheme": "dark"}),
        ("light", {"color_scheme": "light"}),
        ("korean-phone", {"locale": "ko-KR", "viewport": {"width": 380, "height": 800}}),
    ],
)
def test_it_opens_and_nothing_serious_is_found(
    browser: Browser, tmp_path: Path, pictures: Path, look: str, options: dict[str, Any]
) -> None:
    with window(browser, file(tmp_path, tree(400)), offline=True, **options) as found:
        page = opened(found)
        page.evaluate("radixaViewer.select(2, true)")
        settled(page)
        page.screenshot(path=pictures / f"file-{look}.png", full_page=True)
        assert found.findings() == []
        assert page.evaluate("document.documentElement.lang") == ("ko" if "ko" in look else "en")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # There is no server to ask for anything.
        assert page.locator(".rt-actions, .rt-timeline").count() == 0


def test_a_click_zooms_in_and_keys_out(browser: Browser, tmp_path: Path) -> None:
    with window(browser, file(tmp_path, tree(200)), offline=True) as found:
        page = opened(found)
        box = page.locator("#rt-canvas").bounding_box()
        assert box is not None
        assert view(page)["right"] == view(page)["total"]
        first, wide, middle = page.evaluate(
            """() => {
              const { layout, canvas } = radixaViewer;
              const level = [...layout.nodes.keys()].slice(layout.levels[1], layout.levels[2]);
              const i = level.reduce((best, j) => (layout.width[j] > layout.width[best] ? j : best));
              const middle = (layout.left[i] + layout.width[i] / 2) / layout.total;
              return [layout.nodes[i].id, layout.width[i], middle * canvas.width];
            }"""
        )
        page.mouse.click(box["x"] + middle, box["y"] + 34)
        inside = settled(page)
        assert page.evaluate("radixaViewer.selected") == first
        assert inside["right"] - inside["left"] == pytest.approx(wide)
        page.locator("#rt-panel .rt-figures").wait_for()
        page.keyboard.press("Escape")
        page.wait_for_function(f"() => radixaViewer.selected !== {first}")
        page.locator(".rt-crumbs button").first.click()
        assert settled(page)["right"] == view(page)["total"]
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
        page.wait_for_function("() => !radixaViewer.viewport.whole()")


def test_search_and_the_table(browser: Browser, tmp_path: Path) -> None:
    nodes = tree(300)
    nodes[150] |= {"text": "a needle " + BAD, "session_id": BAD, "namespace": "acct_a"}
    with window(browser, file(tmp_path, nodes), offline=True) as found:
        page = opened(found)
        page.locator("#rt-search").fill("NEEDLE")
        page.locator(".rt-matches", has_text="1 found").wait_for()
        page.locator("#rt-outline caption", has_text="Found: the 1 largest").wait_for()
        assert page.locator("#rt-outline tbody tr").count() == 1
        page.locator("#rt-outline .rt-link").click()
        page.locator(".rt-text", has_text="window.hacked=1").wait_for()
        figures = page.locator(".rt-figures").inner_text()
        for part in ("Hits", "Saved", "$", "Namespace", "acct_a", "Memory"):
            assert part in figures


def test_colours_say_something_else_each(browser: Browser, tmp_path: Path) -> None:
    with window(browser, file(tmp_path, tree(100)), offline=True) as found:
        page = opened(found)
        legends = set()
        for mode in ("recency", "heat", "namespace", "tier", "role"):
            page.locator("#rt-mode").select_option(mode)
            page.wait_for_function(f"() => radixaViewer.painted.startsWith('{mode} ')")
            legends.add(page.locator(".rt-legend").inner_text())
        assert len(legends) == 5


def test_a_tree_of_a_hundred_thousand_nodes(browser: Browser, tmp_path: Path, pictures: Path) -> None:
    with window(browser, file(tmp_path, tree(100_000)), offline=True) as found:
        page = opened(found)
        assert page.evaluate("radixaViewer.layout.nodes.length") == 100_000
        # What is drawn is bounded by what there is to see, not by what there is.
        drawn = page.evaluate(
            """() => {
              let count = 0;
              const context = radixaViewer.canvas.context;
              const fill = context.fillRect;
              context.fillRect = function (...box) { count += 1; fill.apply(this, box); };
              radixaViewer.canvas.draw(radixaViewer.scene);
              delete context.fillRect;
              return count;
            }"""
        )
        assert 1_000 < drawn < 30_000
        page.evaluate("radixaViewer.select(radixaViewer.layout.nodes[90000].id, true)")
        assert settled(page)["right"] < view(page)["total"]
        page.screenshot(path=pictures / "large.png")


def test_deep_trees_and_nodes_whose_parent_was_left_out(browser: Browser, tmp_path: Path) -> None:
    (first,) = tree(1)
    chain = [first | {"id": i, "parent": i - 1, "tokens": 1, "text": f"t{i}"} for i in range(1, 3_001)]
    orphan = first | {"id": 9_000, "parent": 8_000, "tokens": 400, "text": "orphan"}
    with window(browser, file(tmp_path, [*chain, orphan]), offline=True) as found:
        page = opened(found)
        assert page.evaluate("[radixaViewer.layout.depth, radixaViewer.layout.total]") == [3_000, 3_400]
        page.locator("#rt-outline .rt-link", has_text="orphan").wait_for()
        page.locator("#rt-search").fill("t3000")
        page.keyboard.press("Enter")
        page.wait_for_function("() => radixaViewer.query === 't3000'")
        page.keyboard.press("Enter")
        page.locator(".rt-text", has_text="t3000").wait_for()
        assert settled(page)["top"] > 2_900
