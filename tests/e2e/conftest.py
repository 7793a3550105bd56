"""What the end-to-end tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.standins.bundles import tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle that answers by colour."""
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def slow_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, about a third of a second a picture."""
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "slow", slow=1500)
