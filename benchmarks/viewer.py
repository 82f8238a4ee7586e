"""The tree in a browser: 100,000 nodes from disk; time to the first picture, and pictures a second while it zooms.

    python benchmarks/viewer.py [--nodes 100000] [--json]

A headless Chromium draws the page on the CPU, in a window of 1,600 by 1,000 pixels. The first picture is there when the
frame after the one that shows it begins, counted from the navigation's start; pictures are counted while the view
glides between the whole tree and its largest branches, 24 times.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.viewer.trees import tree

from radixa.viewer.page import page as written

ROUNDS = 3
GLIDES = """async () => {
  const { layout, viewport } = radixaViewer;
  const inner = [...layout.nodes.keys()].filter((i) => layout.level(i) % 3 === 1);
  const largest = inner.sort((a, b) => layout.width[b] - layout.width[a]);
  const gaps = [];
  for (const i of largest.slice(0, 12)) {
    for (const goal of [i, -1]) {
      viewport.focus(goal);
      let last = 0;
      while (viewport.goal !== null) {
        const now = await new Promise((resolve) => requestAnimationFrame(resolve));
        if (last) gaps.push(now - last);
        last = now;
      }
    }
  }
  const started = performance.now();
  for (let round = 0; round < 20; round += 1) radixaViewer.canvas.draw(radixaViewer.scene);
  return [gaps, (performance.now() - started) / 20];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.nodes)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{found['nodes']:,} nodes in a file of {found['megabytes']:.0f} MB; {found['cores']} cores")
    print(f"load of the machine before: {found['load']:.1f}")
    print(f"first picture {found['first_picture_ms']:.0f} ms (asked: 1,500), texts read {found['texts_ms']:.0f} ms")
    print(f"zooming {found['pictures_a_second']:.0f} pictures a second (asked: 30), one in {found['draw_ms']:.1f} ms")


def measured(nodes: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("needs Chromium: apt-get install chromium")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "radix_cache.html"
        file.write_text(written(tree(nodes), "benchmark"), "utf-8")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        first, texts, gaps, draws = [], [], [], []
        for _ in range(ROUNDS):
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(file.as_uri())
            page.wait_for_function("() => performance.getEntriesByType('mark').length === 2")
            marks = page.evaluate(
                "Object.fromEntries(performance.getEntriesByType('mark').map((m) => [m.name, m.startTime]))"
            )
            first.append(marks["radixa:first-picture"])
            texts.append(marks["radixa:texts"])
            between, draw = page.evaluate(GLIDES)
            gaps += between
            draws.append(draw)
            page.close()
        browser.close()
        return {
            "nodes": nodes,
            "megabytes": file.stat().st_size / 1e6,
            "cores": len(os.sched_getaffinity(0)),
            "load": load,
            "first_picture_ms": statistics.median(first),
            "texts_ms": statistics.median(texts),
            "pictures_a_second": 1000 * len(gaps) / sum(gaps),
            "draw_ms": statistics.median(draws),
        }


if __name__ == "__main__":
    main()
