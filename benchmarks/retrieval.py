"""What the order of retrieved passages saves: `python benchmarks/retrieval.py [--json]`.

The documents and questions are those of the scenario `rag` (`src/radixa/bench/scenarios/rag.py`): the Python language
reference, and as many sets of questions as at full size, interleaved. Here the passages are not given but retrieved, so
questions on one subject find many of the same passages, each in another order of rank. Every question is asked twice of
one server with the real model, whose cache is emptied in between: with its passages in the order of the ranking, and in
the order that `retrieve` gives. The passages are the same, which is checked.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from typing import Any

from radixa.bench.scenarios import rag
from radixa.cli.common import progress_bars
from radixa.lang.client.retrieval import BETWEEN
from radixa.lang.http import Http
from radixa.lang.serving import started

COLLECTION = "python-reference"
K = 4
"""Passages of a question, as many as `retrieve` gives without a number."""
SLICE = 20
"""Documents in a request."""
TITLES = {"rank": "in ranking order", "cache": "in cache order"}


def topics() -> dict[str, str]:
    from pydoc_data.topics import topics

    found: dict[str, str] = topics
    return found


def questions(seed: int, sets: int) -> list[str]:
    """Each set's first question, then each set's second one, and so on."""
    size, chance = rag.SIZES["full"], random.Random(f"retrieval {seed}")
    subjects = chance.sample(sorted(topics()), sets)
    patterns = chance.sample(rag.QUESTIONS, size.questions)
    return [pattern.format(topic=subject) for pattern in patterns for subject in subjects]


def fill(server: Http) -> None:
    documents = [{"name": name, "text": text, "format": "text"} for name, text in topics().items()]
    for start in range(0, len(documents), SLICE):
        server.post(f"/v1/collections/{COLLECTION}", {"documents": documents[start : start + SLICE]})


def ask(server: Http, asked: list[str], order: str) -> dict[str, Any]:
    """All questions in turn, with their passages in that order."""
    server.delete("/v1/cache")
    prompt = cached = 0
    chosen, searching = [], 0.0
    begun = time.perf_counter()
    with progress_bars() as progress:
        for done, question in enumerate(asked):
            progress(f"Asking, passages {TITLES[order]}", done, len(asked))
            searched = time.perf_counter()
            found = server.post(f"/v1/collections/{COLLECTION}/search", {"query": question, "k": K, "order": order})[
                "data"
            ]
            searching += time.perf_counter() - searched
            chosen.append({passage["id"] for passage in found})
            context = BETWEEN.join(passage["text"] for passage in found)
            messages = [
                {"role": "system", "content": " ".join(rag.INSTRUCTIONS)},
                {"role": "user", "content": f"{context}\n\nQuestion: {question}"},
            ]
            usage = server.post("/v1/chat/completions", {"messages": messages, "max_tokens": 1})["usage"]
            prompt += usage["prompt_tokens"]
            cached += usage["cached_tokens"]
    seconds = time.perf_counter() - begun
    return {
        "order": order,
        "prompt_tokens": prompt,
        "cached_tokens": cached,
        "hit_rate": cached / prompt,
        "seconds": seconds,
        "search_ms": 1e3 * searching / len(asked),
        "chosen": chosen,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", type=int, default=rag.SIZES["full"].sets, help="subjects that are asked about")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with started("smollm2", settings={"RADIXA_CACHE_DISK": "false"}) as found:
        server = Http(found.url)
        fill(server)
        asked = questions(wanted.seed, wanted.sets)
        rows = [ask(server, asked, order) for order in TITLES]
        server.close()
    ranked, arranged = rows
    if ranked.pop("chosen") != arranged.pop("chosen"):
        sys.exit("the two runs were given different passages")
    points = 100 * (arranged["hit_rate"] - ranked["hit_rate"])
    if wanted.json:
        print(json.dumps({"questions": len(asked), "runs": rows, "points": points}, indent=2))
        return
    for row in rows:
        print(
            f"{TITLES[row['order']]:<17} {row['cached_tokens']:>7,} of {row['prompt_tokens']:,} prompt tokens reused: "
            f"{row['hit_rate']:6.1%}   {row['seconds']:.1f} s, {row['search_ms']:.0f} ms of it a search"
        )
    print(f"the same passages in cache order: {points:+.1f} points")


if __name__ == "__main__":
    main()
