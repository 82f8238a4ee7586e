"""Markdown: each block as it is written, under its headings."""

from __future__ import annotations

from radixa.documents.base import Section
from radixa.documents.reading.outline import Outline

_FRONT = "---\n"


def markdown_sections(text: str) -> list[Section]:
    """Blocks keep their marks, which models read well: code stays code, a table a table."""
    from markdown_it import MarkdownIt

    outline = Outline()
    text = _without_front_matter(text)
    lines = text.split("\n")
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    for place, token in enumerate(parsed):
        if token.level or token.map is None or token.nesting == -1:
            continue
        if token.type == "heading_open":
            inline = parsed[place + 1]
            words = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
            outline.heading(int(token.tag[1]), " ".join(words.split()))
        else:
            outline.block("\n".join(lines[token.map[0] : token.map[1]]).strip("\n").rstrip())
    return outline.sections()


def _without_front_matter(text: str) -> str:
    """Some generators of pages write their settings before the first heading."""
    if not text.startswith(_FRONT):
        return text
    _, end, rest = text[len(_FRONT) :].partition(f"\n{_FRONT}")
    return rest if end else text
