from __future__ import annotations

from pathlib import Path

import pytest

from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError
from radixa.providers.upstream.keys import api_key, where


def test_the_kinds_own_variable() -> None:
    config = ProviderConfig(kind="openai")
    assert api_key("openai", config, {"OPENAI_API_KEY": " sk-1\n"}) == "sk-1"
    assert api_key("openai", config, {"OPENAI_API_KEY": ""}) is None
    assert api_key("openai", config, {}) is None
    assert where("openai", config) == "OPENAI_API_KEY"


def test_another_variable() -> None:
    config = ProviderConfig(kind="openai", api_key_env="TEAM_KEY")
    assert api_key("openai", config, {"OPENAI_API_KEY": "sk-1", "TEAM_KEY": "sk-2"}) == "sk-2"
    assert where("openai", config) == "TEAM_KEY"


def test_a_server_of_ones_own_needs_none() -> None:
    config = ProviderConfig(kind="vllm")
    assert api_key("mine", config, {"OPENAI_API_KEY": "sk-1"}) is None
    assert where("mine", config) == "providers.mine.api_key_env"


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-3\n")
    config = ProviderConfig(kind="openai", api_key_file=str(file))
    assert api_key("openai", config, {"OPENAI_API_KEY": "sk-1"}) == "sk-3"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    config = ProviderConfig(kind="openai", api_key_file=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"providers\.mine\.api_key_file = '.*none': cannot be read: No such file"):
        api_key("mine", config, {})


@pytest.mark.parametrize("text", [b"", b"\n", b"\xff\xfe", b"x" * 10_000])
def test_a_file_without_a_key(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(text)
    with pytest.raises(ConfigError, match="expected a file with the key as its one line"):
        api_key("mine", ProviderConfig(kind="openai", api_key_file=str(file)), {})


@pytest.mark.parametrize("text", ["sk-secret\nsk-other", "sk-sec ret", "sk-sécret"])
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY: expected one key") as caught:
        api_key("openai", ProviderConfig(kind="openai"), {"OPENAI_API_KEY": text})
    assert "sk-" not in caught.value.message
