"""Both languages have the same texts with the same places in them, and every text that is asked for is there."""

from __future__ import annotations

import re
import string

from radixa.dashboard.words import HERE, languages
from tests.dashboard.conftest import Place, text

LANGUAGES = languages()


def test_both_languages_have_the_same_keys() -> None:
    assert LANGUAGES["en"].texts.keys() == LANGUAGES["ko"].texts.keys()


def test_a_text_has_the_same_places_in_both() -> None:
    def places(code: str, key: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(LANGUAGES[code].texts[key]) if name is not None}

    keys = sorted(LANGUAGES["en"].texts)
    assert [key for key in keys if places("en", key) != places("ko", key)] == []
    assert [key for key in keys if not LANGUAGES["ko"].texts[key].strip()] == []


def test_templates_ask_for_texts_that_are_there() -> None:
    templates = "".join(file.read_text("utf-8") for file in HERE.rglob("*.html"))
    asked = set(re.findall(r"""\bt\(["']([\w.]+)["'](?:\)|,)""", templates))
    assert len(asked) > 50
    assert asked - LANGUAGES["en"].texts.keys() == set()


async def test_the_browser_s_language_decides(place: Place) -> None:
    for header, code in {
        "ko-KR,ko;q=0.9,en;q=0.8": "ko",
        "en-US,en;q=0.9,ko;q=0.8": "en",
        "fr-FR,ko;q=0.5": "ko",
        "en;q=0.2, ko;q=0.7": "ko",
        "ko;q=0, de": "en",
        "ko;q=x": "en",
        "": "en",
    }.items():
        page = await place.visitor(accept_language=header).get("/dashboard/sign-in")
        assert f'<html lang="{code}"' in page.body.decode(), header
        assert LANGUAGES[code].word("sign_in.key") in text(page)


async def test_a_switch_overrides_the_browser_s_language(place: Place) -> None:
    visitor = place.visitor(accept_language="ko")
    await visitor.get("/dashboard/sign-in")
    answer = await visitor.send("/dashboard/preferences", language="en", next="/dashboard/sign-in")
    assert (answer.status, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert '<html lang="en"' in (await visitor.get("/dashboard/sign-in")).body.decode()


async def test_a_language_that_there_is_not_is_passed_over(place: Place) -> None:
    visitor = place.visitor()
    visitor.cookies["radixa_language"] = "xx"
    assert '<html lang="en"' in (await visitor.get("/dashboard/sign-in")).body.decode()


async def test_light_and_dark_are_kept(place: Place) -> None:
    visitor = await place.admin()
    await visitor.get("/dashboard")
    for theme in ("light", "dark"):
        await visitor.send("/dashboard/preferences", theme=theme, next="/dashboard")
        assert f'data-theme="{theme}"' in (await visitor.get("/dashboard")).body.decode()
    await visitor.send("/dashboard/preferences", theme="auto", next="/dashboard")
    assert "data-theme" not in (await visitor.get("/dashboard")).body.decode()


async def test_a_switch_goes_back_to_the_dashboard_and_nowhere_else(place: Place) -> None:
    visitor = await place.admin()
    await visitor.get("/dashboard")
    answer = await visitor.send("/dashboard/preferences", theme="dark", next="https://example.com/")
    assert answer.headers["location"] == "/dashboard"
