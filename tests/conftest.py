"""Fixtures that several packages' tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

# Tests share their cores with the servers and engines they start, and threads that spin while they wait for each other
# then take whole time slices from whoever they wait for. This must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder


@pytest.fixture(scope="session")
def smollm2() -> ModelFolder:
    """The real model, fetched and converted on the first run and found in the usual folders after that."""
    from radixa.models.prepare import prepare

    return prepare("smollm2")
