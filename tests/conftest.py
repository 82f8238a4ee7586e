"""Fixtures that several packages' tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder


@pytest.fixture(scope="session")
def smollm2() -> ModelFolder:
    """The real model, fetched and converted on the first run and found in the usual folders after that."""
    from radixa.models.prepare import prepare

    return prepare("smollm2")
