"""What is offered, and what a name that is not lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from radixa.core.config import ModelEntry, Prices
from radixa.core.errors import InvalidRequest, ModelNotFound
from radixa.core.money import token_prices
from radixa.gateway.catalogue import Catalogue, Missing, Offer, shipped
from radixa.store.base import Limits

PRICE = Prices(input=1.0, cached_input=0.1, output=2.0)


def lacking(provider: str) -> Missing | None:
    """OpenAI has a key, DeepSeek has none, and nobody else is known."""
    known = {"openai": None, "deepseek": Missing("no key", "set DEEPSEEK_API_KEY")}
    return known.get(provider, Missing(f"no provider '{provider}'", f"describe [providers.{provider}]"))


def catalogue(*entries: ModelEntry, **changes: Any) -> Catalogue:
    given: dict[str, Any] = {"own": "own", "context": 1000, "sandbox": False, "available": lacking}
    return Catalogue(entries, **(given | changes))


def test_an_upstreams_offer_says_all_that_its_entry_does() -> None:
    entry = ModelEntry(
        "gpt",
        "openai",
        "gpt-4.1-2025",
        (PRICE,),
        rpm=5,
        tpm=60,
        concurrency=2,
        cached_weight=0.5,
        context=5000,
        shutdown_date="2027-01-14",
    )
    assert catalogue(entry).resolve("gpt") == Offer(
        id="gpt",
        provider="openai",
        served_by="gpt-4.1-2025",
        prices=token_prices(PRICE, "gpt"),
        limits=Limits(5, 60, 2),
        context=5000,
        shutdown_date="2027-01-14",
        target="gpt-4.1-2025",
        cached_weight=0.5,
    )
    bare = catalogue(ModelEntry("gpt", "openai")).resolve("gpt")
    assert (bare.target, bare.context, bare.prices) == ("gpt", None, None)


def test_only_providers_that_can_be_asked_offer_anything() -> None:
    found = catalogue(ModelEntry("a", "openai"), ModelEntry("b", "deepseek"), ModelEntry("c", "x"))
    assert [offer.id for offer in found.offers()] == ["own", "a"]
    with pytest.raises(ModelNotFound) as error:
        found.resolve("b")
    assert error.value.message == (
        "The model `b` is not offered: no key for b: set DEEPSEEK_API_KEY, or start with --sandbox."
    )
    with pytest.raises(ModelNotFound, match=r"no provider 'x' for c: describe \[providers\.x\]"):
        found.resolve("c")
    with pytest.raises(ModelNotFound, match="`d` does not exist or you do not have access to it"):
        found.resolve("d")


def test_the_sandbox_answers_for_everybody() -> None:
    found = catalogue(*shipped(), sandbox=True)
    offers = found.offers()
    assert [offer.id for offer in offers[1:]] == [entry.id for entry in shipped() if entry.provider != "wordllama"]
    assert {offer.served_by for offer in offers} == {offer.target for offer in offers} == {"own"}
    assert all(offer.embedded for offer in offers)
    assert found.resolve("gemini-2.0-flash").provider == "gemini"


def test_the_sandbox_does_not_stand_in_for_a_provider_of_this_server() -> None:
    entry = ModelEntry("vectors", "wordllama", "wordllama-l2-supercat-256")
    found = catalogue(entry, sandbox=True, available=lambda provider: None).resolve("vectors")
    assert (found.embedded, found.served_by) == (False, "wordllama-l2-supercat-256")
    without = catalogue(entry, sandbox=True, available=lambda provider: Missing("no package", "pip install it"))
    assert without.missing("vectors") == "no package for vectors: pip install it"


def test_without_an_engine() -> None:
    """The sandbox has nobody to answer for it then, and a body must name its model."""
    found = catalogue(ModelEntry("a", "openai"), ModelEntry("b", "radixa"), own=None, context=None, sandbox=True)
    assert [(offer.id, offer.embedded) for offer in found.offers()] == [("a", False)]
    with pytest.raises(InvalidRequest, match="Missing required parameter: 'model'") as error:
        found.resolve(None)
    assert (error.value.status, error.value.param, error.value.code) == (400, "model", "missing_required_parameter")
    with pytest.raises(ModelNotFound, match=r"no engine for b: start the server with one \(\[engine\] enabled\)\.$"):
        found.resolve("b")


def test_the_engines_own_name_stays_its_own() -> None:
    own = catalogue().resolve(None)
    assert (own.id, own.provider, own.embedded, own.context) == ("own", "radixa", True, 1000)
    priced = catalogue(ModelEntry("own", "openai", "gpt", (PRICE,))).resolve("own")
    assert priced == replace(own, prices=token_prices(PRICE, "own"))
    assert catalogue(ModelEntry("own", "deepseek")).missing("own") is None


def test_fallbacks_are_those_that_are_offered() -> None:
    entry = ModelEntry("a", "openai", fallbacks=("b", "c", "own", "gone"))
    found = catalogue(entry, ModelEntry("b", "deepseek"), ModelEntry("c", "openai"))
    assert found.resolve("a").fallbacks == ("c", "own")


def test_new_entries_hold_at_once() -> None:
    found = catalogue(ModelEntry("a", "openai"))
    assert found.resolve("a").limits.rpm is None
    found.replace([ModelEntry("a", "openai", rpm=3), ModelEntry("b", "openai")])
    assert found.resolve("a").limits.rpm == 3
    assert [offer.id for offer in found.offers()] == ["own", "a", "b"]
