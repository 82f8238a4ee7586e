"""The table of pages, in the menu's order. Of two paths with `{id}` that fit, the first is taken."""

from __future__ import annotations

from radixa.dashboard.base import Page
from radixa.dashboard.pages import keys, models, overview, playground, preferences, sign_in, sign_up, usage
from radixa.dashboard.tree import pages as tree

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *tree.PAGES,
    *usage.PAGES,
    *keys.PAGES,
    *models.PAGES,
    *playground.PAGES,
    *sign_in.PAGES,
    *sign_up.PAGES,
    *preferences.PAGES,
)
