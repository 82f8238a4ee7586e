"""Fixtures that several packages' tests share."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

# Tests share their cores with the servers and engines they start, and threads that spin while they wait for each other
# then take whole time slices from whoever they wait for. This must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder

pytest_plugins = ["tests.postgres"]


@pytest.fixture(scope="session")
def smollm2() -> ModelFolder:
    """The real model, fetched and converted on the first run and found in the usual folders after that."""
    from radixa.models.prepare import prepare

    return prepare("smollm2")


@pytest.fixture(scope="session")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The real model's first layers, over its own tokenizer and vocabulary: several times as fast, its answers
    nonsense."""
    from radixa.models.load import open_folder
    from radixa.models.prepare import prepare

    whole = prepare("smollm2", dtype="float32").path
    folder = tmp_path_factory.mktemp("shallow")
    for file in whole.iterdir():
        if file.name != "config.json":
            (folder / file.name).symlink_to(file)
    config = json.loads((whole / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}), "utf-8")
    return open_folder(folder)
