"""What `radixa serve` says once it can answer."""

from __future__ import annotations

from radixa.cli.serve import readiness

ADDRESS = "http://127.0.0.1:8000"


def test_with_an_engine_it_names_the_model_that_answers() -> None:
    said = readiness(ADDRESS, "smollm2", auth=True)
    assert said.startswith("smollm2 is ready.")
    assert '{"model": "smollm2"' in said


def test_without_an_engine_it_says_where_the_models_are_listed() -> None:
    said = readiness(ADDRESS, "", auth=True)
    assert said.startswith("Ready, without an engine: http://127.0.0.1:8000/v1/models lists")
    assert '"model": ""' not in said
