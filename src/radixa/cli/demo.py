"""`radixa demo`: a server, the three scenarios at reduced size, the figures, three files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radixa.cli.common import console, progress_bars, to_json
from radixa.cli.folders import check_folder

TREE_PAGE = "radix_cache.html"
REPORT_PAGE = "radixa_demo.html"
REPORT_JSON = "radixa_demo.json"


def demo(
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the three files go.", file_okay=False)
    ] = Path(),
    model: Annotated[str, typer.Option("--model", help="A model to serve.")] = "smollm2",
) -> None:
    """Serve a small model, send it three workloads with and without prefix reuse, and show what reuse saved.

    Takes a few minutes. Writes radix_cache.html (the tree), radixa_demo.html (the report) and radixa_demo.json.

    Example: radixa demo --out /tmp
    """
    import asyncio

    from radixa.bench.measure import measure_own, plan
    from radixa.bench.page import page
    from radixa.bench.scenarios import WORKLOADS
    from radixa.bench.tables import summary_table
    from radixa.cli.tree import facts_of, fetch
    from radixa.viewer.page import page as tree_page

    check_folder(folder, "--out")
    screen = console()
    screen.print(
        "Radixa serves a small language model and answers three workloads twice: once reusing the computed prefixes it "
        "keeps in a radix tree, once computing every prompt anew."
    )

    def keep_tree(url: str) -> None:
        nodes = asyncio.run(fetch(url, None))["data"]
        (folder / TREE_PAGE).write_text(tree_page(nodes, url, asyncio.run(facts_of(url, None))), "utf-8")

    with progress_bars() as progress:
        what = plan(list(WORKLOADS), size="reduced", sized_by=model, seed=0, concurrency=4, progress=progress)
        # One cache through all three, so that the tree's page shows them together; they share no prefix of any length.
        reports = measure_own(what, model, sandbox=True, flush=False, before_stop=keep_tree)
    screen.print(summary_table(reports))
    screen.print(
        f"Costs are at {what.priced_as}'s prices. The bound is the hit rate of an infinite cache; without reuse every "
        "request was the same, and none hit."
    )
    (folder / REPORT_PAGE).write_text(page(reports), "utf-8")
    figures = {"scenarios": {report.scenario: report.as_json() for report in reports}}
    (folder / REPORT_JSON).write_text(to_json(figures) + "\n", "utf-8")
    for name, what_for in ((TREE_PAGE, "the tree"), (REPORT_PAGE, "the report"), (REPORT_JSON, "the figures")):
        screen.print(f"{what_for}: {(folder / name).resolve()}", soft_wrap=True)
