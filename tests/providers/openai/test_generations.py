from __future__ import annotations

import pytest

from radixa.providers.openai.generations import Generation, generation

LONG = Generation(retention_24h=True)
MARKS = Generation(breakpoints=True)
PLAIN = Generation()


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("gpt-4o", PLAIN),
        ("gpt-4.1", LONG),
        ("gpt-4.1-2025-04-14", LONG),
        ("gpt-4.1-mini", PLAIN),
        ("openai/gpt-4.1", LONG),
        ("gpt-5", LONG),
        ("gpt-5-2025-08-07", LONG),
        ("gpt-5-mini", PLAIN),
        ("gpt-5.1", LONG),
        ("gpt-5.1-codex-mini", LONG),
        ("gpt-5.5-pro", LONG),
        ("gpt-5.6", MARKS),
        ("gpt-5.6-mini", MARKS),
        ("gpt-5.10", MARKS),
        ("gpt-6", MARKS),
        ("o3", PLAIN),
        ("gpt-image-1", PLAIN),
        ("my-model", PLAIN),
    ],
)
def test_what_a_model_takes(model: str, found: Generation) -> None:
    assert generation(model) == found
