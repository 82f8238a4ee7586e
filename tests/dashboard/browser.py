"""A real Chromium that notes what a page must not do: errors, violations of its policy, requests to anywhere else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

AXE = Path(__file__).parent / "axe-4.14.1.min.js"
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips the test, saying so, where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """A page of a context of its own; `url` is where its server is."""

    context: BrowserContext
    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, key: str) -> Page:
        self.go("/dashboard/sign-in")
        self.page.fill("#key", key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/dashboard")
        return self.page

    def check(self) -> None:
        """Nothing that was opened so far did what it must not."""
        assert self.errors == []
        assert self.elsewhere == []
        assert self.page.evaluate("window.violations") == []
        assert self.page.evaluate("window.hacked") is None

    def findings(self) -> list[str]:
        """What axe finds serious or critical on the page as it is."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


@contextmanager
def window(browser: Browser, url: str, *, expected: tuple[str, ...] = (), **options: Any) -> Iterator[Window]:
    """Checked when it closes. `expected`: parts of what the console may say of answers that are errors."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
    context.add_init_script(_NOTE_VIOLATIONS)
    page = context.new_page()
    found = Window(context, page, url)

    def said(message: Any) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in expected):
            found.errors.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(url) else found.elsewhere.append(request.url))
    try:
        yield found
        found.check()
    finally:
        context.close()
