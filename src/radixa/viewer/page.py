"""`radix_cache.html`: the tree as one file, which a browser opens from disk and which asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from html import escape
from typing import Any

from radixa.viewer.assets import LANGUAGES, SCRIPTS, STATIC, STYLE, words
from radixa.viewer.facts import Facts

FIELDS = (
    "id",
    "parent",
    "namespace",
    "depth",
    "tokens",
    "hits",
    "last_use",
    "age",
    "locked",
    "role",
    "session_id",
    "priority",
    "pin",
    "expiry",
    "tier",
)
"""Of a node, as `GET /v1/cache/tree` gives them; a source that does not know one leaves it out. The texts come after
the script: the picture is there before a browser has read them."""

_PAGE_STYLE = """
body { margin: 0; padding: 1.2rem 1.4rem 2rem; background: #fbfbf9; }
@media (prefers-color-scheme: dark) { body { background: #12171c; color: #e6ebee; } }
h1 { font: 650 1.25rem/1.3 ui-sans-serif, system-ui, sans-serif; margin: 0; }
.facts { font: .9rem/1.5 ui-sans-serif, system-ui, sans-serif; margin: 0 0 1rem; opacity: .75; }
@media (max-width: 36rem) { body { padding: .9rem .8rem 2rem; } }
"""


def page(nodes: Sequence[Mapping[str, Any]], source: str, facts: Facts | None = None) -> str:
    """`nodes` as `GET /v1/cache/tree` gives them; `source`: the server's address."""
    total = sum(node["tokens"] for node in nodes)
    now = time.time()
    taken = datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    settings = {
        "source": source,
        "taken": round(now, 3),
        "facts": facts or {},
        "may": False,
        "language": None,
        "words": {language: words(language) for language in LANGUAGES},
    }
    said = words("en")
    summary = said["file.of"].format(source=source, taken=taken, nodes=f"{len(nodes):,}", tokens=f"{total:,}")
    style, script = _style(), _script()
    rows = ",\n".join(_json([node.get(name) for name in FIELDS]) for node in nodes)
    texts = ",\n".join(_json(node["text"]) for node in nodes)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(said["file.title"])}: {escape(source)}</title>
<style>{style}</style>
</head>
<body>
<h1>{escape(said["file.title"])}</h1>
<p class="facts">{escape(summary)}</p>
<main id="radixa-tree" class="rt-viewer rt-loading"><noscript><p>{escape(said["file.script"])}</p></noscript></main>
<script type="application/json" id="radixa-settings">{_json(settings)}</script>
<script type="application/json" id="radixa-nodes">{{"fields":{_json(FIELDS)},"nodes":[
{rows}
]}}</script>
<script>{script}</script>
<script type="application/json" id="radixa-texts">[
{texts}
]</script>
</body>
</html>
"""


def _json(value: Any) -> str:
    """JSON that no text in it can end: neither its element nor, where a browser is old, its line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half of a character, which no file can hold, becomes the sign for what cannot be shown.
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if not text.isascii() else text
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def _style() -> str:
    return (STATIC / STYLE).read_text("utf-8") + _PAGE_STYLE


@cache
def _script() -> str:
    return "\n".join((STATIC / name).read_text("utf-8") for name in SCRIPTS)


@cache
def _policy() -> str:
    """Nothing runs and nothing is fetched but what this package wrote, whatever the texts hold."""

    def named(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return f"default-src 'none'; script-src {named(_script())}; style-src {named(_style())}; img-src data:"
