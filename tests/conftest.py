"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache of results."""
    folder = str(tmp_path_factory.mktemp("cache"))
    with patch.dict(os.environ, {"TRIGGER_ML_CACHE": folder}):
        yield
