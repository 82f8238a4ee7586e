"""HTML: what a reader sees, under its headings."""

from __future__ import annotations

import re
from typing import Any

from radixa.documents.base import Section
from radixa.documents.reading.outline import Outline

_UNSEEN = ["script", "style", "noscript", "template", "head", "nav", "svg", "iframe", "button", "select"]
_ASIDE = "[role=navigation], [role=search], [hidden]"
_MAIN = "main, [role=main]"
"""What a page says its text is; else all of it is."""
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE = frozenset(
    {
        "-text", "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
        "ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub",
        "sup", "time", "tt", "u", "var", "wbr",
    }
)  # fmt: skip
_SPACE = re.compile(r"\s+")
_ROWS = frozenset({"tr"})
_CELLS = frozenset({"td", "th"})


def html_sections(text: str) -> list[Section]:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text)
    tree.strip_tags(_UNSEEN)
    for node in tree.css(_ASIDE):
        node.decompose()
    outline = Outline()
    root = tree.css_first(_MAIN) or tree.body
    if root is not None:
        _walk(root, outline)
    return outline.sections()


def _walk(body: Any, outline: Outline) -> None:
    """Texts of one block are joined; a table's row is a block, its cells apart."""
    block: Any = None
    inside: dict[int, Any] = {body.mem_id: body}
    words: list[str] = []
    cell = 0

    def close() -> None:
        nonlocal words
        if block is not None and words:
            _add(outline, block, "".join(words))
        words = []

    for node in body.traverse(include_text=True):
        parent = node.parent
        above = inside.get(parent.mem_id, body) if parent is not None else body
        if node.tag == "br":
            words.append("\n")
        if node.tag != "-text":
            opens = node.tag not in _INLINE and not (node.tag in _CELLS and above.tag in _ROWS)
            inside[node.mem_id] = node if opens else above
            if node.tag in _CELLS and not opens:
                cell = node.mem_id
            continue
        if block is None or above.mem_id != block.mem_id:
            close()
            block, cell_before = above, cell
        elif cell != cell_before:
            words.append(" | ")
            cell_before = cell
        text = node.text_content or ""
        words.append(text if block.tag == "pre" else _SPACE.sub(" ", text))
    close()


def _add(outline: Outline, block: Any, text: str) -> None:
    if block.tag in _HEADINGS:
        outline.heading(_HEADINGS[block.tag], " ".join(text.split()).rstrip("¶").rstrip())
    elif block.tag == "pre":
        outline.block(text.strip("\n").rstrip())
    else:
        lines = "\n".join(line.strip() for line in text.split("\n")).strip()
        outline.block(f"- {lines}" if lines and block.tag == "li" else lines)
